"""A real Abacus simulation, tiny: what is read agrees with abacusutils and with itself.

The data are test data of abacusutils (Mini_N64_L32: 64^3 particles in 32 Mpc/h at z = 0, three
superslabs) with a linear density made from the simulation's own seed. They are not part of this
repository: set LAGBIAS_ABACUS_MINI to the directory that holds Mini_N64_L32, ic and cleaning.
"""

import os
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from lagbias.sources.abacus.paths import find_box
from lagbias.sources.abacus.read import read_box
from lagbias.sources.base import check_contract
from lagbias.sources.diagnosis import check_alignment
from lagbias.sources.large_scales import large_scales

pytestmark = pytest.mark.physics

N_HALOS, N_LARGE_HALOS, N_PARTICLES = 381, 114, 7774  # from the catalogue's own description
L = 32.0
K_MAX = 0.5  # h/Mpc: below it the box has 40 independent modes
# Matter against density, and the same with positions that are only wrapped, measured with other
# code when the density was made. How particles are painted and modes are weighted changes it by a
# few hundredths: TSC on 64^3 cells with all modes alike gives 0.74 and -0.31.
CORRELATION, CORRELATION_UNSHIFTED = 0.76, -0.35
CORRELATION_TOLERANCE = 0.03
# Unrelated fields correlate by 1/sqrt(40) = 0.16 by chance; three times that. The largest that any
# exchange of axes or missing shift gave is 0.37.
LARGEST_WRONG = 0.5


@pytest.fixture(scope="module")
def root(repository) -> Path:
    default = repository.parent / "shared" / "data" / "abacus_mini"
    root = Path(os.environ.get("LAGBIAS_ABACUS_MINI", default))
    if not (root / "Mini_N64_L32").is_dir():
        pytest.skip(f"no Mini_N64_L32 in {root}; set LAGBIAS_ABACUS_MINI to its directory")
    return root


@pytest.fixture(scope="module")
def files(root):
    return find_box(root, "Mini_N64_L32", 0.0, n_ic=64, cleaned=True, small=False)


@pytest.fixture(scope="module")
def box(files):
    raw = replace(files, cleaned_halo_info=())
    return read_box(raw, redshift=0.0, min_halo_particles=35)


def table(paths, *columns):
    """Read columns of several files with abacusutils' own reader."""
    from abacusnbody.data.read_abacus import read_asdf

    parts = [read_asdf(str(path), load=columns, verbose=False) for path in paths]
    return [np.concatenate([part[name] for part in parts]) for name in columns]


def catalogue(root, **options):
    from abacusnbody.data.compaso_halo_catalog import CompaSOHaloCatalog

    return CompaSOHaloCatalog(
        str(root / "Mini_N64_L32" / "halos" / "z0.000"),
        fields=["N", "x_com", "v_com"],
        **options,
    )


def with_positions(box, positions):
    return replace(box, particles=replace(box.particles, position=positions))


def test_the_contract_is_kept(box):
    check_contract(box, unique_sites=True)  # as many nodes as particles, and IDs are distinct
    assert box.attributes["simulation"] == "Mini_N64_L32"
    assert box.attributes["growth"] == 1.0
    assert box.attributes["particle_mass"] == pytest.approx(1.08824e10, rel=1e-5)


def test_counts(box):
    assert len(box.particles.position) == N_PARTICLES
    assert len(box.halos.mass) == N_HALOS
    assert np.count_nonzero(box.halos.particles >= 150) == N_LARGE_HALOS
    assert box.halos.mass[0] == pytest.approx(1.13e14, rel=0.005)


def test_particles_are_those_of_abacusutils(files, box):
    (positions,) = table(files.halo_rv + files.field_rv, "pos")
    (lattice,) = table(files.halo_pid + files.field_pid, "lagr_idx")
    nodes = np.ravel_multi_index(lattice.T.astype(int), (64,) * 3)
    order = np.argsort(nodes, kind="stable")
    np.testing.assert_array_equal(box.particles.lagrangian_site, nodes[order])
    expected = np.mod(positions[order].astype(np.float64) + L / 2, L)
    difference = box.particles.position - expected
    difference -= L * np.round(difference / L)
    assert np.abs(difference).max() < 2e-6  # float32 near 32


@pytest.mark.parametrize("cleaned", [False, True])
def test_halos_are_those_of_abacusutils(root, files, box, cleaned):
    halos = catalogue(root, cleaned=cleaned).halos
    if cleaned:
        box = read_box(files, redshift=0.0, min_halo_particles=35)
    halos = halos[halos["N"] >= 35]
    assert len(box.halos.mass) == len(halos) == N_HALOS - cleaned  # cleaning merges one away
    order = np.argsort(-np.asarray(halos["N"], np.int64), kind="stable")
    np.testing.assert_array_equal(box.halos.particles, halos["N"][order])
    expected = np.mod(np.asarray(halos["x_com"][order], np.float64) + L / 2, L)
    np.testing.assert_allclose(box.halos.position, expected, atol=4e-6)  # float32 near 32
    np.testing.assert_allclose(box.halos.velocity, halos["v_com"][order], rtol=1e-6)


def test_halo_centres_are_where_particles_are(box):
    # A shift of halos against particles would empty the spheres around them. The twenty largest
    # halos have 3 % of at least 600 particles in the sample, nearly all within 1 Mpc/h.
    largest = slice(0, 20)
    inside = 0
    for centre in box.halos.position[largest]:
        offset = box.particles.position - centre
        offset -= L * np.round(offset / L)
        inside += np.count_nonzero(np.sum(offset**2, axis=1) < 1.0)
    expected = 0.03 * box.halos.particles[largest].sum()
    assert 0.5 * expected < inside < 1.5 * expected


def correlation(box):
    """Return the correlation coefficient of matter and linear density below K_MAX."""
    density, particles = box.linear_density, box.particles
    return large_scales(
        particles.position, density.delta, box_size=density.box_size, k_max=K_MAX
    ).correlation


def test_particles_are_near_their_sites(box):
    # rms displacement per axis 2.3, 2.4 and 3.7 Mpc/h, measured from the particles' own lattice
    # positions; unrelated positions would give 32/sqrt(12) = 9.2 per axis, 16 in all.
    assert check_alignment(box).displacement == pytest.approx(4.9, abs=0.2)


def test_matter_follows_the_linear_density(box):
    found = correlation(box)
    assert found == pytest.approx(CORRELATION, abs=CORRELATION_TOLERANCE)


@pytest.mark.parametrize("axes", [axes for axes in permutations(range(3)) if axes != (0, 1, 2)])
def test_other_orders_of_the_axes_do_not(box, axes):
    turned = replace(box.linear_density, delta=box.linear_density.delta.transpose(axes).copy())
    found = correlation(replace(box, linear_density=turned))
    assert found < LARGEST_WRONG


def test_another_origin_does_not(box):
    unshifted = np.mod(box.particles.position - np.float32(L / 2), np.float32(L))
    unshifted[unshifted >= L] = 0
    found = correlation(with_positions(box, unshifted))
    assert found == pytest.approx(CORRELATION_UNSHIFTED, abs=CORRELATION_TOLERANCE)
    for axis in range(3):
        moved = box.particles.position.copy()
        moved[:, axis] = unshifted[:, axis]
        found = correlation(with_positions(box, moved))
        assert found < LARGEST_WRONG
