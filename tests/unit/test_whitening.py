"""lagbias.features.whitening and inputs: unit covariance, order, truncation, signs, precision."""

import numpy as np
import pytest

from lagbias.features import whitening
from lagbias.features.inputs import input_matrix

RADII = (1.41, 2.83, 5.66)
LINEAR, TIDAL = [0, 1, 3, 4, 6, 7], [2, 5, 8]
# float32 outputs of unit variance, averaged over the sample that defined the map.
UNIT_COVARIANCE = 1e-5


def covariance(inputs):
    inputs = inputs.astype(np.float64)
    return inputs.T @ inputs / (len(inputs) - 1)


@pytest.fixture(scope="module")
def theta():
    """Features whose linear and G2 columns have strong correlations of their own."""
    rng = np.random.default_rng(0)
    theta = np.empty((20_000, 9))
    theta[:, 2::3] = rng.standard_normal((20_000, 3)).cumsum(axis=1)
    linear = rng.standard_normal((20_000, 6)).cumsum(axis=1)
    theta[:, 0::3], theta[:, 1::3] = linear[:, :3], linear[:, 3:]
    return theta.astype(np.float32)


@pytest.fixture(scope="module")
def fitted(theta):
    return whitening.fit([theta], RADII)


def test_directions_are_orthonormal_by_block_and_descending(fitted):
    np.testing.assert_array_equal(fitted.kept, [0, 1, 2, 3, 6, 7, 8])
    np.testing.assert_array_equal(fitted.smoothing_radii, RADII)
    for block in (fitted.eigenvalues[:6], fitted.eigenvalues[6:]):
        assert np.all(np.diff(block) < 0) and np.all(block > 0)
    np.testing.assert_allclose(fitted.eigenvectors.T @ fitted.eigenvectors, np.eye(9), atol=1e-12)
    assert not fitted.eigenvectors[np.ix_(TIDAL, range(6))].any()
    assert not fitted.eigenvectors[np.ix_(LINEAR, range(6, 9))].any()


@pytest.mark.parametrize(
    ("name", "rows", "used"),
    [("full", 7, LINEAR + TIDAL), ("density", 4, LINEAR), ("nested", 7, [0, 1, 3, 6, *TIDAL])],
)
def test_inputs_use_their_features_and_have_unit_covariance(theta, fitted, name, rows, used):
    matrix = input_matrix(name, fitted)
    assert matrix.shape == (rows, 9) and matrix.dtype == np.float64
    np.testing.assert_array_equal(np.flatnonzero(matrix.any(axis=0)), sorted(used))
    inputs = whitening.apply_map(theta, matrix)
    assert inputs.dtype == np.float32
    found = covariance(inputs)
    for block in (slice(0, 4), slice(4, rows)):
        size = len(found[block])
        np.testing.assert_allclose(found[block, block], np.eye(size), atol=UNIT_COVARIANCE)


def test_pc2_takes_the_first_two_components(fitted):
    components = np.arange(63.0).reshape(7, 9)
    np.testing.assert_array_equal(input_matrix("pc2", fitted, components), components[:2])
    with pytest.raises(ValueError, match="need the components"):
        input_matrix("pc2", fitted)
    with pytest.raises(ValueError, match="'pc3'; choose one of full, density, nested, cut, pc2"):
        input_matrix("pc3", fitted)


def test_a_cut_keeps_the_largest_eigenvalues_of_each_block(fitted):
    linear, tidal = fitted.eigenvalues[:6], fitted.eigenvalues[6:]
    for fraction in (0.9, linear[2] / linear[0], tidal[1] / tidal[0], 1e-9):
        kept = np.append(linear > fraction * linear[0], tidal > fraction * tidal[0])
        assert kept[[0, 6]].all()
        expected = fitted.eigenvectors[:, kept] / np.sqrt(fitted.eigenvalues[kept])
        found = input_matrix("cut", fitted, eigenvalue_cut=fraction)
        np.testing.assert_allclose(found, expected.T, rtol=1e-15)
    assert len(found) == 9


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
    np.testing.assert_array_equal(input_matrix("full", fitted), fitted.matrix)
    expected = theta[:50].astype(np.float64) @ by_hand.T
    np.testing.assert_allclose(
        whitening.apply_map(theta[:50], fitted.matrix), expected, rtol=1e-5, atol=1e-6
    )


def test_largest_component_is_positive(fitted):
    size = np.sort(np.abs(fitted.eigenvectors), axis=0)
    clear = size[-2] < 0.95 * size[-1]
    assert clear.sum() > 4
    leading = np.abs(fitted.eigenvectors).argmax(axis=0)
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
    monkeypatch.setattr(whitening, "_CHUNK_ROWS", 1000)
    for result in (chunks, whitening.fit([theta], RADII)):
        np.testing.assert_allclose(result.eigenvalues, fitted.eigenvalues, rtol=1e-12)
        np.testing.assert_allclose(result.matrix, fitted.matrix, atol=1e-10)
    parts = [
        whitening.apply_map(theta[:1111], fitted.matrix),
        whitening.apply_map(theta[1111:2500], fitted.matrix),
    ]
    whole = whitening.apply_map(theta[:2500], fitted.matrix)
    np.testing.assert_allclose(whole, np.concatenate(parts), rtol=1e-6, atol=1e-6)


def test_every_particle_is_fitted_once(theta, fitted, monkeypatch):
    monkeypatch.setattr(whitening, "_PARTICLES_AT_ONCE", 3000)
    result = whitening.fit_particles(lambda rows: theta[rows], len(theta), RADII)
    assert result.n_particles == len(theta)
    np.testing.assert_allclose(result.covariance, fitted.covariance, rtol=1e-12, atol=1e-12)


def test_close_radii_keep_their_precision():
    """Directions with variances down to 1e-6 of the largest still come out with unit variance."""
    rng = np.random.default_rng(4)
    common = rng.standard_normal((50_000, 1))
    theta = (common + 1e-3 * rng.standard_normal((50_000, 6))).astype(np.float32)
    result = whitening.fit([theta], (2.0, 2.1))
    inputs = whitening.apply_map(theta, result.matrix)
    np.testing.assert_allclose(covariance(inputs[:, :3]), np.eye(3), atol=UNIT_COVARIANCE)
    # Only the result is rounded: float32 products of entries of 1e3 would be wrong by 1e-4.
    np.testing.assert_allclose(inputs, theta.astype(np.float64) @ result.matrix.T, atol=1e-6)
    assert result.eigenvalues[0] / result.eigenvalues[2] > 1e6


def test_bad_features_are_refused(theta):
    broken = theta[:100].copy()
    broken[0, 0] = np.nan
    for chunks, message in (
        ([np.tile(theta[:, :3], 3)], "two radii equal"),
        ([broken], "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            whitening.fit(chunks, RADII)
