"""Halo samples, and the weighted halo field."""

import numpy as np
import pytest

from lagbias.artefacts import store
from lagbias.config.sections import HaloSample
from lagbias.grids import halo_field as halos
from lagbias.schema import fields
from lagbias.stages.make_halo_fields import make_halo_fields


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
    field = halos.weighted_overdensity(positions, mass, 20.0, 4, scheme=scheme)
    expected = np.full((4, 4, 4), -1.0)
    expected[0, 0, 0] = 64 * 10 / 16 - 1
    expected[1, 1, 1] = 64 * 6 / 16 - 1
    assert field.dtype == np.float32
    np.testing.assert_allclose(field, expected, rtol=1e-6)


def test_unit_weights_count():
    positions = np.array([[0, 0, 0], [5, 5, 5], [5, 5, 5]], np.float32)
    field = halos.weighted_overdensity(positions, np.ones(3), 20.0, 4, scheme="ngp")
    assert field[0, 0, 0] == pytest.approx(64 / 3 - 1) and field[1, 1, 1] == pytest.approx(
        128 / 3 - 1
    )


def test_shot_noise_is_that_of_the_effective_number():
    assert halos.shot_noise(np.ones(50, np.float32), 10.0) == pytest.approx(1000 / 50)
    assert halos.shot_noise(np.array([3e14, 1e14], np.float32), 10.0) == pytest.approx(625)


@pytest.mark.parametrize("weighting", ["mass", "number"])
def test_the_stage_states_weights_and_shot_noise(box, tmp_path, weighting):
    store.write(tmp_path / "halos.h5", box.halos)
    sample = HaloSample(min_particles=5, weighting=weighting)
    options = {"cell_size": 15.0, "evaluation_grid": 16}
    found = make_halo_fields(tmp_path / "halos.h5", sample=sample, **options)
    fields.check(found)
    weights = box.halos.mass if weighting == "mass" else np.ones(len(box.halos.mass))
    assert found.weighting == weighting and found.n_galaxies == 0
    assert found.shot_noise == pytest.approx(halos.shot_noise(weights, 120.0))
    expected = halos.weighted_overdensity(box.halos.position, weights, 120.0, 8, scheme="ngp")
    np.testing.assert_array_equal(found.training, expected)


def test_the_stage_paints_galaxies(box, tmp_path):
    store.write(tmp_path / "halos.h5", box.halos)
    galaxies = {"log_min_mass": 13.0, "sigma": 0.3, "log_cut_mass": 13.0, "log_mass_1": 14.0}
    sample = {"min_particles": 5, "weighting": "number", "galaxies": galaxies | {"alpha": 1.0}}
    options = {"cell_size": 15.0, "evaluation_grid": 16}
    sample = HaloSample.model_validate(sample)
    found = make_halo_fields(tmp_path / "halos.h5", sample=sample, **options)
    assert found.n_galaxies > found.n_halos == len(box.halos.mass)
    assert found.shot_noise == pytest.approx(120.0**3 / found.n_galaxies)
