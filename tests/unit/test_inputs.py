"""What networks take in: which features each map uses, and that its inputs are orthonormal."""

import numpy as np
import pytest

from lagbias.features import whitening
from lagbias.features.inputs import INPUTS, input_matrix

RADII = (1.41, 2.83, 5.66)
N = len(RADII)
# float32 outputs of unit variance, averaged over the sample that defined the map
UNIT_COVARIANCE = 1e-5


@pytest.fixture(scope="module")
def theta():
    """Features whose linear and G2 columns have strong correlations of their own."""
    rng = np.random.default_rng(0)
    theta = np.empty((20_000, 3 * N))
    theta[:, 2::3] = rng.standard_normal((20_000, N)).cumsum(axis=1)
    linear = rng.standard_normal((20_000, 2 * N)).cumsum(axis=1)
    theta[:, 0::3], theta[:, 1::3] = linear[:, :N], linear[:, N:]
    return theta.astype(np.float32)


@pytest.fixture(scope="module")
def fitted(theta):
    return whitening.fit([theta], RADII)


def features_used(matrix):
    return set(np.flatnonzero(matrix.any(axis=0)))


LINEAR, TIDAL = {0, 1, 3, 4, 6, 7}, {2, 5, 8}


@pytest.mark.parametrize(
    ("name", "rows", "used"),
    [
        ("full", 2 * N + 1, LINEAR | TIDAL),
        ("density", N + 1, LINEAR),
        ("nested", 2 * N + 1, {0, 1, 3, 6} | TIDAL),
    ],
)
def test_features_of_each_map(theta, fitted, name, rows, used):
    matrix = input_matrix(name, fitted)
    assert matrix.shape == (rows, 3 * N) and features_used(matrix) == used
    inputs = whitening.apply_map(theta, matrix).astype(np.float64)
    covariance = inputs.T @ inputs / (len(theta) - 1)
    n_linear = N + 1
    for block in (slice(0, n_linear), slice(n_linear, rows)):
        size = len(covariance[block])
        np.testing.assert_allclose(covariance[block, block], np.eye(size), atol=UNIT_COVARIANCE)


def test_full_is_the_whitening(fitted):
    np.testing.assert_array_equal(input_matrix("full", fitted), fitted.matrix)


def test_two_components_are_taken_as_they_are(fitted):
    components = np.arange(63.0).reshape(7, 9)
    np.testing.assert_array_equal(input_matrix("pc2", fitted, components), components[:2])


def test_bad_requests(fitted):
    with pytest.raises(ValueError, match="need the components"):
        input_matrix("pc2", fitted)
    with pytest.raises(ValueError, match="'pc3'; choose one of full, density, nested, pc2"):
        input_matrix("pc3", fitted)
    assert set(INPUTS) == {"full", "density", "nested", "pc2"}
