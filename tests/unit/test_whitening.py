"""lagbias.features.whitening: unit covariance, order, truncation, signs, and precision."""

import numpy as np
import pytest

from lagbias.features import whitening

RADII = (1.41, 2.83, 5.66)
# float32 outputs of unit variance, averaged over the sample that defined the map.
UNIT_COVARIANCE = 1e-5


def correlated_features(n_particles, n_radii, seed=0):
    """Features whose linear and G2 columns have strong correlations of their own."""
    rng = np.random.default_rng(seed)
    theta = np.empty((n_particles, 3 * n_radii))
    theta[:, 2::3] = rng.standard_normal((n_particles, n_radii)).cumsum(axis=1)
    linear = rng.standard_normal((n_particles, 2 * n_radii)).cumsum(axis=1)
    theta[:, 0::3], theta[:, 1::3] = linear[:, :n_radii], linear[:, n_radii:]
    return theta.astype(np.float32)


@pytest.fixture(scope="module")
def theta():
    return correlated_features(20_000, len(RADII))


@pytest.fixture(scope="module")
def fitted(theta):
    return whitening.fit([theta], RADII)


def test_shapes_and_order(fitted):
    assert fitted.eigenvectors.shape == (9, 9) and fitted.eigenvalues.shape == (9,)
    assert fitted.matrix.shape == (7, 9) and fitted.matrix.dtype == np.float64
    np.testing.assert_array_equal(fitted.kept, [0, 1, 2, 3, 6, 7, 8])
    np.testing.assert_array_equal(fitted.smoothing_radii, RADII)
    for block in (fitted.eigenvalues[:6], fitted.eigenvalues[6:]):
        assert np.all(np.diff(block) < 0) and np.all(block > 0)
    np.testing.assert_allclose(fitted.eigenvectors.T @ fitted.eigenvectors, np.eye(9), atol=1e-12)


def test_blocks_are_separate(fitted):
    linear, tidal = [0, 1, 3, 4, 6, 7], [2, 5, 8]
    assert not fitted.eigenvectors[np.ix_(tidal, range(6))].any()
    assert not fitted.eigenvectors[np.ix_(linear, range(6, 9))].any()


def test_transformed_features_have_unit_covariance(theta, fitted):
    inputs = fitted.transform(theta)
    assert inputs.dtype == np.float32 and inputs.shape == (20_000, 7)
    inputs = inputs.astype(np.float64)
    covariance = inputs.T @ inputs / (len(theta) - 1)
    for block in (slice(0, 4), slice(4, 7)):
        size = block.stop - block.start
        np.testing.assert_allclose(covariance[block, block], np.eye(size), atol=UNIT_COVARIANCE)


def test_covariance_is_uncentred(theta):
    """A constant shift is variance: the eigenvalues sum to the mean squares."""
    shifted = theta + np.float32(3.0)
    result = whitening.fit([shifted], RADII)
    mean_squares = (shifted.astype(np.float64) ** 2).sum(axis=0) / (len(theta) - 1)
    assert result.eigenvalues.sum() == pytest.approx(mean_squares.sum(), rel=1e-12)


def test_matrix_is_the_definition(theta, fitted):
    """P Λ^{-1/2} Vᵀ written out, against the transform of a few rows."""
    by_hand = np.array(
        [fitted.eigenvectors[:, m] / np.sqrt(fitted.eigenvalues[m]) for m in fitted.kept]
    )
    np.testing.assert_allclose(fitted.matrix, by_hand, rtol=1e-15)
    np.testing.assert_allclose(
        fitted.transform(theta[:50]),
        theta[:50].astype(np.float64) @ by_hand.T,
        rtol=1e-5,
        atol=1e-6,
    )


def test_signs(theta, fitted):
    leading = np.abs(fitted.eigenvectors).argmax(axis=0)
    clear = np.sort(np.abs(fitted.eigenvectors), axis=0)[-2] < 0.95 * np.abs(
        fitted.eigenvectors
    ).max(axis=0)
    assert clear.sum() > 4
    assert np.all(fitted.eigenvectors[leading, np.arange(9)][clear] > 0)


@pytest.mark.parametrize("imbalance", [-0.005, 0.005])
def test_sign_of_tied_components_is_stable(imbalance):
    """One radius: directions (1, ∓1)/√2; sampling noise must not decide the sign."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((10_000, 3))
    x[:, 1] = (-0.65 * x[:, 0] + 0.76 * x[:, 1]) * (1 + imbalance)
    result = whitening.fit([x.astype(np.float32)], [2.83])
    np.testing.assert_allclose(result.eigenvectors[:2, 0], [0.71, -0.71], atol=0.03)
    np.testing.assert_allclose(result.eigenvectors[:2, 1], [0.71, 0.71], atol=0.03)
    np.testing.assert_array_equal(result.kept, [0, 1, 2])


def test_chunks_make_one_sample(theta, fitted, monkeypatch):
    chunks = whitening.fit((theta[a : a + 777] for a in range(0, len(theta), 777)), RADII)
    np.testing.assert_allclose(chunks.eigenvalues, fitted.eigenvalues, rtol=1e-12)
    np.testing.assert_allclose(chunks.matrix, fitted.matrix, atol=1e-10)
    monkeypatch.setattr(whitening, "_CHUNK_ROWS", 1000)
    np.testing.assert_allclose(
        whitening.fit([theta], RADII).eigenvalues, fitted.eigenvalues, rtol=1e-12
    )
    np.testing.assert_allclose(
        fitted.transform(theta[:2500]),
        np.concatenate([fitted.transform(theta[:1111]), fitted.transform(theta[1111:2500])]),
        rtol=1e-6,
        atol=1e-6,
    )


def test_close_radii_keep_their_precision():
    """Directions with variances down to 1e-6 of the largest still come out with unit variance."""
    rng = np.random.default_rng(4)
    common = rng.standard_normal((50_000, 1))
    theta = (common + 1e-3 * rng.standard_normal((50_000, 6))).astype(np.float32)
    result = whitening.fit([theta], (2.0, 2.1))
    inputs = result.transform(theta).astype(np.float64)
    covariance = inputs[:, :3].T @ inputs[:, :3] / (len(theta) - 1)
    np.testing.assert_allclose(covariance, np.eye(3), atol=UNIT_COVARIANCE)
    # Only the result is rounded: float32 products of entries of 1e3 would be wrong by 1e-4.
    np.testing.assert_allclose(inputs, theta.astype(np.float64) @ result.matrix.T, atol=1e-6)
    assert result.eigenvalues[0] / result.eigenvalues[2] > 1e6


def test_refuses_bad_features(theta, fitted):
    with pytest.raises(ValueError, match="9 columns"):
        whitening.fit([theta[:, :8]], RADII)
    with pytest.raises(ValueError, match="9 columns"):
        fitted.transform(theta[:, :8])
    with pytest.raises(ValueError, match="particles"):
        whitening.fit([theta[:5]], RADII)
    with pytest.raises(ValueError, match="particles"):
        whitening.fit([], RADII)
    equal = np.tile(theta[:, :3], 3)
    with pytest.raises(ValueError, match="two radii equal"):
        whitening.fit([equal], (2.0, 2.0, 2.0))
    broken = theta[:100].copy()
    broken[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        whitening.fit([broken], RADII)
