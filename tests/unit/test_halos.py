"""Halo samples and the mass-weighted halo field."""

import numpy as np
import pytest

from lagbias import halos


def test_limits_are_inclusive():
    particles = np.array([19, 20, 100, 101], np.int32)
    chosen = halos.select(particles, min_particles=20, max_particles=100)
    np.testing.assert_array_equal(chosen, [False, True, True, False])
    np.testing.assert_array_equal(
        halos.select(particles, min_particles=20), [False, True, True, True]
    )


def test_an_empty_sample_is_explained():
    with pytest.raises(ValueError, match=r"between 500 and any number.*largest of 2 has 30"):
        halos.select(np.array([20, 30]), min_particles=500)


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
