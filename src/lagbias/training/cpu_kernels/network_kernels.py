"""Numba kernels of the fully connected network: forward and backward on blocks of particles.

All matrix products of a layer (values, gradients of the inputs, gradients of the weights) use the
same loop, `_product`, whose core holds a tile of sums in vector registers. A block of particles
goes through all layers before the next one starts, so that it stays in a core's cache. `backward`
reads what `forward` kept of each block, or computes it again.

The order of every sum is fixed, whatever the registers: equal arguments give equal bits.
Rows of work arrays are zero-padded to `padded` numbers, blocks to whole tiles.
"""

from typing import NamedTuple

import numba
import numpy as np

from lagbias.training.cpu_kernels.registers import REGISTERS
from lagbias.training.cpu_kernels.tile_product import LANES, dot_product, tile_product

__all__ = [
    "BLOCK",
    "LN_10",
    "Packed",
    "backward",
    "forward",
    "padded",
    "power_of_ten",
    "transpose",
]

#: Particles per block: with two values for each neuron of the paper's network, 245 kB.
BLOCK = 96
#: d(10^y)/dy = LN_10 10^y.
LN_10 = np.float32(np.log(10.0))
#: Blocks whose gradients are summed in float32; sums over more particles are float64.
_GROUP = 32
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
# log10(2) in two parts, of which n times the first is exact, and the range of y of float32
_LOG2_10 = _F32(np.log2(10.0))
_LOG10_2 = _F32(round(np.log10(2.0) * 2**14) / 2**14)
_LOG10_2_REST = _F32(np.log10(2.0) - float(_LOG10_2))
_LOWEST_Y, _HIGHEST_Y = _F32(-37.9), _F32(38.2)
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
    """Round a size up: the length of rows in work arrays."""
    return -(-size // LANES) * LANES


@numba.njit(nogil=True, cache=True)
def transpose(packed):  # pragma: no cover - compiled
    """Fill `packed.transposed`."""
    row, first = len(packed.last), 0
    for layer in range(len(packed.biases) // row):
        fan_in = row if layer else padded(packed.n_inputs)
        for i in range(row):
            for j in range(fan_in):
                packed.transposed[first + j * row + i] = packed.straight[first + i * fan_in + j]
        first += row * fan_in


_COLUMNS, _FEW = REGISTERS.columns, min(REGISTERS.columns, LANES)
_six_rows = tile_product(6, _COLUMNS, REGISTERS.vector)
_four_rows = tile_product(4, _COLUMNS, REGISTERS.vector)
_six_few = tile_product(6, _FEW, REGISTERS.vector)
_four_few = tile_product(4, _FEW, REGISTERS.vector)


@numba.njit(nogil=True, cache=True)
def _product(
    a, a0, a_row, a_step, b, b0, b_step, s, s0, s_row, c, c0, c_row, rows, columns, terms
):  # pragma: no cover - compiled
    """Set c = s + a b, for an even number of at least four rows, and padded columns."""
    in_sixes = rows - 4 * (-(rows // 2) % 3)
    j = 0
    while j < columns:
        many = _COLUMNS == _FEW or columns - j >= _COLUMNS
        i = 0
        while i < rows:
            a1, b1 = a0 + i * a_row, b0 + j
            s1, c1 = s0 + i * s_row + j, c0 + i * c_row + j
            if many and i < in_sixes:
                _six_rows(a, a1, a_row, a_step, b, b1, b_step, s, s1, s_row, c, c1, c_row, terms)
            elif many:
                _four_rows(a, a1, a_row, a_step, b, b1, b_step, s, s1, s_row, c, c1, c_row, terms)
            elif i < in_sixes:
                _six_few(a, a1, a_row, a_step, b, b1, b_step, s, s1, s_row, c, c1, c_row, terms)
            else:
                _four_few(a, a1, a_row, a_step, b, b1, b_step, s, s1, s_row, c, c1, c_row, terms)
            i += 6 if i < in_sixes else 4
        j += _COLUMNS if many else _FEW


@numba.njit(inline="always")
def _power_of_two(rest, shifted):  # pragma: no cover - compiled
    """2^(n + rest) for |rest| <= 1/2, where n is the integer in the last bits of `shifted`."""
    power = _ONE + rest * (
        _E1 + rest * (_E2 + rest * (_E3 + rest * (_E4 + rest * (_E5 + rest * _E6))))
    )
    exponent = np.float32(shifted).view(np.int32) + _BIAS
    return power * np.int32(exponent << _MANTISSA).view(np.float32)


@numba.njit(inline="always")
def _normal(x):  # pragma: no cover - compiled
    """Φ(x) and exp(-x²/2)."""
    u = abs(x)
    power = max(-x * x * _HALF_LOG2_E, _SMALLEST)
    shifted = power + _ROUND
    bell = _power_of_two(power - (shifted - _ROUND), shifted)
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


@numba.njit(nogil=True, cache=True)
def _output(values, packed, first, count, output):  # pragma: no cover - compiled
    """Write the linear output of one block; `first` is the start of its last hidden layer."""
    row = len(packed.last)
    for i in range(count):
        total = dot_product(values, first + i * row, packed.last, 0, row)
        output[i] = total + packed.last_bias[0]


@numba.njit(nogil=True, cache=True)
def _empty(size):  # pragma: no cover - compiled
    """Return a work array whose rows are aligned to cache lines."""
    line = 64 // 4
    array = np.empty(size + line, np.float32)
    skip = -(array.ctypes.data // 4) % line
    return array[skip : skip + size]


@numba.njit(nogil=True, cache=True)
def _rows_for(count):  # pragma: no cover - compiled
    """Round a number of particles up to whole tiles."""
    return max(4, count + count % 2)


@numba.njit(nogil=True, cache=True)
def forward(inputs, packed, output, values, slopes):  # pragma: no cover - compiled
    """Write the network's output for each particle.

    Parameters
    ----------
    inputs : ndarray, float32, shape (P, n_inputs), C order
        Inputs of the network, dimensionless.
    packed : Packed
        Its weights.
    output : ndarray, float32, shape (P,)
        Result, dimensionless.
    values, slopes : ndarray, float32
        Values of all neurons and derivatives of their activations, kept for `backward`, of as many
        blocks as there is room for, be it none.
    """
    size = len(packed.biases) * BLOCK
    last = size - BLOCK * len(packed.last)
    block, scratch = _empty(BLOCK * padded(packed.n_inputs)), _empty(size)
    block[:] = _ZERO
    for first in range(0, len(inputs), BLOCK):
        count = min(BLOCK, len(inputs) - first)
        rows = _rows_for(count)
        here = first // BLOCK * size
        kept = here + size <= len(slopes)
        values_here = values[here : here + size] if kept else scratch
        slopes_here = slopes[here : here + size] if kept else slopes[:0]
        _load(inputs, first, count, rows, block)
        _hidden(block, packed, values_here, slopes_here, rows)
        _output(values_here, packed, last, count, output[first : first + count])


@numba.njit(nogil=True, cache=True, fastmath=_FLAGS, error_model="numpy")
def power_of_ten(output, f):  # pragma: no cover - compiled
    """Write f = 10^y.

    Parameters
    ----------
    output : ndarray, float32, shape (P,)
        y, dimensionless.
    f : ndarray, float32, shape (P,)
        Result, dimensionless; at the ends of the range of float32, a number of that order.
    """
    for i in range(len(output)):
        y = output[i]
        y = _LOWEST_Y if y < _LOWEST_Y else y
        y = _HIGHEST_Y if y > _HIGHEST_Y else y
        shifted = y * _LOG2_10 + _ROUND
        n = shifted - _ROUND
        rest = (y - n * _LOG10_2) - n * _LOG10_2_REST
        f[i] = _power_of_two(rest * _LOG2_10, shifted)


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
    """Add the sum of all rows, an even number, to `total`, two at a time."""
    n = len(total)
    for i in range(0, rows * n, 2 * n):
        a, b = delta[i : i + n], delta[i + n : i + 2 * n]
        for j in range(n):
            total[j] += a[j] + b[j]


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
                d_weights, weights, below_row, row, below_row, rows,
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
    inputs, packed, grad_output, gradient, d_inputs, values, slopes
):  # pragma: no cover - compiled
    """Compute the gradients of Σ_p grad_output_p output_p.

    Parameters
    ----------
    inputs : ndarray, float32, shape (P, n_inputs), C order
        Inputs of the network, dimensionless.
    packed : Packed
        Its weights.
    grad_output : ndarray, float32, shape (P,)
        Gradient of each particle's output.
    gradient : ndarray, float64
        Gradients of `Packed.straight`, `biases`, `last` and `last_bias`, one after another, added
        to; empty if not needed.
    d_inputs : ndarray, float32, shape (P, n_inputs) or (0, n_inputs)
        Gradients of the inputs, written; empty if not needed.
    values, slopes : ndarray, float32
        What `forward` kept of the same inputs and weights; the rest is computed again.
    """
    row, x_row = len(packed.last), padded(packed.n_inputs)
    size, last = len(packed.biases) * BLOCK, (len(packed.biases) - len(packed.last)) * BLOCK
    n_weights, n_biases = len(packed.straight), len(packed.biases)
    wanted = len(gradient) > 0
    block, d_block = _empty(BLOCK * x_row), _empty(BLOCK * x_row if len(d_inputs) else 0)
    delta, other = _empty(BLOCK * row), _empty(BLOCK * row)
    weights_part = _empty(n_weights if wanted else 0)
    biases_part, last_part = _empty(n_biases if wanted else 0), _empty(row)
    scratch = _empty(size), _empty(size)
    for zeroed in (block, weights_part, biases_part, last_part):
        zeroed[:] = _ZERO
    for first in range(0, len(inputs), BLOCK):
        count = min(BLOCK, len(inputs) - first)
        rows = _rows_for(count)
        here = first // BLOCK * size
        kept = here + size <= len(slopes)
        values_here = values[here : here + size] if kept else scratch[0]
        slopes_here = slopes[here : here + size] if kept else scratch[1]
        _load(inputs, first, count, rows, block)
        if not kept:
            _hidden(block, packed, values_here, slopes_here, rows)
        grad = grad_output[first : first + count]
        _back_output(values_here[last:], slopes_here[last:], packed, grad, rows, delta, last_part)
        _back(
            block, packed, values_here, slopes_here, delta, other, rows,
            weights_part, biases_part, d_block,
        )  # fmt: skip
        for i in range(count if len(d_inputs) else 0):
            d_inputs[first + i] = d_block[i * x_row : i * x_row + packed.n_inputs]
        group_ends = (first // BLOCK + 1) % _GROUP == 0 or first + BLOCK >= len(inputs)
        if wanted and group_ends:
            _move(weights_part, gradient[:n_weights])
            _move(biases_part, gradient[n_weights : n_weights + n_biases])
            _move(last_part, gradient[n_weights + n_biases : n_weights + n_biases + row])
    if wanted:
        for i in range(len(grad_output)):
            gradient[-1] += grad_output[i]
