"""Reading AbacusSummit's files: values, units, indices, conventions, and what is refused."""

import tracemalloc
from dataclasses import fields, replace
from fractions import Fraction
from itertools import permutations
from math import floor
from pathlib import PurePosixPath

import numpy as np
import pytest

from lagbias.sources import get_source
from lagbias.sources.abacus import read as abacus
from lagbias.sources.abacus.asdf_files import read_column
from lagbias.sources.abacus.headers import growth_at
from lagbias.sources.abacus.paths import BoxFiles, box_paths, find_box
from lagbias.sources.abacus.read import lagrangian_nodes, read_box
from lagbias.sources.base import (
    REQUIRED_ATTRIBUTES,
    check_alignment,
    check_contract,
    large_scale_correlation,
)

# Positions are stored in steps of L / 10^6 and shifted in float32, whose steps near L are L / 10^7.
POSITION_TOLERANCE = 0.6e-6
# Centres and velocities are stored as float32 and converted in float32: a few roundings.
FLOAT32_TOLERANCE = 5e-7
MIN_PARTICLES = 50
# Below K_MAX [h/Mpc] the written box has 46 independent modes: by chance, unrelated fields
# correlate by 0.15, and exchanging two axes leaves some modes in their place (at most 0.47 was
# measured). Its particles follow the density by Zel'dovich, with a correlation of 0.94.
K_MAX = 0.15
LARGEST_WRONG, SMALLEST_RIGHT = 0.7, 0.9


@pytest.fixture(scope="module")
def tree(abacus_tree, tmp_path_factory):
    """One small box as it comes, one file per product."""
    return abacus_tree.write_tree(tmp_path_factory.mktemp("abacus"))


@pytest.fixture(scope="module")
def box(tree):
    return read_box(find_box(**tree.find), redshift=0.5, min_halo_particles=MIN_PARTICLES)


@pytest.fixture
def broken(abacus_tree, tmp_path):
    """A box of its own to break, small and in two files, and a function that edits a file."""
    made = abacus_tree.write_tree(
        tmp_path, ppd=12, n_ic=4, subsample=0.5, n_halos=10, n_files=2, cleaned=True
    )
    return find_box(**made.find), abacus_tree.edit


def expected_nodes(lattice, ppd, n_grid):
    """Round in exact arithmetic, halves up."""
    table = [floor(Fraction(i * n_grid, ppd) + Fraction(1, 2)) % n_grid for i in range(ppd)]
    return np.array(table)[lattice]


def order_of_sites(tree):
    """Return the order of ascending sites, in which particles of one site keep theirs."""
    nodes = expected_nodes(tree.lattice, 48, 16)
    return np.argsort(np.ravel_multi_index(nodes.T, (16,) * 3), kind="stable")


def distance(a, b, box_size):
    """Return the largest difference the shortest way round."""
    difference = np.asarray(a, np.float64) - b
    return np.abs(difference - box_size * np.round(difference / box_size)).max()


def test_it_is_a_source():
    assert get_source("abacus") is read_box


def test_the_contract_is_kept_and_particles_follow_the_density(box):
    check_contract(box)
    check_alignment(box)
    assert REQUIRED_ATTRIBUTES.keys() <= box.attributes.keys()


def test_attributes_come_from_the_headers(tree, box):
    header = tree.header
    assert box.attributes == {
        "source": "abacus",
        "simulation": "AbacusSummit_small_c000_ph3000",
        "box_size": 120.0,
        "n_grid": 16,
        "redshift": 0.5,
        "growth": pytest.approx(59.9115 / 77.8654, rel=1e-12),
        "omega_m": 0.315192,
        "particle_mass": header["ParticleMassHMsun"],
        "particles_per_side": 48,
        "initial_redshift": 99.0,
        "cleaned": False,
        "n_files": 6,
        "min_halo_particles": MIN_PARTICLES,
    }


def test_density_is_scaled_and_nothing_else(tree, box):
    np.testing.assert_allclose(box.linear_density, 59.9115 * tree.density, rtol=FLOAT32_TOLERANCE)


