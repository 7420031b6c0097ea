"""One step of training on a CPU core, compiled as a whole.

In PyTorch, the operations on a small batch's cells take as long as the network itself.
"""

from typing import NamedTuple

import numba
import numpy as np

from lagbias.training.cpu_kernels.network_kernels import (
    LN_10,
    backward,
    forward,
    power_of_ten,
    transpose,
)

__all__ = ["Adam", "Cells", "Memory", "adam_step", "differentiate"]


class Cells(NamedTuple):
    """A training set; see `lagbias.training.device_cells.DeviceCells`."""

    inputs: np.ndarray
    start: np.ndarray
    size: np.ndarray
    factor: np.ndarray
    target: np.ndarray
    occupied_fraction: float


class Adam(NamedTuple):
    """State of the optimiser, float32, and its coefficients."""

    parameters: np.ndarray
    first_moment: np.ndarray
    second_moment: np.ndarray
    steps: np.ndarray
    beta1: float
    beta2: float
    epsilon: float


class Memory(NamedTuple):
    """Work arrays, used again in every step: new memory would cost as much time.

    Parameters
    ----------
    inputs : ndarray, float32, shape (P, n_inputs)
        Of the largest batch.
    output, f, gradient : ndarray, float32, shape (P,)
    values, slopes : ndarray, float32
        What is kept from the forward to the backward pass; see
        `lagbias.training.cpu_kernels.network_kernels.forward`.
    sums : ndarray, float64
        Gradient of the parameters.
    """

    inputs: np.ndarray
    output: np.ndarray
    f: np.ndarray
    gradient: np.ndarray
    values: np.ndarray
    slopes: np.ndarray
    sums: np.ndarray


@numba.njit(nogil=True, cache=True)
def differentiate(
    cells, chosen, packed, latest, memory, lowest, floor
):  # pragma: no cover - compiled
    """Differentiate the loss and the penalties of a batch of cells.

    Parameters
    ----------
    cells : Cells
        The training set.
    chosen : ndarray, int64, shape (B,)
        Indices of the batch's cells.
    packed : Packed
        The network's parameters.
    latest : ndarray, float32, shape (occupied cells,) or (0,)
        Memory of `lagbias.training.losses.Normalise`, changed; empty without a constraint.
    memory : Memory
        Work arrays, of which ``sums`` has the result.
    lowest : float
        y below which `lagbias.training.losses.non_negativity` sets in.
    floor : float
        `lagbias.training.losses.TARGET_FLOOR`.

    Returns
    -------
    loss, mass : float
        Squared loss, and sum of 1 + δ_model over the cells.
    """
    count = _gather(cells, chosen, memory.inputs)
    inputs, output, f = memory.inputs[:count], memory.output[:count], memory.f[:count]
    gradient = memory.gradient[:count]
    transpose(packed)
    forward(inputs, packed, output, memory.values, memory.slopes)
    power_of_ten(output, f)
    loss, mass = _objective(cells, chosen, f, latest, floor, gradient)
    for i in range(count):
        if output[i] < lowest:
            gradient[i] += 4 * (output[i] - lowest) ** 3
    memory.sums[:] = 0.0
    backward(inputs, packed, gradient, memory.sums, inputs[:0], memory.values, memory.slopes)
    return loss, mass


@numba.njit(nogil=True, cache=True)
def _gather(cells, chosen, result):  # pragma: no cover - compiled
    """Copy the inputs of some cells, one cell after another; return the number of particles."""
    row = 0
    for cell in chosen:
        for source in range(cells.start[cell], cells.start[cell] + cells.size[cell]):
            for column in range(result.shape[1]):
                result[row, column] = cells.inputs[source, column]
            row += 1
    return row


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _objective(cells, chosen, f, latest, floor, gradient):  # pragma: no cover - compiled
    """Return squared loss and sum of the model; write the gradient of loss and penalty in y.

    The scale Z has the value of the mean over all cells and the gradient of the batch's own mean.
    """
    count = len(chosen)
    mass = np.empty(count)
    stop = 0
    for i in range(count):
        first, stop = stop, stop + cells.size[chosen[i]]
        total = 0.0
        for j in range(first, stop):
            total += f[j]
        mass[i] = cells.factor[chosen[i]] * np.float32(total)
    scale, mean, offset = 1.0, 1.0, 0.0
    if len(latest):
        scale, mean, offset = _normalise(cells, chosen, mass, latest, floor)
    loss, model, along = 0.0, 0.0, 0.0
    for i in range(count):
        residual = mass[i] / scale - cells.target[chosen[i]]
        loss += residual**2
        model += mass[i] / scale
        along += residual * mass[i]
    # of the scale and of the penalty, the same for all cells
    common = (offset / LN_10 - along / (scale * count)) / mean if len(latest) else 0.0
    stop = 0
    for i in range(count):
        first, stop = stop, stop + cells.size[chosen[i]]
        residual = mass[i] / scale - cells.target[chosen[i]]
        factor = np.float32(2 * (residual / scale + common) * cells.factor[chosen[i]]) * LN_10
        for j in range(first, stop):
            gradient[j] = factor * f[j]
    return loss, model


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _normalise(cells, chosen, mass, latest, floor):  # pragma: no cover - compiled
    """Return the scale Z, the batch's mean mass and log10 of it over the mean target."""
    mean, target = 0.0, 0.0
    for i in range(len(chosen)):
        latest[chosen[i]] = mass[i]
        mean += mass[i] / len(chosen)
        target += cells.target[chosen[i]] / len(chosen)
    total, reached = 0.0, 0
    for value in latest:
        total += value
        reached += value != 0
    scale = cells.occupied_fraction * total / reached
    return scale, mean, np.log10(mean / (target + floor))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def adam_step(adam, gradient, learning_rate):  # pragma: no cover - compiled
    """Update the parameters (Kingma & Ba 2015), in the form of PyTorch."""
    adam.steps[()] += 1
    rate = np.float32(learning_rate / (1 - adam.beta1 ** adam.steps[()]))
    correction = np.float32(1 / np.sqrt(1 - adam.beta2 ** adam.steps[()]))
    beta1, beta2 = np.float32(adam.beta1), np.float32(adam.beta2)
    rest1, rest2 = np.float32(1 - adam.beta1), np.float32(1 - adam.beta2)
    epsilon = np.float32(adam.epsilon)
    first, second, parameters = adam.first_moment, adam.second_moment, adam.parameters
    for i in range(len(parameters)):
        slope = np.float32(gradient[i])
        first[i] = beta1 * first[i] + rest1 * slope
        second[i] = beta2 * second[i] + rest2 * slope * slope
        parameters[i] -= rate * first[i] / (np.sqrt(second[i]) * correction + epsilon)
