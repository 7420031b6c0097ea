"""The network: its size, its initial state and its way to and from plain arrays."""

import math

import numpy as np
import pytest
import torch

from lagbias.training.network import HaloToMassNet, f_from_output


def make(seed=3, **sizes):
    return HaloToMassNet(7, generator=torch.Generator().manual_seed(seed), **sizes)


def test_paper_network_has_17217_parameters():
    assert sum(p.numel() for p in make().parameters()) == 17217


def test_forward_equals_numpy_twin():
    network = make(hidden_layers=2, width=5)
    x = np.random.default_rng(0).normal(size=(11, 7)).astype(np.float32)
    hidden = x.astype(np.float64)
    weights = network.to_weights()
    erf = np.vectorize(math.erf)
    for layer in range(3):
        hidden = hidden @ weights[f"layers.{layer}.weight"].T + weights[f"layers.{layer}.bias"]
        if layer < 2:
            hidden = hidden * 0.5 * (1 + erf(hidden / math.sqrt(2)))
    y = network(torch.from_numpy(x))
    assert y.shape == (11,)
    np.testing.assert_allclose(y.detach().numpy(), hidden[:, 0], rtol=1e-5, atol=1e-6)


def test_initial_weights_come_from_the_generator_alone():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, second, other = make(1).to_weights(), make(1).to_weights(), make(2).to_weights()
    assert torch.equal(state, torch.get_rng_state())
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
        assert not np.array_equal(values, other[name])


def test_initial_weights_fill_their_range():
    weight = make().to_weights()["layers.1.weight"]
    assert 0.99 / 8 < np.abs(weight).max() <= 1 / 8


def test_weights_survive_the_round_trip():
    network = make(hidden_layers=3, width=6)
    again = HaloToMassNet.from_weights(network.to_weights())
    x = torch.ones(2, 7)
    assert torch.equal(network(x), again(x))


def test_to_weights_is_a_copy():
    network = make()
    weights = network.to_weights()
    weights["layers.0.bias"][:] = 9.0
    assert not np.any(network.to_weights()["layers.0.bias"] == 9.0)


def test_broken_weights_are_refused():
    weights = make().to_weights()
    weights["layers.2.bias"] = weights["layers.2.bias"][:-1]
    with pytest.raises(ValueError, match="do not form a network"):
        HaloToMassNet.from_weights(weights)
    with pytest.raises(ValueError, match="do not form a network"):
        HaloToMassNet.from_weights({})


def test_sizes_must_be_positive():
    with pytest.raises(ValueError, match="must be positive"):
        HaloToMassNet(0)


def test_f_is_ten_to_the_output():
    f = f_from_output(torch.tensor([-1.0, 0.0, 2.0]))
    np.testing.assert_allclose(f.numpy(), [0.1, 1.0, 100.0], rtol=1e-6)
