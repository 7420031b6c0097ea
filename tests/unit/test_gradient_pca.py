"""Principal components of ∇f: planted directions, signs, and the map from features."""

import numpy as np
import pytest
import torch

from lagbias.bias import components as gradient_pca
from lagbias.bias.components import ComponentSample, GradientPCA
from lagbias.bias.ensemble import Ensemble
from lagbias.features import whitening
from lagbias.training.network import HaloToMassNet, TrainedNetwork

RADII = [1.41, 2.83]
N_INPUTS = 5
#: Gradients are float32: directions are good to some 1e-7 times a small factor.
ROUNDING = 1e-5
#: The cross term of two independent slopes averages out as 1/√N; N = 40000 gives 0.005 times a
#: ratio of slopes of order one, and this is six times as much.
SAMPLING = 0.03


def orthonormal(count, *, seed=0):
    """Random orthonormal directions of the inputs, one per row."""
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(N_INPUTS, N_INPUTS)))[0][:count]


def features(count=4000):
    """Correlated features [δ, ∇²δ, G2] of two radii."""
    rng = np.random.default_rng(1)
    return (rng.normal(size=(count, 6)) @ rng.normal(size=(6, 6))).astype(np.float32)


@pytest.fixture(scope="module")
def fitted():
    return whitening.fit([features()], RADII)


def normal(count=40_000):
    return np.random.default_rng(2).normal(size=(count, N_INPUTS))


def single_index_network(direction, seed):
    """Return a network whose f depends on one combination of the inputs only."""
    network = HaloToMassNet(N_INPUTS, 2, 16, generator=torch.Generator().manual_seed(seed))
    weights = network.to_weights()
    slopes = np.random.default_rng(seed).normal(size=(16, 1))
    weights["layers.0.weight"] = (slopes * direction).astype(np.float32)
    return TrainedNetwork(weights, 1.0 + seed)


def test_networks_of_one_combination_have_one_component(fitted):
    direction = orthonormal(1)[0]
    ensemble = Ensemble([single_index_network(direction, seed) for seed in (0, 1, 2)])
    _, gradients = ensemble.average_f_and_gradient(normal(2000).astype(np.float32))
    pca = gradient_pca.fit(gradients, fitted.matrix, RADII)
    along = pca.directions[:, 0] @ direction
    assert abs(along) == pytest.approx(1.0, abs=ROUNDING)
    assert np.all(pca.eigenvalues[1:] < ROUNDING**2 * pca.eigenvalues[0])


def test_two_directions_come_in_the_order_of_their_slopes(fitted):
    first, second = orthonormal(2)
    x = normal()
    # f = softplus(2 a) + 0.15 b²: the slope along b has no mean, so that the two do not mix
    slopes = 2 / (1 + np.exp(-2 * x @ first)), 0.3 * x @ second
    gradients = slopes[0][:, None] * first + slopes[1][:, None] * second
    pca = gradient_pca.fit(gradients.astype(np.float32), fitted.matrix, RADII)
    assert pca.directions[:, 0] @ first == pytest.approx(1.0, abs=SAMPLING)
    assert abs(pca.directions[:, 1] @ second) == pytest.approx(1.0, abs=SAMPLING)
    assert np.abs(pca.directions[:, 1] @ first) < SAMPLING
    np.testing.assert_allclose(
        pca.eigenvalues[:2], [np.mean(slope**2) for slope in slopes], rtol=SAMPLING
    )


def test_covariance_is_not_centred(fitted):
    steep, wavy = orthonormal(2)
    # an even rise along one direction, which a centred covariance does not see at all
    gradients = 2.0 * steep + np.sin(normal() @ wavy)[:, None] * wavy
    pca = gradient_pca.fit(gradients.astype(np.float32), fitted.matrix, RADII)
    assert pca.directions[:, 0] @ steep == pytest.approx(1.0, abs=SAMPLING)
    assert pca.eigenvalues[0] == pytest.approx(4.0, rel=SAMPLING)
    expected = np.linalg.eigvalsh(np.cov(gradients.T, bias=True))[::-1]
    np.testing.assert_allclose(pca.centred_eigenvalues, expected, atol=ROUNDING)
    assert pca.centred_eigenvalues[0] < 1.0


