"""The network's kernels against PyTorch: outputs, gradients, and when PyTorch takes over."""

import copy
import math

import numpy as np
import pytest
import torch

from lagbias.training.cpu_kernels import fused_network, network_kernels
from lagbias.training.torch_network import HaloToMassNet

#: Float32 rounds by 6e-8. An output or a gradient goes through some hundred roundings, which are
#: as often up as down; relative to the largest number of each array, with positive grad_output.
ROUNDING = 5e-6
#: Of the GELU and its derivative: a few float32 roundings of numbers up to |x| + 1.
GELU_ROUNDING = 3e-7
#: Of 10^y: roundings of y log2(10), whose integer part does not count, and of a power of two.
POWER_ROUNDING = 3e-7

# inputs, hidden layers, width, particles; the third has more particles than a group of blocks
SIZES = [
    (1, 1, 1, 1),
    (7, 5, 64, 250),
    (3, 2, 33, 32 * network_kernels.BLOCK + 5),
    (17, 3, 20, network_kernels.BLOCK),
    (50, 2, 256, 97),
    (7, 2, 64, 0),
]


def make(n_inputs, hidden_layers, width, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return HaloToMassNet(n_inputs, hidden_layers, width, generator=generator)


def draw(particles, n_inputs, seed=2):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(particles, n_inputs)).astype(np.float32)
    grad_output = rng.uniform(0.5, 1.5, particles).astype(np.float32)
    return torch.from_numpy(inputs), torch.from_numpy(grad_output)


def in_float64(network, inputs, grad_output):
    """Output and gradients of inputs and parameters as PyTorch has them in float64."""
    precise = copy.deepcopy(network).double().requires_grad_()
    inputs = inputs.detach().double().requires_grad_()
    output = precise.layer_by_layer(inputs)
    return output, torch.autograd.grad(output, [inputs, precise.flat], grad_output.double())


def assert_close(got, expected):
    assert got.dtype == torch.float32
    assert got.shape == expected.shape
    if expected.numel():
        assert (got - expected).abs().max() <= ROUNDING * expected.abs().max()


def test_gelu_and_its_derivative():
    x = np.linspace(-12, 12, 100_001).astype(np.float32)
    got, slope = x.copy(), np.empty_like(x)
    network_kernels._activate_and_slope(got, slope, 0, len(x))
    only = x.copy()
    network_kernels._activate(only, 0, len(x))
    np.testing.assert_array_equal(only, got)
    z = x.astype(np.float64)
    normal = 0.5 * (1 + np.vectorize(math.erf)(z / math.sqrt(2)))
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    scale = 1 + np.abs(z)
    assert np.max(np.abs(got - z * normal) / scale) < GELU_ROUNDING
    assert np.max(np.abs(slope - normal - z * density) / scale) < GELU_ROUNDING


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_outputs_and_gradients_are_those_of_pytorch(size):
    *sizes, particles = size
    network = make(*sizes)
    inputs, grad_output = draw(particles, sizes[0])
    expected, gradients = in_float64(network, inputs, grad_output)
    inputs.requires_grad_()
    assert fused_network.suits(inputs, network.flat, network.layout)
    output = network(inputs)
    assert_close(output, expected)
    got = torch.autograd.grad(output, [inputs, network.flat], grad_output)
    for mine, its in zip(got, gradients, strict=True):
        assert_close(mine, its)


def test_equal_bits_whatever_the_other_particles():
    network, (inputs, grad_output) = make(7, 3, 64), draw(250, 7)
    first, again = network(inputs), network(inputs)
    assert torch.equal(first, again)
    gradients = [torch.autograd.grad(o, network.flat, grad_output)[0] for o in (first, again)]
    assert torch.equal(*gradients)
    assert torch.equal(first[101:133], network(inputs[101:133]))
    assert torch.equal(first, network(inputs.T.contiguous().T))  # of another layout


def test_what_is_not_a_number_stays_so_and_touches_no_other_particle():
    network, (inputs, grad_output) = make(7, 3, 20), draw(30, 7)
    clean = network(inputs)
    inputs[11, 3] = math.nan
    output = network(inputs)
    assert output.isnan().nonzero().tolist() == [[11]]
    others = torch.arange(30) != 11
    assert torch.equal(output[others], clean[others])
    output.backward(grad_output)
    assert network.flat.grad.isnan().any()


def test_gradients_of_inputs_alone():
    network, (inputs, grad_output) = make(7, 2, 16).requires_grad_(False), draw(40, 7)
    _, gradients = in_float64(network, inputs, grad_output)
    inputs.requires_grad_()
    network(inputs).backward(grad_output)
    assert_close(inputs.grad, gradients[0])
    assert network.flat.grad is None


def test_weights_changed_before_the_way_back_are_refused():
    network, (inputs, grad_output) = make(3, 2, 8), draw(10, 3)
    output = network(inputs)
    with torch.no_grad():
        network.flat += 1.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.backward(grad_output)


def test_other_inputs_are_left_to_pytorch():
    network, (inputs, _) = make(3, 2, 8), draw(10, 3)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        network(torch.ones(4, 5))
    assert network.double()(inputs.double()).dtype == torch.float64


def test_powers_of_ten():
    y = np.linspace(-37, 38, 10_001).astype(np.float32)
    f = np.empty_like(y)
    network_kernels.power_of_ten(y, f)
    np.testing.assert_allclose(f, 10.0 ** y.astype(np.float64), rtol=POWER_ROUNDING)
    wild = np.array([np.nan, -np.inf, -60, 60, np.inf], np.float32)
    f = np.empty_like(wild)
    network_kernels.power_of_ten(wild, f)
    assert np.isnan(f[0])
    assert (f[1:3] < 1e-37).all()
    assert (f[3:] > 1e38).all()


@pytest.mark.parametrize("kept_blocks", [0, 2, 6])
def test_what_is_kept_gives_the_bits_of_what_is_computed_again(kept_blocks):
    """Of six blocks, the last one not full."""
    network, (inputs, grad_output) = make(7, 3, 64), draw(5 * network_kernels.BLOCK + 20, 7)
    packed = network.layout.packed(network.flat.detach().numpy())
    network_kernels.transpose(packed)
    size = kept_blocks * network_kernels.BLOCK * len(packed.biases)
    arrays = inputs.numpy(), grad_output.numpy()
    found = []
    for kept in (0, size):
        values, slopes = np.empty(kept, np.float32), np.empty(kept, np.float32)
        output, gradient = np.empty(len(inputs), np.float32), np.zeros(len(network.flat))
        network_kernels.forward(arrays[0], packed, output, values, slopes)
        network_kernels.backward(
            arrays[0], packed, arrays[1], gradient, arrays[0][:0], values, slopes
        )
        found.append((output, gradient))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
