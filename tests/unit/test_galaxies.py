"""Galaxies in halos: numbers, profile, motions, and the tracers of a sample."""

import numpy as np
import pytest
from scipy import stats

from lagbias.config.sections import HaloSample
from lagbias.simulate.galaxies import Occupation, concentration, populate, virial_radius
from lagbias.sources.base import Halos
from lagbias.stages.tracers import tracers_of

BOX_SIZE = 100.0
OMEGA_M, REDSHIFT = 0.315, 0.5
# The sample of M_r < -20 of Zheng, Coil & Zehavi (2007), Table 1.
FIVE = {
    "log_min_mass": 12.02,
    "sigma": 0.26,
    "log_cut_mass": 11.38,
    "log_mass_1": 13.31,
    "alpha": 1.06,
}
OCCUPATION = Occupation(**FIVE)
# Chance of a wrong alarm, had the seeds not been fixed.
SIGNIFICANCE = 1e-4


def halo_positions(count):
    """Return positions in the middle of the box, float32, (count, 3)."""
    return np.random.default_rng(5).uniform(20, 80, (count, 3)).astype(np.float32)


def populated(position, velocity, mass, seed=0):
    """Populate halos of one mass."""
    return populate(
        OCCUPATION,
        position,
        velocity,
        np.full(len(position), mass, np.float32),
        box_size=BOX_SIZE,
        omega_m=OMEGA_M,
        redshift=REDSHIFT,
        seed=seed,
    )


def galaxies_of(mass, count=20_000):
    """Populate halos in the middle of the box, moving along x."""
    velocity = np.tile(np.array([400.0, 0.0, 0.0], np.float32), (count, 1))
    return populated(halo_positions(count), velocity, mass)


def test_mean_numbers_at_chosen_masses():
    mass = np.array([10**12.02, 10**12.28, 10**11.0, 10**11.38 + 10**13.31])
    # erf(1) = 0.8427; one satellite at M_0 + M_1, where all halos have a central
    np.testing.assert_allclose(OCCUPATION.centrals(mass), [0.5, 0.92135, 0, 1], atol=1e-4)
    np.testing.assert_allclose(OCCUPATION.satellites(mass)[2:], [0, 1], atol=1e-4)


@pytest.mark.parametrize("mass", [10**12.0, 10**13.5])
def test_numbers_are_bernoulli_and_poisson(mass):
    count = 20_000
    found = galaxies_of(mass, count=count)
    satellites = np.bincount(found.halo[found.n_centrals :], minlength=count)
    centrals, mean = OCCUPATION.centrals(mass), OCCUPATION.satellites(mass)
    assert np.bincount(found.halo[: found.n_centrals]).max() == 1
    assert stats.binomtest(found.n_centrals, count, centrals).pvalue > SIGNIFICANCE
    tail = stats.poisson(count * mean).cdf(satellites.sum())
    assert SIGNIFICANCE < tail < 1 - SIGNIFICANCE
    # the index of dispersion of Poisson numbers, times the degrees of freedom, is a χ²
    spread = stats.chi2(count - 1).cdf(satellites.var(ddof=1) / satellites.mean() * (count - 1))
    assert SIGNIFICANCE < spread < 1 - SIGNIFICANCE


def test_satellites_have_the_profile_and_velocities_of_their_halo():
    mass = 10**13.5
    found = galaxies_of(mass)
    position, velocity = (values[found.n_centrals :] for values in (found.position, found.velocity))
    radius = float(virial_radius(mass, omega_m=OMEGA_M, redshift=REDSHIFT))
    c = float(concentration(mass, REDSHIFT))

    def enclosed(distance):
        x = np.clip(distance / radius, 0, 1) * c
        return (np.log1p(x) - x / (1 + x)) / (np.log1p(c) - c / (1 + c))

    centre = halo_positions(20_000)[found.halo[found.n_centrals :]]
    offset = position.astype(np.float64) - centre
    distance = np.linalg.norm(offset, axis=1)
    assert stats.kstest(distance, enclosed).pvalue > SIGNIFICANCE
    cosine = offset[:, 2] / distance
    assert stats.kstest(cosine, stats.uniform(-1, 2).cdf).pvalue > SIGNIFICANCE
    # σ² = G M / 2 R in physical units: 4.30091e-9 · 10^13.5 · 1.5 / 2 R
    sigma = np.sqrt(4.30091e-9 * mass * 1.5 / (2 * radius))
    for axis, mean in enumerate((400.0, 0.0, 0.0)):
        normal = stats.norm(mean, sigma)
        assert stats.kstest(velocity[:, axis], normal.cdf).pvalue > SIGNIFICANCE


