"""Numba kernels of the fully connected network: forward and backward on blocks of particles.

All matrix products of a layer (values, gradients of the inputs, gradients of the weights) use the
same loop, `_product`, whose core holds a tile of four rows in vector registers. A block of
particles goes through all layers before the next one starts, so that it stays in a core's cache;
`backward` recomputes the values, which is cheaper than to load what `forward` could have stored.
The order of every sum is fixed: equal arguments give equal bits.

Rows of work arrays are zero-padded to whole vectors (`padded`), blocks to whole tiles.
"""

from typing import NamedTuple

import numba
import numpy as np
from numba.core.codegen import get_host_cpu_features

from lagbias.training.cpu_kernels.tile_product import ROWS, VECTOR, tile_product

__all__ = ["BLOCK", "Packed", "backward", "forward", "padded"]

#: Particles per block: with two values for each neuron of the paper's network, 245 kB.
BLOCK = 96
#: Blocks whose gradients are summed in float32; sums over more particles are float64.
_GROUP = 32
# 4 x 64 sums fill half of the 32 registers of AVX-512; others hold 4 x 16
_WIDE = 4 if "+avx512f" in get_host_cpu_features() else 1
# Without "nnan": NaN must propagate, so that training detects it.
_FLAGS = {"contract"}

_F32 = np.float32
# Q(u) = 1 - Φ(u) = exp(-u²/2) Σ q_k t^k with t = 1 / (1 + p u), u >= 0, and 2^x on |x| <= 1/2:
# minimax by weighted least squares, maximum error 1.1e-8 in u Q and 1.9e-9 of 2^x
_P = _F32(0.28)
_Q1, _Q2, _Q3 = _F32(0.11672904), _F32(0.06623006), _F32(0.27197096)
_Q4, _Q5, _Q6 = _F32(-0.24066774), _F32(0.39206596), _F32(-0.10632829)
_E1, _E2, _E3 = _F32(0.693147206), _F32(0.240226469), _F32(0.0555032878)
_E4, _E5, _E6 = _F32(0.00961848896), _F32(0.00133999316), _F32(0.000153458119)
_HALF_LOG2_E = _F32(0.5 / np.log(2.0))
_DENSITY = _F32(1 / np.sqrt(2 * np.pi))
_ZERO, _ONE = _F32(0), _F32(1)
_SMALLEST = _F32(-126.0)  # exponent of the smallest normal number
_ROUND = _F32(1.5 * 2**23)  # added, it leaves the nearest integer in the last bits
_BIAS, _MANTISSA = np.int32(127), np.int32(23)


class Packed(NamedTuple):
    """Weights of a network with padded rows, in flat float32 arrays.

    Parameters
    ----------
    straight, transposed : ndarray
        The weights of each hidden layer, (padded(width), padded(fan in)), and their transposes.
    biases : ndarray
        The biases of each hidden layer, padded(width).
    last, last_bias : ndarray
        Weights and bias of the linear output, padded(width) and 1.
    n_inputs, width : int
        Sizes without padding.
    """

    straight: np.ndarray
    transposed: np.ndarray
    biases: np.ndarray
    last: np.ndarray
    last_bias: np.ndarray
    n_inputs: int
    width: int


