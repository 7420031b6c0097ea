"""Principal components of ∇f: planted directions, signs, and the map from features."""

import numpy as np
import pytest
import torch

from lagbias.bias import component_fit as components
from lagbias.bias.ensemble import Ensemble
from lagbias.features import whitening
from lagbias.training.network import Network
from lagbias.training.torch_network import HaloToMassNet

RADII = [1.41, 2.83]
N_INPUTS = 5
#: Gradients are float32: directions are good to some 1e-7 times a small factor.
ROUNDING = 1e-5
#: The cross term of two independent slopes averages out as 1/√N; N = 40000 gives 0.005 times a
#: ratio of slopes of order one, and this is six times as much.
SAMPLING = 0.03


def orthonormal(count):
    """Random orthonormal directions of the inputs, one per row."""
    return np.linalg.qr(np.random.default_rng(0).normal(size=(N_INPUTS, N_INPUTS)))[0][:count]


def normal(count=40_000, seed=2):
    return np.random.default_rng(seed).normal(size=(count, N_INPUTS))


@pytest.fixture(scope="module")
def theta():
    """Correlated features [δ, ∇²δ, G2] of two radii."""
    rng = np.random.default_rng(1)
    return (rng.normal(size=(4000, 6)) @ rng.normal(size=(6, 6))).astype(np.float32)


@pytest.fixture(scope="module")
def fitted(theta):
    return whitening.fit([theta], RADII)


@pytest.fixture
def fit(fitted):
    """Fit components to gradients, at inputs of zero unless given."""

    def call(gradients, radii=RADII, inputs=None):
        gradients = gradients.astype(np.float32)
        inputs = np.zeros_like(gradients) if inputs is None else inputs
        f = np.ones(len(gradients), np.float32)
        return components.fit(gradients, fitted.matrix, radii, inputs=inputs, f=f)

    return call


def single_index_network(direction, seed):
    """Return a network whose f depends on one combination of the inputs only."""
    network = HaloToMassNet(N_INPUTS, 2, 16, generator=torch.Generator().manual_seed(seed))
    weights = network.to_weights()
    slopes = np.random.default_rng(seed).normal(size=(16, 1))
    weights["layers.0.weight"] = (slopes * direction).astype(np.float32)
    return Network(weights=weights, history={}, normalisation=1.0 + seed)


def test_networks_of_one_combination_have_one_component(fit):
    direction = orthonormal(1)[0]
    ensemble = Ensemble([single_index_network(direction, seed) for seed in (0, 1, 2)])
    _, gradients = ensemble.average_f_and_gradient(normal(2000).astype(np.float32))
    pca = fit(gradients)
    assert abs(pca.directions[:, 0] @ direction) == pytest.approx(1.0, abs=ROUNDING)
    assert np.all(pca.eigenvalues[1:] < ROUNDING**2 * pca.eigenvalues[0])


def test_two_directions_come_in_the_order_of_their_slopes(fit):
    first, second = orthonormal(2)
    x = normal()
    # f = softplus(2 a) + 0.15 b²: the slope along b has no mean, so that the two do not mix
    slopes = 2 / (1 + np.exp(-2 * x @ first)), 0.3 * x @ second
    pca = fit(slopes[0][:, None] * first + slopes[1][:, None] * second)
    assert pca.directions[:, 0] @ first == pytest.approx(1.0, abs=SAMPLING)
    assert abs(pca.directions[:, 1] @ second) == pytest.approx(1.0, abs=SAMPLING)
    assert np.abs(pca.directions[:, 1] @ first) < SAMPLING
    np.testing.assert_allclose(
        pca.eigenvalues[:2], [np.mean(slope**2) for slope in slopes], rtol=SAMPLING
    )


def test_covariance_is_not_centred(fit):
    steep, wavy = orthonormal(2)
    # an even rise along one direction, which a centred covariance does not see at all
    gradients = 2.0 * steep + np.sin(normal() @ wavy)[:, None] * wavy
    pca = fit(gradients)
    assert pca.directions[:, 0] @ steep == pytest.approx(1.0, abs=SAMPLING)
    assert pca.eigenvalues[0] == pytest.approx(4.0, rel=SAMPLING)
    expected = np.linalg.eigvalsh(np.cov(gradients.T, bias=True))[::-1]
    np.testing.assert_allclose(pca.centred_eigenvalues, expected, atol=ROUNDING)
    assert pca.centred_eigenvalues[0] < 1.0


@pytest.mark.parametrize("sign", [1, -1])
def test_f_rises_along_every_component(sign, fit):
    rng = np.random.default_rng(3)
    gradients = sign * (rng.normal(size=(500, N_INPUTS)) + rng.normal(size=N_INPUTS))
    pca = fit(gradients)
    assert np.all((gradients @ pca.directions).mean(axis=0) >= 0)
    assert np.all(np.diff(pca.eigenvalues) <= 0)
    np.testing.assert_allclose(pca.directions.T @ pca.directions, np.eye(N_INPUTS), atol=1e-12)


def test_chunks_do_not_matter(monkeypatch, fit):
    gradients = normal(1000, seed=4)
    whole = fit(gradients)
    monkeypatch.setattr(components, "_CHUNK_ROWS", 300)
    np.testing.assert_allclose(fit(gradients).matrix, whole.matrix, atol=1e-10)


def test_matrix_takes_features_to_the_stored_coordinates(fit, fitted, theta):
    pca = fit(normal(200, seed=5), inputs=whitening.apply_map(theta[:200], fitted.matrix))
    assert pca.components.shape == (200, 4) and pca.components.dtype == np.float32
    expected = whitening.apply_map(theta[:200], pca.matrix)[:, :4]
    np.testing.assert_allclose(pca.components, expected, atol=ROUNDING)
    np.testing.assert_array_equal(pca.f, 1.0)
    assert pca.smoothing_radii.tolist() == RADII
    np.testing.assert_array_equal(pca.first, pca.matrix[0].reshape(2, 3))
    # components of white inputs are white: nothing between G2 and the rest
    covariance = (fitted.eigenvectors * fitted.eigenvalues) @ fitted.eigenvectors.T
    white = pca.matrix @ covariance @ pca.matrix.T
    np.testing.assert_allclose(white, np.eye(N_INPUTS), atol=1e-10)


def test_bad_gradients_are_refused(fit):
    good = np.ones((10, N_INPUTS))
    bad = good.copy()
    bad[3, 1], bad[7] = np.nan, np.inf
    for gradients, radii, message in (
        (good[:4], RADII, "of 4 particles do not determine 5"),
        (bad, RADII, "2 of 10 particles contain NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(gradients, radii)
