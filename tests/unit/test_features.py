"""lagbias.features.grids: plane waves, a float64 reference and reading at sites."""

import numpy as np
import pytest

from lagbias.features.grids import feature_grids, smoothed_density, values_at_sites

BOX_SIZE = 80.0
N = 16
FUNDAMENTAL = 2 * np.pi / BOX_SIZE
# Rounding of float32 transforms and sums on small grids, in units of the field's scale.
SINGLE_PRECISION = 5e-6


def coordinates(n=N):
    return np.mgrid[:n, :n, :n] * (2 * np.pi / n)


def unnormalised(grids):
    """Undo the normalisation: δ, ∇²δ, G2 as they came out of the transforms."""
    delta = grids.delta.astype(np.float64) * grids.sigma[0]
    lap_delta = grids.lap_delta.astype(np.float64) * grids.sigma[1]
    return delta, lap_delta, grids.g2.astype(np.float64) * grids.sigma[2] + grids.mean[2]


def reference(delta, rf):
    """Nine full complex transforms in float64: G2 = Σ_ij (∂i∂j φ)² - δ²/3 with ∇²φ = δ."""
    n = len(delta)
    index = np.fft.fftfreq(n, 1 / n)
    k = np.stack(np.meshgrid(index, index, index, indexing="ij")) * FUNDAMENTAL
    off_nyquist = np.where(np.abs(k) == n / 2 * FUNDAMENTAL, 0.0, k)
    k_squared = (k**2).sum(axis=0)
    modes = np.fft.fftn(delta) * np.exp(-k_squared * rf**2 / 2)
    safe = np.where(k_squared == 0, 1.0, k_squared)

    def back(values):
        return np.fft.ifftn(values).real

    smoothed = back(modes)
    total = -((smoothed - smoothed.mean()) ** 2) / 3.0
    for i in range(3):
        for j in range(3):
            product = k[i] ** 2 if i == j else off_nyquist[i] * off_nyquist[j]
            total += back(product / safe * modes) ** 2
    return smoothed, back(-k_squared * modes), total


@pytest.mark.parametrize("wavevector", [(1, 0, 0), (0, 3, 0), (0, 0, 2), (2, -1, 3)])
def test_plane_wave(wavevector):
    """Smoothed by W(k), multiplied by -k²; one plane wave has G2 = 2δ²/3, its mean σ²·2/3."""
    rf, amplitude = 4.0, 0.1
    wave = amplitude * np.cos(np.einsum("i,ixyz->xyz", wavevector, coordinates()))
    k_squared = FUNDAMENTAL**2 * np.dot(wavevector, wavevector)
    expected = wave * np.exp(-k_squared * rf**2 / 2)
    grids = feature_grids(wave.astype(np.float32), BOX_SIZE, rf)
    delta, lap_delta, g2 = unnormalised(grids)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(delta, expected, atol=SINGLE_PRECISION * scale)
    np.testing.assert_allclose(
        lap_delta, -k_squared * expected, atol=SINGLE_PRECISION * scale * k_squared
    )
    np.testing.assert_allclose(g2, 2 / 3 * expected**2, atol=SINGLE_PRECISION * scale**2)
    np.testing.assert_allclose(grids.mean[2], 2 / 3 * grids.sigma[0] ** 2, rtol=SINGLE_PRECISION)


@pytest.mark.parametrize("axes", [(0, 1), (1, 2), (2, 0)])
def test_two_orthogonal_waves(axes):
    """A and B along two axes: s = diag(2A - B, 2B - A, -A - B) / 3, G2 = 2 (A² + B² - AB) / 3."""
    x = coordinates()
    a, b = 0.2 * np.cos(x[axes[0]]), 0.3 * np.sin(2 * x[axes[1]])
    _, _, g2 = unnormalised(feature_grids((a + b).astype(np.float32), BOX_SIZE, 0.0))
    np.testing.assert_allclose(g2, 2 / 3 * (a**2 + b**2 - a * b), atol=SINGLE_PRECISION * 0.1)


def test_spherical_symmetry_has_no_tide():
    """At the common crest of equal waves along the three axes the tidal tensor vanishes."""
    field = np.cos(coordinates()).sum(axis=0)
    _, _, g2 = unnormalised(feature_grids(field.astype(np.float32), BOX_SIZE, 0.0))
    assert abs(g2[0, 0, 0]) < 1e-5
    assert g2.max() > 1.0


@pytest.mark.parametrize("n", [8, 11])
@pytest.mark.parametrize("rf", [0.0, 6.0])
def test_float64_reference(n, rf):
    """White noise has power on the Nyquist planes, so their treatment is tested too."""
    delta = np.random.default_rng(n).standard_normal((n, n, n)).astype(np.float32)
    original = delta.copy()
    results = unnormalised(feature_grids(delta, BOX_SIZE, rf))
    for result, expected in zip(results, reference(delta.astype(np.float64), rf), strict=True):
        np.testing.assert_allclose(result, expected, atol=10 * SINGLE_PRECISION * expected.std())
    np.testing.assert_array_equal(delta, original)


def test_normalisation():
    delta = np.random.default_rng(2).standard_normal((N, N, N)).astype(np.float32)
    grids = feature_grids(delta, BOX_SIZE, 3.0, threads=2)
    for field in (grids.delta, grids.lap_delta, grids.g2):
        assert field.dtype == np.float32 and field.shape == (N, N, N)
        assert field.std(dtype=np.float64) == pytest.approx(1.0, abs=1e-6)
    assert grids.g2.mean(dtype=np.float64) == pytest.approx(0.0, abs=1e-6)
    assert grids.mean.dtype == grids.sigma.dtype == np.float64
    # The amplitude, hence the redshift, drops out of the features and stays in sigma.
    double = feature_grids(2 * delta, BOX_SIZE, 3.0)
    np.testing.assert_allclose(double.g2, grids.g2, atol=1e-4)
    np.testing.assert_allclose(double.sigma / grids.sigma, [2, 2, 4], rtol=1e-5)


def test_refuses_bad_input():
    delta = np.random.default_rng(0).standard_normal((8, 8, 8)).astype(np.float32)
    with pytest.raises(ValueError, match="cannot be normalised"):
        feature_grids(np.zeros_like(delta), BOX_SIZE, 1.0)
    delta[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        feature_grids(delta, BOX_SIZE, 1.0)


def test_the_smoothed_density_is_that_of_the_features():
    delta = np.random.default_rng(5).standard_normal((12, 12, 12), dtype=np.float32)
    grids = feature_grids(delta, BOX_SIZE, 3.0)
    smoothed = smoothed_density(delta, BOX_SIZE, 3.0)
    np.testing.assert_array_equal(smoothed / np.float32(grids.sigma[0]), grids.delta)


def test_values_at_sites():
    first = np.arange(64, dtype=np.float32).reshape(4, 4, 4)
    sites = np.array([0, 63, 21, 21], dtype=np.int32)
    values = values_at_sites([first, -first], sites)
    assert values.dtype == np.float32 and values.shape == (4, 2)
    np.testing.assert_array_equal(values, [[0, 0], [63, -63], [21, -21], [21, -21]])
    assert first[1, 1, 1] == 21  # flat index in C order
    assert values_at_sites([first], sites[:0]).shape == (0, 1)


@pytest.mark.parametrize("sites", [[-1, 3], [3, 64]])
def test_refuses_sites_off_the_grid(sites):
    grid = np.zeros((4, 4, 4), np.float32)
    with pytest.raises(ValueError, match="sites run from"):
        values_at_sites([grid], np.array(sites))
