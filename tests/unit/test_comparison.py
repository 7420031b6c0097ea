"""Comparison of a model field with the halos: derived quantities and known models."""

import numpy as np
import pytest

from lagbias.artefacts import store
from lagbias.bias.comparison import Comparison, compare_fields
from lagbias.grids.bispectrum import bispectrum
from lagbias.grids.power import auto_power, mode_weighted_mean
from lagbias.schema import fields

BOX_SIZE, N = 200.0, 24
EDGES = np.linspace(-2.0, 2.0, 21)
# Rounding of float32 fields and transforms, relative.
SINGLE_PRECISION = 1e-4


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LAGBIAS_CACHE_DIR", str(tmp_path))


def skewed(seed=0):
    """An overdensity with skewness, float32."""
    field = np.exp(np.random.default_rng(seed).standard_normal((N, N, N)))
    return (field / field.mean() - 1).astype(np.float32)


def compare(model, halos):
    return compare_fields(
        model,
        halos,
        box_size=BOX_SIZE,
        shot_noise=100.0,
        smoothing_radii=(5.0, 10.0),
        delta_edges=EDGES,
        shell_width=2,
        k_max=0.2,
    )


def test_multiple_of_the_halos():
    halos = skewed()
    found = compare(np.float32(0.5) * halos, halos)
    fields.check(found)
    close = {"rtol": SINGLE_PRECISION}
    np.testing.assert_allclose(found.ratio, 0.25, **close)
    np.testing.assert_allclose(found.cross_ratio, 0.5, **close)
    np.testing.assert_allclose(found.correlation, 1.0, **close)
    np.testing.assert_allclose(found.uncorrelated, 0.0, atol=SINGLE_PRECISION)
    np.testing.assert_allclose(found.error_power, 0.25 * found.halo_power, **close)
    np.testing.assert_allclose(found.model_bispectrum, found.halo_bispectrum / 8, **close)
    np.testing.assert_allclose(
        found.model_reduced_bispectrum, 2 * found.halo_reduced_bispectrum, **close
    )
    variance, skewness, kurtosis = found.halo_moments.T
    scaled = np.transpose([variance / 4, skewness * 2, kurtosis * 4])
    np.testing.assert_allclose(found.model_moments, scaled, **close)
    assert np.all(found.wasserstein > 0) and np.all(found.kolmogorov_smirnov > 0)


def test_the_halos_themselves():
    found = compare(skewed(), skewed())
    assert np.all(found.error_power == 0) and np.all(found.wasserstein == 0)
    assert np.all(found.kolmogorov_smirnov == 0)
    np.testing.assert_array_equal(found.model_density, found.halo_density)
    np.testing.assert_array_equal(found.model_bispectrum, found.halo_bispectrum)


def test_parts_are_those_of_each_field():
    model, halos = skewed(1), skewed(2)
    found = compare(model, halos)
    modes = {"model": np.fft.rfftn(model), "halo": np.fft.rfftn(halos)}
    for name, of_one in modes.items():
        of_one = of_one.astype(np.complex64)
        power = auto_power(of_one, BOX_SIZE)
        np.testing.assert_allclose(
            getattr(found, f"{name}_power"), power.power, rtol=SINGLE_PRECISION
        )
        expected = bispectrum(of_one, BOX_SIZE, width=2, k_max=0.2)
        np.testing.assert_array_equal(found.triangles, expected.triangles)
        scale = np.abs(expected.values).max()
        np.testing.assert_allclose(
            getattr(found, f"{name}_bispectrum"), expected.values, atol=SINGLE_PRECISION * scale
        )
    difference = auto_power((modes["model"] - modes["halo"]).astype(np.complex64), BOX_SIZE)
    np.testing.assert_allclose(found.error_power, difference.power, rtol=SINGLE_PRECISION)
    np.testing.assert_allclose(found.uncorrelated, found.ratio - found.cross_ratio**2)
    assert found.mean(found.ratio) == mode_weighted_mean(found.ratio, found.k, found.n_modes)
    assert found.mean(found.ratio, 0.2) != found.mean(found.ratio)
    assert found.model_density.shape == (2, len(EDGES) - 1)
    assert np.all(np.diff(found.halo_moments[:, 0]) < 0)  # of increasing radii
    assert found.shot_noise == 100.0 and found.n_grid == N and found.box_size == BOX_SIZE


def test_is_stored_and_read(tmp_path):
    found = compare(skewed(1), skewed(2))
    store.write(tmp_path / "comparison.h5", found)
    back = store.read(tmp_path / "comparison.h5", Comparison)
    for name, values, _ in fields.datasets(found):
        np.testing.assert_array_equal(getattr(back, name), values, err_msg=name)


def test_fields_of_other_size_are_refused():
    with pytest.raises(ValueError, match="shape"):
        compare(skewed()[:12, :12, :12], skewed())