@numba.njit(cache=True)
def padded(size):  # pragma: no cover - compiled
    """Round a size up to a multiple of `VECTOR`: the length of rows in work arrays."""
    return -(-size // VECTOR) * VECTOR


_narrow_tile, _wide_tile = tile_product(1), tile_product(_WIDE)


@numba.njit(nogil=True, cache=True)
def _product(
    a, a0, a_row, a_step, b, b0, b_step, s, s0, s_row, c, c0, c_row, rows, columns, terms
):  # pragma: no cover - compiled
    """Set c = s + a b for `rows`, rounded up to whole tiles, and `columns`, whole vectors."""
    j = 0
    while j < columns:
        if j + _WIDE * VECTOR <= columns:
            for i in range(0, rows, ROWS):
                a1, s1, c1 = a0 + i * a_row, s0 + i * s_row + j, c0 + i * c_row + j
                _wide_tile(
                    a, a1, a_row, a_step, b, b0 + j, b_step, s, s1, s_row, c, c1, c_row, terms
                )
            j += _WIDE * VECTOR
        else:
            for i in range(0, rows, ROWS):
                a1, s1, c1 = a0 + i * a_row, s0 + i * s_row + j, c0 + i * c_row + j
                _narrow_tile(
                    a, a1, a_row, a_step, b, b0 + j, b_step, s, s1, s_row, c, c1, c_row, terms
                )
            j += VECTOR


@numba.njit(inline="always")
def _normal(x):  # pragma: no cover - compiled
    """Φ(x) and exp(-x²/2)."""
    u = abs(x)
    power = max(-x * x * _HALF_LOG2_E, _SMALLEST)
    shifted = power + _ROUND
    y = power - (shifted - _ROUND)
    bell = _ONE + y * (_E1 + y * (_E2 + y * (_E3 + y * (_E4 + y * (_E5 + y * _E6)))))
    exponent = np.float32(shifted).view(np.int32) + _BIAS
    bell *= np.int32(exponent << _MANTISSA).view(np.float32)
    t = _ONE / (_ONE + _P * u)
    tail = bell * t * (_Q1 + t * (_Q2 + t * (_Q3 + t * (_Q4 + t * (_Q5 + t * _Q6)))))
    return (tail if x < _ZERO else _ONE - tail), bell


@numba.njit(nogil=True, cache=True, fastmath=_FLAGS, error_model="numpy")
def _activate(values, first, stop):  # pragma: no cover - compiled
    """Replace values by their GELU x Φ(x)."""
    values = values[first:stop]
    for i in range(len(values)):
        x = values[i]
        values[i] = x * _normal(x)[0]


@numba.njit(nogil=True, cache=True, fastmath=_FLAGS, error_model="numpy")
def _activate_and_slope(values, slopes, first, stop):  # pragma: no cover - compiled
    """Replace values by their GELU, and write its derivative Φ(x) + x exp(-x²/2) / √(2π)."""
    values, slopes = values[first:stop], slopes[first:stop]
    for i in range(len(values)):
        x = values[i]
        below, bell = _normal(x)
        values[i] = x * below
        slopes[i] = below + x * (bell * _DENSITY)


@numba.njit(nogil=True, cache=True)
def _load(inputs, first, count, rows, block):  # pragma: no cover - compiled
    """Copy the inputs of one block; rows beyond `count` are set to zero."""
    row = padded(inputs.shape[1])
    block[count * row : rows * row] = _ZERO
    for i in range(count):
        for j in range(inputs.shape[1]):
            block[i * row + j] = inputs[first + i, j]


@numba.njit(nogil=True, cache=True)
def _hidden(block, packed, values, slopes, rows):  # pragma: no cover - compiled
    """Compute the values, and slopes unless empty, of a block's hidden layers."""
    row, x_row = padded(packed.width), padded(packed.n_inputs)
    below, below_first, below_row, fan_in, weights = block, 0, x_row, packed.n_inputs, 0
    for layer in range(len(packed.biases) // row):
        here = layer * BLOCK * row
        _product(
            below, below_first, below_row, 1, packed.transposed, weights, row,
            packed.biases, layer * row, 0, values, here, row, rows, row, fan_in,
        )  # fmt: skip
        if len(slopes):
            _activate_and_slope(values, slopes, here, here + rows * row)
        else:
            _activate(values, here, here + rows * row)
        weights += below_row * row
        below, below_first, below_row, fan_in = values, here, row, packed.width


# "reassoc" vectorises the sum over neurons
@numba.njit(nogil=True, cache=True, fastmath=_FLAGS | {"reassoc"})
def _output(values, packed, first, count, output):  # pragma: no cover - compiled
    """Write the linear output of one block; `first` is the start of its last hidden layer."""
    row = len(packed.last)
    for i in range(count):
        total = _ZERO
        neurons = values[first + i * row : first + (i + 1) * row]
        for j in range(row):
            total += neurons[j] * packed.last[j]
        output[i] = total + packed.last_bias[0]


@numba.njit(nogil=True, cache=True)
def _empty(size):  # pragma: no cover - compiled
    """Return a work array whose rows are aligned to cache lines."""
    line = 64 // 4
    array = np.empty(size + line, np.float32)
    skip = -(array.ctypes.data // 4) % line
    return array[skip : skip + size]


@numba.njit(nogil=True, cache=True)
def forward(inputs, packed, output):  # pragma: no cover - compiled
    """Write the network's output for each particle.

    Parameters
    ----------
    inputs : ndarray, float32, shape (P, n_inputs), C order
        Inputs of the network, dimensionless.
    packed : Packed
        Its weights.
    output : ndarray, float32, shape (P,)
        Result, dimensionless.
    """
    size = len(packed.biases) * BLOCK
    block, values, none = _empty(BLOCK * padded(packed.n_inputs)), _empty(size), _empty(0)
    block[:] = _ZERO
    for first in range(0, len(inputs), BLOCK):
        count = min(BLOCK, len(inputs) - first)
        rows = -(-count // ROWS) * ROWS
        _load(inputs, first, count, rows, block)
        _hidden(block, packed, values, none, rows)
        last = size - BLOCK * len(packed.last)
        _output(values, packed, last, count, output[first : first + count])


@numba.njit(nogil=True, cache=True, fastmath=_FLAGS)
def _back_output(
    values, slopes, packed, grad_output, rows, delta, d_last
):  # pragma: no cover - compiled
    """Propagate back through the linear output, to its weights and the last hidden layer."""
    row = len(packed.last)
    delta[len(grad_output) * row : rows * row] = _ZERO
    for i in range(len(grad_output)):
        neurons, slopes_here = values[i * row : (i + 1) * row], slopes[i * row : (i + 1) * row]
        delta_here = delta[i * row : (i + 1) * row]
        for j in range(row):
            d_last[j] += grad_output[i] * neurons[j]
        for j in range(row):
            delta_here[j] = grad_output[i] * packed.last[j] * slopes_here[j]


@numba.njit(nogil=True, cache=True)
def _add_rows(delta, rows, total):  # pragma: no cover - compiled
    """Add the sum of all rows to `total`, four at a time."""
    n = len(total)
    for i in range(0, rows * n, 4 * n):
        a, b = delta[i : i + n], delta[i + n : i + 2 * n]
        c, d = delta[i + 2 * n : i + 3 * n], delta[i + 3 * n : i + 4 * n]
        for j in range(n):
            total[j] += (a[j] + b[j]) + (c[j] + d[j])


@numba.njit(nogil=True, cache=True)
def _multiply(delta, slopes):  # pragma: no cover - compiled
    for i in range(len(slopes)):
        delta[i] *= slopes[i]


@numba.njit(nogil=True, cache=True)
def _back(
    block, packed, values, slopes, delta, other, rows, d_weights, d_biases, d_block
):  # pragma: no cover - compiled
    """Propagate `delta`, the gradient of the last hidden layer's sums, through a block.

    Gradients are added to `d_weights` and `d_biases` and written to `d_block`, unless empty.
    """
    row, x_row = padded(packed.width), padded(packed.n_inputs)
    zeros = np.zeros(max(row, x_row), np.float32)
    weights = len(packed.straight)
    for layer in range(len(packed.biases) // row - 1, -1, -1):
        below, below_first, below_row = values, (layer - 1) * BLOCK * row, row
        into, wanted = other, True
        if layer == 0:
            below, below_first, below_row = block, 0, x_row
            into, wanted = d_block, len(d_block) > 0
        weights -= row * below_row
        if len(d_weights):
            _add_rows(delta, rows, d_biases[layer * row : (layer + 1) * row])
            _product(
                delta, 0, 1, row, below, below_first, below_row, d_weights, weights, below_row,
                d_weights, weights, below_row, packed.width, below_row, rows,
            )  # fmt: skip
        if wanted:
            _product(
                delta, 0, row, 1, packed.straight, weights, below_row, zeros, 0, 0,
                into, 0, below_row, rows, below_row, packed.width,
            )  # fmt: skip
        if layer:
            _multiply(into, slopes[below_first : below_first + rows * row])
            delta, other = into, delta


@numba.njit(nogil=True, cache=True)
def _move(part, total):  # pragma: no cover - compiled
    """Add `part` to `total` and set it to zero."""
    for i in range(len(part)):
        total[i] += part[i]
        part[i] = _ZERO


@numba.njit(nogil=True, cache=True)
def backward(
    inputs, packed, grad_output, d_weights, d_biases, d_last, d_inputs
):  # pragma: no cover - compiled
    """Add up the gradients of Σ_p grad_output_p output_p.

    Parameters
    ----------
    inputs : ndarray, float32, shape (P, n_inputs), C order
        Inputs of the network, dimensionless.
    packed : Packed
        Its weights.
    grad_output : ndarray, float32, shape (P,)
        Gradient of each particle's output.
    d_weights, d_biases, d_last : ndarray, float64
        Gradients, added to, in the layout of `Packed.straight`, `Packed.biases` and
        `Packed.last`; the first two may be empty if not needed.
    d_inputs : ndarray, float32, shape (P, n_inputs) or (0, n_inputs)
        Gradients of the inputs, written; empty if not needed.
    """
    row, x_row = len(packed.last), padded(packed.n_inputs)
    size, last = len(packed.biases) * BLOCK, (len(packed.biases) - len(packed.last)) * BLOCK
    block, d_block = _empty(BLOCK * x_row), _empty(BLOCK * x_row if len(d_inputs) else 0)
    values, slopes = _empty(size), _empty(size)
    delta, other = _empty(BLOCK * row), _empty(BLOCK * row)
    weights_part, biases_part = _empty(len(d_weights)), _empty(len(d_biases))
    last_part = _empty(row)
    for zeroed in (block, weights_part, biases_part, last_part):
        zeroed[:] = _ZERO
    for first in range(0, len(inputs), BLOCK):
        count = min(BLOCK, len(inputs) - first)
        rows = -(-count // ROWS) * ROWS
        _load(inputs, first, count, rows, block)
        _hidden(block, packed, values, slopes, rows)
        grad = grad_output[first : first + count]
        _back_output(values[last:], slopes[last:], packed, grad, rows, delta, last_part)
        _back(block, packed, values, slopes, delta, other, rows, weights_part, biases_part, d_block)
        for i in range(count if len(d_inputs) else 0):
            d_inputs[first + i] = d_block[i * x_row : i * x_row + packed.n_inputs]
        if (first // BLOCK + 1) % _GROUP == 0 or first + BLOCK >= len(inputs):
            _move(weights_part, d_weights)
            _move(biases_part, d_biases)
            _move(last_part, d_last)