@pytest.mark.parametrize("sign", [1, -1])
def test_f_rises_along_every_component(sign, fitted):
    rng = np.random.default_rng(3)
    gradients = sign * (rng.normal(size=(500, N_INPUTS)) + rng.normal(size=N_INPUTS))
    pca = gradient_pca.fit(gradients.astype(np.float32), fitted.matrix, RADII)
    assert np.all((gradients @ pca.directions).mean(axis=0) >= 0)
    assert np.all(np.diff(pca.eigenvalues) <= 0)
    np.testing.assert_allclose(pca.directions.T @ pca.directions, np.eye(N_INPUTS), atol=1e-12)


def test_sample_sizes_that_need_several_parts_give_the_same(monkeypatch, fitted):
    gradients = np.random.default_rng(4).normal(size=(1000, N_INPUTS)).astype(np.float32)
    whole = gradient_pca.fit(gradients, fitted.matrix, RADII)
    monkeypatch.setattr(gradient_pca, "_CHUNK_ROWS", 300)
    parts = gradient_pca.fit(gradients, fitted.matrix, RADII)
    np.testing.assert_allclose(parts.matrix, whole.matrix, atol=1e-10)


def test_matrix_takes_features_to_the_coordinates_of_inputs(fitted):
    gradients = np.random.default_rng(5).normal(size=(100, N_INPUTS)).astype(np.float32)
    pca = gradient_pca.fit(gradients, fitted.matrix, RADII)
    theta = features(200)
    coordinates = pca.coordinates(fitted.transform(theta))
    assert coordinates.shape == (200, N_INPUTS)
    np.testing.assert_allclose(coordinates, whitening.apply_map(theta, pca.matrix), atol=ROUNDING)
    assert pca.smoothing_radii.tolist() == RADII


def test_components_of_white_inputs_are_white(fitted):
    gradients = np.random.default_rng(6).normal(size=(100, N_INPUTS)).astype(np.float32)
    matrix = gradient_pca.fit(gradients, fitted.matrix, RADII).matrix
    # the covariance whose two blocks were whitened: nothing between G2 and the rest
    covariance = (fitted.eigenvectors * fitted.eigenvalues) @ fitted.eigenvectors.T
    np.testing.assert_allclose(matrix @ covariance @ matrix.T, np.eye(N_INPUTS), atol=1e-10)


def test_mistaken_gradients_are_explained(fitted):
    good = np.ones((10, N_INPUTS), np.float32)
    with pytest.raises(ValueError, match=r"shape \(10, 4\) .* shape \(5, 6\)"):
        gradient_pca.fit(good[:, :4], fitted.matrix, RADII)
    with pytest.raises(ValueError, match=r"R_f = \[1.41\]"):
        gradient_pca.fit(good, fitted.matrix, RADII[:1])
    with pytest.raises(ValueError, match="of 4 particles have no 5 principal"):
        gradient_pca.fit(good[:4], fitted.matrix, RADII)
    bad = good.copy()
    bad[3, 1], bad[7] = np.nan, np.inf
    with pytest.raises(ValueError, match="2 of 10 particles contain NaN"):
        gradient_pca.fit(bad, fitted.matrix, RADII)


def test_coordinates_of_other_inputs_are_refused():
    pca = GradientPCA(np.ones(1), np.ones(3), np.eye(3), np.eye(3), np.ones(3))
    with pytest.raises(ValueError, match=r"combine 3 inputs .* \(2, 5\)"):
        pca.coordinates(np.ones((2, 5), np.float32))


@pytest.mark.parametrize("shapes", [((5, 2), (4,)), ((0, 2), (0,)), ((5, 0), (5,)), ((5,), (5,))])
def test_samples_that_do_not_fit_are_refused(shapes):
    components, f = map(np.zeros, shapes)
    with pytest.raises(ValueError, match="make the gradient components again"):
        ComponentSample(components, f)
