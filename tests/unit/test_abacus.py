"""Reading AbacusSummit's files: values, units, conventions, and the errors of wrong files."""

import tracemalloc
from dataclasses import replace
from fractions import Fraction
from itertools import permutations
from math import floor
from pathlib import PurePosixPath

import asdf
import numpy as np
import pytest

from lagbias.sources.abacus import read as abacus
from lagbias.sources.abacus.asdf_files import read_column
from lagbias.sources.abacus.headers import growth_at
from lagbias.sources.abacus.paths import box_paths, find_box
from lagbias.sources.abacus.read import lagrangian_nodes, read_box
from lagbias.sources.base import check_contract
from lagbias.sources.diagnosis import check_alignment
from lagbias.sources.large_scales import large_scales

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
    """One small box, one file per product."""
    return abacus_tree.write_tree(tmp_path_factory.mktemp("abacus"))


@pytest.fixture(scope="module")
def box(tree):
    return read_box(find_box(**tree.find), redshift=0.5, min_halo_particles=MIN_PARTICLES)


@pytest.fixture
def broken(abacus_tree, tmp_path):
    """A tiny box in two files per product, and a function that edits a file."""
    made = abacus_tree.write_tree(
        tmp_path, ppd=12, n_ic=4, subsample=0.5, n_halos=10, n_files=2, cleaned=True
    )
    return find_box(**made.find), abacus_tree.edit


def read(files):
    return read_box(files, redshift=0.5, min_halo_particles=1)


def one_of(files, name):
    """Return the density, or the second file of a product."""
    return files.ic_density if name == "ic_density" else getattr(files, name)[1]


def expected_nodes(lattice, ppd, n_grid):
    """Round in exact arithmetic, halves up."""
    table = [floor(Fraction(i * n_grid, ppd) + Fraction(1, 2)) % n_grid for i in range(ppd)]
    return np.array(table)[lattice]


def distance(a, b, box_size):
    """Return the largest periodic distance along an axis."""
    difference = np.asarray(a, np.float64) - b
    return np.abs(difference - box_size * np.round(difference / box_size)).max()


def test_particles_are_shifted_and_sorted_by_their_nearest_node(tree, box):
    check_contract(box)
    check_alignment(box)
    nodes = expected_nodes(tree.lattice, 48, 16)
    flat = np.ravel_multi_index(nodes.T, (16,) * 3)
    order = np.argsort(flat, kind="stable")
    np.testing.assert_array_equal(box.particles.lagrangian_site, flat[order])
    expected = tree.positions[order] + 60.0
    assert distance(box.particles.position, expected, 120.0) < POSITION_TOLERANCE * 120.0
    np.testing.assert_array_equal(box.particles.velocity, tree.moving[order].astype(np.float32))
    # the last lattice point is nearest to the first node, one box further on
    assert tuple(tree.lattice[1]) == (47, 47, 47) and flat[1] == 0


def test_attributes_come_from_the_headers(tree, box):
    assert box.attributes == {
        "source": "abacus",
        "simulation": "AbacusSummit_small_c000_ph3000",
        "box_size": 120.0,
        "n_grid": 16,
        "redshift": 0.5,
        "growth": pytest.approx(59.9115 / 77.8654, rel=1e-12),
        "omega_m": 0.315192,
        "particle_mass": tree.header["ParticleMassHMsun"],
        "particles_per_side": 48,
        "initial_redshift": 99.0,
        "cleaned": False,
        "n_files": 6,
        "min_halo_particles": MIN_PARTICLES,
        "kept_fraction": 1.0,
    }


def test_density_is_scaled_by_the_growth_ratio(tree, box):
    np.testing.assert_allclose(
        box.linear_density.delta, 59.9115 * tree.density, rtol=FLOAT32_TOLERANCE
    )


def test_halos_are_selected_converted_and_sorted(tree, box):
    chosen = np.flatnonzero(tree.n >= MIN_PARTICLES)
    order = chosen[np.argsort(-tree.n[chosen].astype(int), kind="stable")]
    assert 0 < len(chosen) < len(tree.n)
    np.testing.assert_array_equal(box.halos.particles, tree.n[order])
    mass = tree.n[order] * tree.header["ParticleMassHMsun"]
    np.testing.assert_array_equal(box.halos.mass, mass.astype(np.float32))
    assert distance(box.halos.position, tree.centres[order] + 60.0, 120.0) < 120.0 * 5e-7
    np.testing.assert_allclose(
        box.halos.velocity, tree.velocities[order], rtol=FLOAT32_TOLERANCE, atol=0.0
    )


