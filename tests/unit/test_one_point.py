"""One-point distributions: smoothing, densities, moments and distances."""

import numpy as np
import pytest
from scipy import stats

from lagbias.grids.fourier import RealFFT
from lagbias.grids.one_point import density, kolmogorov_smirnov, moments, smooth, wasserstein

BOX_SIZE = 200.0
# Rounding of float32 fields, relative.
SINGLE_PRECISION = 1e-5
# Moments of 1e6 Gaussian values: four times √(2/n), √(6/n) and √(24/n).
SAMPLING = 4 * np.sqrt(np.array([2.0, 6.0, 24.0]) / 1e6)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LAGBIAS_CACHE_DIR", str(tmp_path))


def sample(size=1000, seed=0):
    return np.sort(np.random.default_rng(seed).standard_normal(size).astype(np.float32))


@pytest.mark.parametrize("radius", [5.0, 10.0])
def test_variance_is_the_integral_of_power_times_window_squared(radius):
    """σ² = Σ P(k) W²(k) / V over all modes, with the power that each mode of the field has."""
    n, fft = 32, RealFFT(32)
    field = np.random.default_rng(2).standard_normal((n, n, n)).astype(np.float32)
    field -= field.mean()
    modes = fft.forward(field)
    kept = modes.copy()
    found = moments(smooth(modes, BOX_SIZE, radius, fft))[0]
    np.testing.assert_array_equal(modes, kept)
    k = np.fft.fftfreq(n, BOX_SIZE / n / (2 * np.pi))
    k_squared = k[:, None, None] ** 2 + k[:, None] ** 2 + k**2
    power = np.abs(np.fft.fftn(field)) ** 2 * BOX_SIZE**3 / n**6
    expected = (power * np.exp(-k_squared * radius**2)).sum() / BOX_SIZE**3
    assert found == pytest.approx(expected, rel=SINGLE_PRECISION)


def test_density_is_that_of_a_histogram():
    values, edges = sample(), np.array([-1.0, -0.25, 0.0, 2.0])
    expected = np.histogram(values, edges)[0] / 1000 / np.diff(edges)
    found = density(values, edges)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    inside = np.mean((values >= -1) & (values < 2))
    assert inside < 0.9 and np.sum(found * np.diff(edges)) == pytest.approx(inside)
    # a value at an edge is in the bin above it
    assert (
        density(np.array([0.0, 1.0], np.float32), np.array([0.0, 1.0, 2.0])).tolist() == [0.5] * 2
    )


def test_density_refuses_edges_that_do_not_ascend():
    with pytest.raises(ValueError, match="ascending"):
        density(sample(), np.array([0.0, 1.0, 1.0]))


def test_moments_of_known_distributions():
    rng = np.random.default_rng(4)
    gaussian = moments(rng.standard_normal((100, 100, 100)).astype(np.float32))
    assert np.all(np.abs(gaussian - [1.0, 0.0, 0.0]) < SAMPLING)
    # two values, a with probability 1/4 and b otherwise: cumulants by hand
    spike = np.tile(np.array([3.0, -1.0, -1.0, -1.0], np.float32), 16)
    # ⟨δ²⟩ = 3, ⟨δ³⟩ = 6, ⟨δ⁴⟩ = 21
    expected = [3.0, 6 / 3**2, (21 - 3 * 3**2) / 3**3]
    np.testing.assert_allclose(moments(spike), expected, rtol=1e-12)
    np.testing.assert_allclose(moments(spike + np.float32(5.0)), expected, rtol=1e-12)


def test_distances_of_shifted_and_scaled_values():
    values = sample()
    assert wasserstein(values, values) == kolmogorov_smirnov(values, values) == 0.0
    assert wasserstein(values, values + np.float32(0.5)) == pytest.approx(0.5, rel=1e-6)
    expected = 2 * np.abs(values).mean()
    assert wasserstein(values, np.float32(3) * values) == pytest.approx(expected, rel=1e-6)
    assert kolmogorov_smirnov(values, values + np.float32(100)) == 1.0
    # a quarter of the values is moved beyond all others
    moved = np.sort(np.where(np.arange(1000) < 250, np.float32(100), values))
    assert kolmogorov_smirnov(values, moved) == kolmogorov_smirnov(moved, values) == 0.25


@pytest.mark.parametrize("digits", [6, 1])
def test_distances_are_those_of_scipy(digits):
    """With one digit, many values are equal."""
    a, b = (np.round(sample(700, seed), digits) for seed in (1, 2))
    b = np.float32(1.2) * b
    assert wasserstein(a, b) == pytest.approx(stats.wasserstein_distance(a, b), rel=1e-5)
    assert kolmogorov_smirnov(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic, rel=1e-12)


@pytest.mark.parametrize("distance", [wasserstein, kolmogorov_smirnov])
def test_distances_need_equal_sizes(distance):
    with pytest.raises(ValueError, match="shapes"):
        distance(sample(10), sample(11))
