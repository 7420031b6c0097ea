"""The network: its size, its initial state, and its conversion to and from plain arrays."""

import math

import numpy as np
import pytest
import torch

from lagbias.training.network import Network
from lagbias.training.torch_network import HaloToMassNet, f_from_output


def make(seed=3, **sizes):
    return HaloToMassNet(7, generator=torch.Generator().manual_seed(seed), **sizes)


def test_paper_network_has_17217_parameters():
    network = make()
    assert sum(values.size for values in network.to_weights().values()) == 17217
    assert [p.numel() for p in network.parameters()] == [len(network.flat)]
    assert torch.count_nonzero(network.flat) == 17217  # the others pad rows


@pytest.mark.parametrize("method", ["forward", "layer_by_layer"])
def test_forward_equals_numpy_twin(method):
    network = make(hidden_layers=2, width=5)
    x = np.random.default_rng(0).normal(size=(11, 7)).astype(np.float32)
    hidden = x.astype(np.float64)
    weights = network.to_weights()
    erf = np.vectorize(math.erf)
    for layer in range(3):
        hidden = hidden @ weights[f"layers.{layer}.weight"].T + weights[f"layers.{layer}.bias"]
        if layer < 2:
            hidden = hidden * 0.5 * (1 + erf(hidden / math.sqrt(2)))
    y = getattr(network, method)(torch.from_numpy(x))
    assert y.shape == (11,)
    np.testing.assert_allclose(y.detach().numpy(), hidden[:, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(f_from_output(y).detach(), 10.0 ** hidden[:, 0], rtol=1e-5)


def test_initial_weights_come_from_the_generator_alone_and_fill_their_range():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, second, other = make(1).to_weights(), make(1).to_weights(), make(2).to_weights()
    assert torch.equal(state, torch.get_rng_state())
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
        assert not np.array_equal(values, other[name])
    assert 0.99 / 8 < np.abs(first["layers.1.weight"]).max() <= 1 / 8


def test_weights_survive_the_round_trip_as_copies():
    network, x = make(hidden_layers=3, width=6), torch.ones(2, 7)
    weights = network.to_weights()
    again, expected = HaloToMassNet.from_weights(weights), network(x)
    for values in weights.values():
        values[:] = 9.0
    assert torch.equal(network(x), expected) and torch.equal(again(x), expected)


def test_weights_are_named_by_layer_and_come_from_the_shapes_alone():
    weights = make(hidden_layers=2, width=6).to_weights()
    assert {name: values.shape for name, values in weights.items()} == {
        "layers.0.weight": (6, 7),
        "layers.0.bias": (6,),
        "layers.1.weight": (6, 6),
        "layers.1.bias": (6,),
        "layers.2.weight": (1, 6),
        "layers.2.bias": (1,),
    }
    again = HaloToMassNet.from_weights(weights)
    assert again.layout == (7, 2, 6)
    for name, values in again.to_weights().items():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, weights[name])


@pytest.mark.parametrize("broken", ["bias", "output", "missing", "all"])
def test_broken_weights_are_refused(broken):
    weights = make().to_weights()
    Network(weights=weights, history={})
    if broken == "bias":
        weights["layers.2.bias"] = weights["layers.2.bias"][:-1]
    elif broken == "output":
        weights["layers.5.weight"] = np.ones((2, 64), np.float32)
    elif broken == "missing":
        del weights["layers.3.bias"]
    else:
        weights = {}
    with pytest.raises(ValueError, match="do not form a network"):
        Network(weights=weights, history={})


def test_history_of_unequal_lengths_is_refused():
    with pytest.raises(ValueError, match="different lengths"):
        Network(weights=make().to_weights(), history={"a": np.ones(2), "b": np.ones(3)})