def test_the_minimum_number_of_particles_is_inclusive_and_may_leave_no_halo(tree):
    limit = int(np.sort(tree.n)[len(tree.n) // 2])
    files = find_box(**tree.find)
    assert read_box(files, redshift=0.5, min_halo_particles=limit).halos.particles[-1] == limit
    empty = read_box(files, redshift=0.5, min_halo_particles=10**6)
    check_contract(empty)
    assert empty.halos.position.shape == (0, 3)


def test_small_chunks_and_many_files_change_nothing(abacus_tree, box, tmp_path, monkeypatch):
    monkeypatch.setattr(abacus, "_CHUNK", 1000)
    made = abacus_tree.write_tree(tmp_path, n_files=3)
    again = read_box(find_box(**made.find), redshift=0.5, min_halo_particles=MIN_PARTICLES)
    np.testing.assert_array_equal(again.halos.position, box.halos.position)
    np.testing.assert_array_equal(again.particles.position, box.particles.position)
    np.testing.assert_array_equal(again.particles.lagrangian_site, box.particles.lagrangian_site)


def test_peak_memory_is_the_result_and_one_vector_once_more(
    abacus_tree, box, tmp_path, monkeypatch
):
    monkeypatch.setattr(abacus, "_CHUNK", 1000)
    made = abacus_tree.write_tree(tmp_path, ppd=96, subsample=0.9)  # 0.8 million particles
    files = find_box(**made.find)  # `box` made sure that everything is compiled
    tracemalloc.start()
    large = read_box(files, redshift=0.5, min_halo_particles=MIN_PARTICLES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    count = len(large.particles.position)
    while_sorting = 4 * count + 3 * 12 * count
    rest = 1.5e6  # headers, compressed data in transit, chunks of 1000 particles
    assert rest < 4 * count / 2  # so that one more array of particles would be noticed
    assert peak < while_sorting + large.linear_density.delta.nbytes + rest


@pytest.mark.parametrize(
    ("ppd", "n_grid"), [(1728, 576), (6912, 1152), (64, 64), (10, 4), (8, 4), (6, 4), (4, 8)]
)
def test_nodes_are_rounded_exactly_and_halves_up(ppd, n_grid):
    nodes = lagrangian_nodes(ppd, n_grid)
    assert nodes.dtype == np.int32
    np.testing.assert_array_equal(nodes, expected_nodes(np.arange(ppd), ppd, n_grid))


def test_large_lattices_do_not_overflow(abacus_tree, tmp_path, monkeypatch):
    # 16 bits hold an index of 1727 but not its product with 576
    lattice = np.array([[0, 1, 2], [1727, 1726, 1725], [57, 1000, 1724], [864, 863, 862]] * 8)
    monkeypatch.setattr(abacus_tree, "chosen_lattice", lambda *_: lattice)
    made = abacus_tree.write_tree(tmp_path, ppd=1728, n_ic=16)
    expected = np.ravel_multi_index(expected_nodes(lattice, 1728, 16).T, (16,) * 3)
    found = read(find_box(**made.find)).particles.lagrangian_site
    np.testing.assert_array_equal(found, np.sort(expected))


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
    box = read(files)
    kept = np.flatnonzero(made.n_total > 0)
    assert len(kept) == 30 and len(made.n) == 40  # ten were merged away
    order = kept[np.argsort(-made.n_total[kept].astype(int), kind="stable")]
    np.testing.assert_array_equal(box.halos.particles, made.n_total[order])
    assert distance(box.halos.position, made.centres[order] + 60.0, 120.0) < 120.0 * 5e-7
    assert box.attributes["cleaned"] is True
    check_contract(box)
    raw = read(replace(files, cleaned_halo_info=()))
    assert len(raw.halos.mass) == 40 and raw.attributes["cleaned"] is False


def correlation(box):
    """Return the correlation coefficient of matter and linear density below K_MAX."""
    density, particles = box.linear_density, box.particles
    return large_scales(
        particles.position, density.delta, box_size=density.box_size, k_max=K_MAX
    ).correlation


def test_the_order_of_the_axes_and_the_origin_matter(box):
    assert correlation(box) > SMALLEST_RIGHT
    delta, position = box.linear_density.delta, box.particles.position
    for axes in [axes for axes in permutations(range(3)) if axes != (0, 1, 2)]:
        turned = replace(box.linear_density, delta=delta.transpose(axes).copy())
        wrong = replace(box, linear_density=turned)
        assert correlation(wrong) < LARGEST_WRONG, axes
    for axes in ([0], [1], [2], [0, 1, 2]):
        unshifted = position.copy()
        unshifted[:, axes] = (unshifted[:, axes] + np.float32(60)) % np.float32(120)
        wrong = replace(box, particles=replace(box.particles, position=unshifted))
        assert correlation(wrong) < LARGEST_WRONG, axes


def test_a_share_of_the_particles_is_read(abacus_tree, tmp_path):
    files = find_box(**abacus_tree.write_tree(tmp_path, n_files=2).find)
    whole = read_box(files, redshift=0.5, min_halo_particles=1).particles
    some, again = (
        read_box(files, redshift=0.5, min_halo_particles=1, kept_fraction=0.25) for _ in range(2)
    )
    check_contract(some)
    assert some.attributes["kept_fraction"] == 0.25
    kept = some.particles
    np.testing.assert_array_equal(kept.position, again.particles.position)
    # rows are whole: sites, positions and velocities of the same particles
    rows = {row.tobytes(): i for i, row in enumerate(whole.position)}
    found = np.array([rows[row.tobytes()] for row in kept.position])
    assert len(set(found)) == len(found)
    np.testing.assert_array_equal(kept.lagrangian_site, whole.lagrangian_site[found])
    np.testing.assert_array_equal(kept.velocity, whole.velocity[found])
    n = len(whole.position)
    assert abs(len(found) - 0.25 * n) < 5 * np.sqrt(n * 0.25 * 0.75)  # five standard deviations
    assert abs(np.mean(found) / n - 0.5) < 5 / np.sqrt(12 * len(found))


def test_growth_is_found_by_number_or_text():
    table = {"0.0": "77.865", 0.5: 59.911, "99.0": 1.0}
    assert growth_at(table, 0.5, "ic.asdf") == 59.911
    assert growth_at(table, 0.0, "ic.asdf") == 77.865
    with pytest.raises(ValueError, match=r"ic\.asdf has no entry for redshift 0\.7 \(it has: 0,"):
        growth_at(table, 0.7, "ic.asdf")
    with pytest.raises(ValueError, match=r"ic\.asdf is not a table of numbers"):
        growth_at({"0.5": "x"}, 0.5, "ic.asdf")


def test_the_normalisation_of_the_growth_table_does_not_matter(broken):
    files, edit = broken
    before = read(files)
    table = {str(z): d / 77.8654 for z, d in {0.0: 77.8654, 0.5: 59.9115, 99.0: 1.0}.items()}
    edit(files.ic_density, header={"GrowthTable": table})
    after = read(files)
    np.testing.assert_allclose(after.linear_density.delta, before.linear_density.delta, rtol=1e-6)
    assert after.attributes["growth"] == pytest.approx(before.attributes["growth"], rel=1e-12)


# --- paths ---


def test_paths_in_the_collection():
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
    paths = box_paths("AbacusSummit_base_c000_ph000", 1.1, n_ic=1152, small=False)
    assert str(paths["ic_density"]) == "ic/AbacusSummit_base_c000_ph000/ic_dens_N1152.asdf"
    assert str(paths["halo_rv"]) == "AbacusSummit_base_c000_ph000/halos/z1.100/halo_rv_A"
    assert "cleaned_halo_info" not in paths


def test_all_missing_files_are_named(abacus_tree, tmp_path):
    made = abacus_tree.write_tree(tmp_path, ppd=12, n_ic=4, n_files=3)
    files = find_box(**made.find)
    assert [path.name for path in files.halo_rv] == [f"halo_rv_A_{n:03d}.asdf" for n in range(3)]
    for path in (files.ic_density, files.halo_pid[1], files.field_rv[2]):
        path.unlink()
    with pytest.raises(FileNotFoundError) as caught:
        find_box(**made.find | {"cleaned": True})
    text = str(caught.value)
    assert "no file ic/small/AbacusSummit_small_c000_ph3000/ic_dens_N4.asdf" in text
    assert "z0.500/halo_pid_A/ lacks halo_pid_A_001.asdf\n" in text
    assert "z0.500/field_rv_A/ lacks field_rv_A_002.asdf\n" in text
    assert "cleaned_halo_info/ lacks cleaned_halo_info_000.asdf, cleaned_halo_info_001" in text
    assert "field_pid" not in text
    with pytest.raises(FileNotFoundError, match=r"lacks field_pid_A_000\.asdf"):
        find_box(tmp_path / "empty", "AbacusSummit_small_c000_ph3010", 0.5)


# --- wrong files ---


@pytest.mark.parametrize("name", ["ic_density", "halo_info", "halo_rv", "field_pid"])
def test_truncated_and_absent_files_are_named(broken, name):
    files, _ = broken
    path = one_of(files, name)
    content = path.read_bytes()
    end_of_data = content.index(b"#ASDF BLOCK INDEX")  # what follows is not needed
    for length in (end_of_data - 5, end_of_data // 2, 0):
        path.write_bytes(content[:length])
        with pytest.raises(OSError, match=rf"{path.name} .*truncated or damaged.*checksums"):
            read(files)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=rf"{path.name} does not exist. Download"):
        read(files)


def different(name, key, value):
    return name, {"header": {key: value}}, rf" has {key} = .*halo_info_000.* of different"


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        different("field_rv", "SimName", "AbacusSummit_small_c000_ph3001"),
        different("field_pid", "BoxSize", 500.0),
        different("halo_pid", "ppd", 24.0),
        different("halo_rv", "Redshift", 0.8),
        different("halo_info", "ParticleMassHMsun", 1e9),
        different("cleaned_halo_info", "SimName", "AbacusSummit_small_c000_ph3001"),
        different("ic_density", "BoxSize", 500.0),
        different("ic_density", "ZD_Seed", 1),
        ("ic_density", {"header": {"GrowthTable": None}}, " has no valid GrowthTable"),
        ("halo_info", {"header": {"NP": None, "BoxSize": "text"}}, " has no valid BoxSize, NP"),
        ("ic_density", {"columns": {"density": None}}, r" lacks the column 'data/density' .*has: "),
        ("cleaned_halo_info", {"columns": {"N_total": None, "x": np.zeros(3)}}, " lacks .*: x"),
        ("halo_info", {"columns": {"x_com": None}}, " lacks the column 'data/x_com'"),
        ("ic_density", {"columns": {"density": np.zeros((4, 4, 2))}}, " holds a density of shape"),
        ("ic_density", {"columns": {"density": np.zeros(64)}}, " holds a density of shape"),
        (
            "ic_density",
            {"columns": {"density": np.full((4, 4, 4), np.nan)}},
            r", .*'density': .* not finite, the first \(nan\) at \[0, 0, 0",
        ),
        (
            "halo_info",
            {"columns": {"x_com": np.full((5, 3), np.inf)}},
            r", .*'x_com': .* not finite, the first \(inf\) at \[0, 0",
        ),
    ],
)
def test_wrong_files_are_named(broken, name, changes, message):
    files, edit = broken
    path = one_of(files, name)
    edit(path, **changes)
    with pytest.raises(ValueError, match=rf"{path.name}{message}"):
        read(files)


def test_files_of_another_kind_are_named(broken):
    files, _ = broken
    asdf.AsdfFile({"data": {"N": np.zeros(3, np.int32)}}).write_to(files.halo_info[0])
    with pytest.raises(ValueError, match=r"halo_info_000\.asdf lacks 'header' \(it has: "):
        read(files)


@pytest.mark.timeout(60)
def test_a_block_that_claims_to_be_longer_than_its_file_is_damaged(broken):
    files, _ = broken
    content = bytearray(files.halo_rv[1].read_bytes())
    content[content.index(b"\xd3BLK") + 22] = 0x40  # most significant byte of the used size
    files.halo_rv[1].write_bytes(content)
    with pytest.raises(OSError, match=r"halo_rv_A_001\.asdf .*damaged .*longer than the file"):
        read(files)


def test_another_redshift_is_refused(tree):
    with pytest.raises(ValueError, match=r"has redshift 0\.5, but redshift 0\.8 is wanted"):
        read_box(find_box(**tree.find), redshift=0.8, min_halo_particles=35)


@pytest.mark.parametrize(
    ("one", "other", "column"),
    [("halo_rv", "halo_pid", "packedpid"), ("halo_info", "cleaned_halo_info", "N_total")],
)
def test_partners_of_different_length_are_named(broken, one, other, column):
    files, edit = broken
    first, second = getattr(files, one)[1], getattr(files, other)[1]
    edit(second, columns={column: read_column(second, column)[:-1]})
    with pytest.raises(ValueError, match=rf"{first.name} has \d+ rows and .*{second.name} has \d+"):
        read(files)


def test_an_incomplete_or_doubled_subsample_is_refused(broken):
    files, _ = broken
    fewer = replace(files, field_rv=files.field_rv[:1], field_pid=files.field_pid[:1])
    with pytest.raises(ValueError, match=r"hold \d+ particles, but subsample A has about 864"):
        read(fewer)
    with pytest.raises(ValueError, match="each once"):
        read(replace(files, halo_rv=files.field_rv, halo_pid=files.field_pid))


def test_an_index_beyond_the_lattice_is_refused(broken):
    files, edit = broken
    packed = read_column(files.field_pid[1], "packedpid").copy()
    packed[5] = 12
    edit(files.field_pid[1], columns={"packedpid": packed})
    with pytest.raises(ValueError, match=r"field_pid_A_001\.asdf has .* index 12, .* 12 points"):
        read(files)