def test_centrals_are_at_rest_in_the_centre():
    found = galaxies_of(10**13.5, count=10)
    assert found.n_centrals == 10
    np.testing.assert_array_equal(found.position[:10], halo_positions(10))
    np.testing.assert_array_equal(found.velocity[:10], np.tile([400.0, 0, 0], (10, 1)))


def test_radius_and_concentration_are_those_of_the_definitions():
    # 200 · 2.77537e11 · E² / 1.5³ with E² = 0.315 · 1.5³ + 0.685
    radius = virial_radius(np.array([1e14]), omega_m=OMEGA_M, redshift=REDSHIFT)
    np.testing.assert_allclose(4 / 3 * np.pi * radius**3 * 2.87504e13, 1e14, rtol=1e-4)
    # Dutton & Macciò (2014): log c = 0.905 - 0.101 log(M / 1e12 Msun/h) today
    np.testing.assert_allclose(concentration([1e12, 1e13], 0.0), [8.035, 6.368], rtol=1e-3)


def test_satellites_stay_in_the_box_and_seeds_repeat():
    corner = np.random.default_rng(6).uniform(0, 0.5, (2000, 3)).astype(np.float32)

    def draw(seed):
        return populated(corner, corner, 1e14, seed)

    first, again, other = draw(1), draw(1), draw(2)
    assert first.position.dtype == first.velocity.dtype == np.float32
    assert np.all((first.position >= 0) & (first.position < BOX_SIZE))
    assert (first.position > 99).any(), "none left through the corner"
    np.testing.assert_array_equal(first.position, again.position)
    np.testing.assert_array_equal(first.velocity, again.velocity)
    assert len(other.position) != len(first.position)


def test_halos_keep_their_galaxies_when_others_are_missing_or_rounded():
    position = halo_positions(3000)

    def draw(position):
        found = populated(position, position, 10**13.5)
        return found.position[found.halo.argsort(kind="stable")], found.halo

    every, halo = draw(position)
    without, _ = draw(position[1:])
    np.testing.assert_array_equal(every[np.sort(halo) > 0], without)
    # at most 10 of 3000 halos cross a border between cells of 0.05 Mpc/h
    _, halo_of_moved = draw(position + np.float32(1e-5))
    numbers = (np.bincount(each, minlength=3000) for each in (halo, halo_of_moved))
    assert np.count_nonzero(np.subtract(*numbers)) <= 10


@pytest.fixture
def halos():
    rng = np.random.default_rng(3)
    mass = np.sort(10 ** rng.uniform(11, 14, 3000))[::-1].astype(np.float32)
    return Halos(
        position=rng.uniform(0, BOX_SIZE, (3000, 3)).astype(np.float32),
        mass=mass,
        particles=np.full(3000, 20, np.int32),
        velocity=rng.normal(0, 300, (3000, 3)).astype(np.float32),
        attributes={"box_size": BOX_SIZE, "omega_m": OMEGA_M, "redshift": REDSHIFT},
    )


def test_tracers_are_halos_with_mass_or_number_weights(halos):
    chosen = halos.mass >= 1e12
    by_mass = tracers_of(halos, HaloSample(min_mass=1e12))
    by_number = tracers_of(halos, HaloSample(min_mass=1e12, weighting="number"))
    np.testing.assert_array_equal(by_mass.weights, halos.mass[chosen])
    np.testing.assert_array_equal(by_number.weights, np.ones(chosen.sum()))
    for tracers in (by_mass, by_number):
        np.testing.assert_array_equal(tracers.position, halos.position[chosen])
        np.testing.assert_array_equal(tracers.velocity, halos.velocity[chosen])


def test_tracers_are_galaxies_if_the_sample_has_them(halos):
    sample = {"min_mass": 1e12, "weighting": "number"}
    first, again, other = (
        tracers_of(halos, HaloSample.model_validate(sample | {"galaxies": FIVE | {"seed": seed}}))
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.position, again.position)
    assert not np.array_equal(first.position, other.position)
    np.testing.assert_array_equal(first.weights, np.ones(len(first.position)))
    np.testing.assert_array_equal(first.halo_mass, halos.mass[halos.mass >= 1e12])
    none = HaloSample.model_validate(sample | {"galaxies": FIVE | {"log_min_mass": 20.0}})
    with pytest.raises(ValueError, match="Lower log_min_mass = 20"):
        tracers_of(halos, none)