def test_positions_are_shifted_by_half_a_box(tree, box):
    assert len(box.positions) == len(tree.positions)
    expected = tree.positions[order_of_sites(tree)] + 60.0
    assert distance(box.positions, expected, 120.0) < POSITION_TOLERANCE * 120.0


def test_sites_are_the_nearest_nodes(tree, box):
    order = order_of_sites(tree)
    nodes = expected_nodes(tree.lattice, 48, 16)[order]
    np.testing.assert_array_equal(
        np.stack(np.unravel_index(box.lagrangian_site, (16,) * 3), axis=-1), nodes
    )
    # the last lattice point is nearest to the first node, one box further on
    last = np.flatnonzero(order == 1)[0]
    assert box.lagrangian_site[last] == 0 and tuple(tree.lattice[1]) == (47, 47, 47)


def test_halos_are_selected_converted_and_ordered(tree, box):
    chosen = np.flatnonzero(tree.n >= MIN_PARTICLES)
    order = chosen[np.argsort(-tree.n[chosen].astype(int), kind="stable")]
    assert 0 < len(chosen) < len(tree.n)
    np.testing.assert_array_equal(box.halo_particles, tree.n[order])
    mass = tree.n[order] * tree.header["ParticleMassHMsun"]
    np.testing.assert_array_equal(box.halo_mass, mass.astype(np.float32))
    assert distance(box.halo_positions, tree.centres[order] + 60.0, 120.0) < 120.0 * 5e-7
    np.testing.assert_allclose(
        box.halo_velocities, tree.velocities[order], rtol=FLOAT32_TOLERANCE, atol=0.0
    )


