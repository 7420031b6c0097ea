"""Halo samples and the mass-weighted halo field."""

import numpy as np
import pytest

from lagbias.grids import halo_field as halos


def test_limits_are_inclusive():
    particles = np.array([19, 20, 100, 101], np.int32)
    mass = particles * 1e10
    chosen = halos.select(particles, mass, min_particles=20, max_particles=100)
    np.testing.assert_array_equal(chosen, [False, True, True, False])
    np.testing.assert_array_equal(
        halos.select(particles, mass, min_particles=20), [False, True, True, True]
    )
    np.testing.assert_array_equal(
        halos.select(particles, mass, min_mass=20e10, max_mass=100e10), chosen
    )
    np.testing.assert_array_equal(
        halos.select(particles, mass, max_mass=19e10), [True, False, False, False]
    )


def test_an_empty_sample_is_explained():
    message = r"None of 2 halos .* min_particles 500 \(the largest has 30 particles and 3e\+11 "
    with pytest.raises(ValueError, match=message):
        halos.select(np.array([20, 30]), np.array([2e11, 3e11]), min_particles=500)


@pytest.mark.parametrize("scheme", ["ngp", "cic"])
def test_mass_over_its_mean(scheme):
    # nodes of a 4^3 grid, where both schemes put all of a halo into one cell
    positions = np.array([[0, 0, 0], [5, 5, 5], [5, 5, 5]], np.float32)
    mass = np.array([1e13, 2e12, 4e12], np.float32)
    field = halos.mass_weighted_overdensity(positions, mass, 20.0, 4, scheme=scheme)
    expected = np.full((4, 4, 4), -1.0)
    expected[0, 0, 0] = 64 * 10 / 16 - 1
    expected[1, 1, 1] = 64 * 6 / 16 - 1
    assert field.dtype == np.float32
    np.testing.assert_allclose(field, expected, rtol=1e-6)