def test_the_limit_on_halos_is_inclusive(tree):
    limit = int(np.sort(tree.n)[len(tree.n) // 2])
    box = read_box(find_box(**tree.find), redshift=0.5, min_halo_particles=limit)
    assert box.halo_particles[-1] == limit


def test_superslabs_give_the_same_box(abacus_tree, tree, box, tmp_path):
    split = abacus_tree.write_tree(tmp_path, n_files=3)
    files = find_box(**split.find)
    assert [path.name for path in files.field_pid] == [f"field_pid_A_00{n}.asdf" for n in range(3)]
    again = read_box(files, redshift=0.5, min_halo_particles=MIN_PARTICLES, threads=2)
    assert again.attributes == dict(box.attributes) | {"n_files": 16}
    for field in fields(box):
        if field.name != "attributes":  # groups come first either way, in the order of the files
            np.testing.assert_array_equal(getattr(again, field.name), getattr(box, field.name))


def test_particles_are_unpacked_in_parts(tree, box, monkeypatch):
    monkeypatch.setattr(abacus, "_CHUNK", 1000)
    again = read_box(find_box(**tree.find), redshift=0.5, min_halo_particles=MIN_PARTICLES)
    np.testing.assert_array_equal(again.positions, box.positions)
    np.testing.assert_array_equal(again.lagrangian_site, box.lagrangian_site)


def test_memory_is_the_result_and_positions_once_more(abacus_tree, box, tmp_path, monkeypatch):
    monkeypatch.setattr(abacus, "_CHUNK", 1000)
    made = abacus_tree.write_tree(tmp_path, ppd=96, subsample=0.9)  # 0.8 million particles
    files = find_box(**made.find)  # `box` made sure that everything is compiled
    tracemalloc.start()
    large = read_box(files, redshift=0.5, min_halo_particles=MIN_PARTICLES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    count = len(large.positions)
    while_sorting = 4 * count + 2 * 12 * count
    rest = 1.5e6  # headers, compressed data in transit, parts of 1000 particles
    assert rest < 4 * count / 2  # so that one more array of particles would be noticed
    assert peak < while_sorting + large.linear_density.nbytes + rest


@pytest.mark.parametrize(
    ("ppd", "n_grid"), [(1728, 576), (6912, 576), (6912, 1152), (64, 64), (10, 4), (6, 4), (4, 8)]
)
def test_nodes_are_rounded_exactly(ppd, n_grid):
    nodes = lagrangian_nodes(ppd, n_grid)
    assert nodes.dtype == np.int32
    np.testing.assert_array_equal(nodes, expected_nodes(np.arange(ppd), ppd, n_grid))


def test_halves_are_rounded_up_and_the_last_wraps():
    # 4 nodes for 8 points: odd points lie midway; NumPy's rounding would send 1 to 0 and 3 to 2
    np.testing.assert_array_equal(lagrangian_nodes(8, 4), [0, 1, 1, 2, 2, 3, 3, 0])


def test_the_paper_s_lattice_has_three_points_for_a_node():
    index = np.arange(1728)
    np.testing.assert_array_equal(lagrangian_nodes(1728, 576), (index + 1) // 3 % 576)


def test_large_lattices_do_not_overflow(abacus_tree, tmp_path, monkeypatch):
    # 16 bits hold an index of 1727 but not its product with 576
    lattice = np.array([[0, 1, 2], [1727, 1726, 1725], [57, 1000, 1724], [864, 863, 862]] * 8)
    monkeypatch.setattr(abacus_tree, "chosen_lattice", lambda *_: lattice)
    made = abacus_tree.write_tree(tmp_path, ppd=1728, n_ic=16)
    read = read_box(find_box(**made.find), redshift=0.5, min_halo_particles=35)
    expected = np.ravel_multi_index(expected_nodes(lattice, 1728, 16).T, (16,) * 3)
    np.testing.assert_array_equal(read.lagrangian_site, np.sort(expected))


@pytest.mark.parametrize("box_size", [120.0, 500.0, 296.3])
def test_edges_stay_in_the_box(box_size):
    tiny = np.nextafter(np.float32(-box_size / 2), np.float32(-np.inf))
    edge = np.float32(box_size / 2)
    positions = np.array([[-edge, edge, 0.0], [tiny, -tiny, 1.01 * edge]], np.float32)
    shifted = abacus._shifted(positions, box_size)
    assert shifted.dtype == np.float32
    assert np.all((shifted >= 0) & (shifted < np.float32(box_size)))
    assert distance(shifted, positions.astype(np.float64) + box_size / 2, box_size) < 1e-4


def test_cleaned_halos(abacus_tree, tmp_path):
    made = abacus_tree.write_tree(tmp_path, cleaned=True, n_files=2)
    files = find_box(**made.find)
    box = read_box(files, redshift=0.5, min_halo_particles=0)
    kept = np.flatnonzero(made.n_total > 0)
    assert len(kept) == 30 and len(made.n) == 40  # ten were merged away
    order = kept[np.argsort(-made.n_total[kept].astype(int), kind="stable")]
    np.testing.assert_array_equal(box.halo_particles, made.n_total[order])
    assert distance(box.halo_positions, made.centres[order] + 60.0, 120.0) < 120.0 * 5e-7
    assert box.attributes["cleaned"] is True
    check_contract(box)
    raw = read_box(replace(files, cleaned_halo_info=()), redshift=0.5, min_halo_particles=0)
    assert len(raw.halo_mass) == 40 and raw.attributes["cleaned"] is False


def test_too_high_a_limit_leaves_no_halos(tree):
    box = read_box(find_box(**tree.find), redshift=0.5, min_halo_particles=10**6)
    check_contract(box)
    assert box.halo_positions.shape == (0, 3)


@pytest.mark.parametrize("axes", [axes for axes in permutations(range(3)) if axes != (0, 1, 2)])
def test_the_order_of_the_axes_matters(box, axes):
    turned = replace(box, linear_density=np.ascontiguousarray(box.linear_density.transpose(axes)))
    assert large_scale_correlation(turned, k_max=K_MAX) < LARGEST_WRONG
    assert large_scale_correlation(box, k_max=K_MAX) > SMALLEST_RIGHT


@pytest.mark.parametrize("axes", [[0], [1], [2], [0, 1, 2]])
def test_the_origin_matters(box, axes):
    unshifted = box.positions.copy()
    unshifted[:, axes] = (unshifted[:, axes] + np.float32(60)) % np.float32(120)
    found = large_scale_correlation(replace(box, positions=unshifted), k_max=K_MAX)
    assert found < LARGEST_WRONG


def test_growth_is_found_by_number_or_text():
    table = {"0.0": "77.865", 0.5: 59.911, "99.0": 1.0}
    assert growth_at(table, 0.5, "ic.asdf") == 59.911
    assert growth_at(table, 0.0, "ic.asdf") == 77.865
    with pytest.raises(ValueError, match=r"ic\.asdf has no entry for redshift 0\.7 \(it has: 0,"):
        growth_at(table, 0.7, "ic.asdf")
    with pytest.raises(ValueError, match="it has: none"):
        growth_at({}, 0.5, "ic.asdf")


def test_only_ratios_of_the_growth_table_count(broken):
    files, edit = broken
    before = read_box(files, redshift=0.5, min_halo_particles=35)
    table = {str(z): d / 77.8654 for z, d in {0.0: 77.8654, 0.5: 59.9115, 99.0: 1.0}.items()}
    edit(files.ic_density, header={"GrowthTable": table})
    after = read_box(files, redshift=0.5, min_halo_particles=35)
    np.testing.assert_allclose(after.linear_density, before.linear_density, rtol=1e-6)
    assert after.attributes["growth"] == pytest.approx(before.attributes["growth"], rel=1e-12)


# --- where files are ---


def test_paths_of_a_small_box():
    name = "AbacusSummit_small_c000_ph3000"
    halos = f"small/{name}/halos/z0.500"
    assert box_paths(name, 0.5, cleaned=True) == {
        "ic_density": PurePosixPath(f"ic/small/{name}/ic_dens_N576.asdf"),
        "halo_info": PurePosixPath(f"{halos}/halo_info"),
        "halo_rv": PurePosixPath(f"{halos}/halo_rv_A"),
        "halo_pid": PurePosixPath(f"{halos}/halo_pid_A"),
        "field_rv": PurePosixPath(f"{halos}/field_rv_A"),
        "field_pid": PurePosixPath(f"{halos}/field_pid_A"),
        "cleaned_halo_info": PurePosixPath(f"cleaning/small/{name}/z0.500/cleaned_halo_info"),
    }


def test_paths_of_other_simulations():
    paths = box_paths("AbacusSummit_base_c000_ph000", 1.1, n_ic=1152, small=False)
    assert str(paths["ic_density"]) == "ic/AbacusSummit_base_c000_ph000/ic_dens_N1152.asdf"
    assert str(paths["halo_rv"]) == "AbacusSummit_base_c000_ph000/halos/z1.100/halo_rv_A"
    assert "cleaned_halo_info" not in paths


def test_everything_missing_is_named_at_once(abacus_tree, tmp_path):
    made = abacus_tree.write_tree(tmp_path, ppd=12, n_ic=4, n_files=3)
    files = find_box(**made.find)
    files.ic_density.unlink()
    files.halo_pid[1].unlink()
    files.field_rv[2].unlink()
    with pytest.raises(FileNotFoundError) as caught:
        find_box(**made.find | {"cleaned": True})
    text = str(caught.value)
    assert "no file ic/small/AbacusSummit_small_c000_ph3000/ic_dens_N4.asdf" in text
    assert "z0.500/halo_pid_A/ lacks halo_pid_A_001.asdf\n" in text
    assert "z0.500/field_rv_A/ lacks field_rv_A_002.asdf\n" in text
    assert "cleaned_halo_info/ lacks cleaned_halo_info_000.asdf, cleaned_halo_info_001" in text
    assert "halo_info_002.asdf\n" in text and "Download" in text
    assert "field_pid" not in text


def test_an_empty_place_is_not_a_box(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"lacks field_pid_A_000\.asdf"):
        find_box(tmp_path, "AbacusSummit_small_c000_ph3010", 0.5)


def test_order_is_that_of_numbers(abacus_tree, tmp_path):
    made = abacus_tree.write_tree(tmp_path, ppd=12, n_ic=4, n_halos=12, n_files=12)
    numbers = [int(path.stem[-3:]) for path in find_box(**made.find).halo_rv]
    assert numbers == list(range(12))


# --- what is refused ---


@pytest.mark.parametrize("name", [field.name for field in fields(BoxFiles)])
def test_truncated_files_are_named(broken, name):
    files, _ = broken
    path = getattr(files, name)
    path = path if name == "ic_density" else path[1]
    content = path.read_bytes()
    end_of_data = content.index(b"#ASDF BLOCK INDEX")  # what follows is not needed
    for length in (end_of_data - 5, end_of_data // 2, 0):
        path.write_bytes(content[:length])
        with pytest.raises(OSError, match=rf"{path.name} .*truncated or damaged.*checksums"):
            read_box(files, redshift=0.5, min_halo_particles=35)


@pytest.mark.parametrize("name", ["ic_density", "halo_info", "halo_rv", "field_pid"])
def test_absent_files_are_named(broken, name):
    files, _ = broken
    path = getattr(files, name)
    path = path if name == "ic_density" else path[1]
    path.unlink()
    with pytest.raises(FileNotFoundError, match=rf"{path.name} does not exist. Download"):
        read_box(files, redshift=0.5, min_halo_particles=35)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("ic_density", "density"),
        ("halo_info", "N"),
        ("halo_info", "x_com"),
        ("halo_info", "v_com"),
        ("halo_rv", "rvint"),
        ("field_pid", "packedpid"),
        ("cleaned_halo_info", "N_total"),
    ],
)
def test_missing_columns_are_named(broken, name, column):
    files, edit = broken
    path = getattr(files, name)
    path = path if name == "ic_density" else path[1]
    edit(path, columns={column: None, "other": np.zeros(3)})
    with pytest.raises(ValueError, match=rf"{path.name} lacks the column 'data/{column}' .*other"):
        read_box(files, redshift=0.5, min_halo_particles=35)


def test_a_file_without_a_header_is_named(broken):
    import asdf

    files, _ = broken
    asdf.AsdfFile({"data": {"rvint": np.zeros((3, 3), np.int32)}}).write_to(files.halo_rv[0])
    with pytest.raises(ValueError, match=r"halo_rv_A_000\.asdf lacks 'header' \(it has: "):
        read_box(files, redshift=0.5, min_halo_particles=35)


@pytest.mark.parametrize("key", ["Omega_M", "ParticleMassHMsun", "BoxSize", "VelZSpace_to_kms"])
def test_missing_keys_of_the_header_are_named(broken, key):
    files, edit = broken
    edit(files.halo_info[0], header={key: None})
    with pytest.raises(ValueError, match=rf"header of .*halo_info_000\.asdf lacks {key}"):
        read_box(files, redshift=0.5, min_halo_particles=35)


def test_a_density_without_growth_table_is_named(broken):
    files, edit = broken
    edit(files.ic_density, header={"GrowthTable": None})
    with pytest.raises(ValueError, match=r"ic_dens_N4\.asdf lacks GrowthTable"):
        read_box(files, redshift=0.5, min_halo_particles=35)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("field_rv", "SimName", "AbacusSummit_small_c000_ph3001"),
        ("field_pid", "BoxSize", 500.0),
        ("halo_pid", "ppd", 24.0),
        ("halo_rv", "Redshift", 0.8),
        ("halo_info", "ParticleMassHMsun", 1e9),
        ("cleaned_halo_info", "SimName", "AbacusSummit_small_c000_ph3001"),
        ("ic_density", "SimName", "AbacusSummit_small_c000_ph3001"),
        ("ic_density", "BoxSize", 500.0),
        ("ic_density", "ZD_Seed", 1),
    ],
)
def test_files_of_different_boxes_are_refused(broken, name, key, value):
    files, edit = broken
    path = getattr(files, name)
    path = path if name == "ic_density" else path[1]
    edit(path, header={key: value})
    with pytest.raises(
        ValueError, match=rf"{path.name} has {key} = .*halo_info_000.* of different"
    ):
        read_box(files, redshift=0.5, min_halo_particles=35)


def test_another_redshift_is_refused(tree):
    with pytest.raises(ValueError, match=r"is at redshift 0\.5, but redshift = 0\.8 was asked for"):
        read_box(find_box(**tree.find), redshift=0.8, min_halo_particles=35)


@pytest.mark.parametrize(
    ("one", "other", "column"),
    [
        ("halo_rv", "halo_pid", "packedpid"),
        ("field_rv", "field_pid", "packedpid"),
        ("halo_info", "cleaned_halo_info", "N_total"),
    ],
)
def test_partners_of_different_length_are_named(broken, one, other, column):
    files, edit = broken
    first, second = getattr(files, one)[1], getattr(files, other)[1]
    edit(second, columns={column: read_column(second, column)[:-1]})
    with pytest.raises(ValueError, match=rf"{first.name} has \d+ rows and .*{second.name} has \d+"):
        read_box(files, redshift=0.5, min_halo_particles=35)


def test_unpaired_files_are_refused(broken):
    files, _ = broken
    for name, complaint in (
        ("halo_pid", "2 files of halo_rv and 1 of halo_pid"),
        ("field_rv", "1 files of field_rv and 2 of field_pid"),
        ("cleaned_halo_info", "2 files of halo_info and 1 of cleaned_halo_info"),
    ):
        fewer = replace(files, **{name: getattr(files, name)[:1]})
        with pytest.raises(ValueError, match=complaint):
            read_box(fewer, redshift=0.5, min_halo_particles=35)
    with pytest.raises(ValueError, match="No file of halo_info"):
        read_box(replace(files, halo_info=()), redshift=0.5, min_halo_particles=35)


def test_an_incomplete_subsample_is_refused(broken):
    files, _ = broken
    fewer = replace(files, field_rv=files.field_rv[:1], field_pid=files.field_pid[:1])
    with pytest.raises(ValueError, match=r"hold \d+ particles, but subsample A has about 864"):
        read_box(fewer, redshift=0.5, min_halo_particles=35)
    doubled = replace(files, halo_rv=files.field_rv, halo_pid=files.field_pid)
    with pytest.raises(ValueError, match="each once"):
        read_box(doubled, redshift=0.5, min_halo_particles=35)


def test_an_index_beyond_the_lattice_is_refused(broken):
    files, edit = broken
    packed = read_column(files.field_pid[1], "packedpid").copy()
    packed[5] = 12
    edit(files.field_pid[1], columns={"packedpid": packed})
    with pytest.raises(ValueError, match=r"field_pid_A_001\.asdf has .* index 12, .* only 12 per"):
        read_box(files, redshift=0.5, min_halo_particles=35)


@pytest.mark.parametrize("shape", [(4, 4, 2), (4, 4), (64,)])
def test_a_density_that_is_no_cube_is_refused(broken, shape):
    files, edit = broken
    edit(files.ic_density, columns={"density": np.zeros(shape, np.float32)})
    with pytest.raises(ValueError, match=r"ic_dens_N4\.asdf holds a density of shape"):
        read_box(files, redshift=0.5, min_halo_particles=35)


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("ic_density", "density", np.nan),
        ("halo_info", "x_com", np.inf),
        ("halo_info", "v_com", np.nan),
    ],
)
def test_values_that_are_no_numbers_are_refused_with_their_file(broken, name, column, value):
    files, edit = broken
    path = getattr(files, name)
    path = path if name == "ic_density" else path[1]
    values = read_column(path, column).copy()
    values[0, 1] = value
    edit(path, columns={column: values})
    with pytest.raises(
        ValueError,
        match=rf"{path.name}: of .* '{column}', .* not finite, the first \({value}\) at \[",
    ):
        read_box(files, redshift=0.5, min_halo_particles=1)
