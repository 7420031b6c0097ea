"""The fully connected network on a CPU core as one differentiable function of its inputs.

It gives what layer after layer of PyTorch gives, to rounding, in a fraction of the time: see
`lagbias.training.cpu_kernels.network_kernels`.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch.autograd import Function

from lagbias.runtime import device
from lagbias.training.cpu_kernels.network_kernels import Packed, backward, forward, padded

__all__ = ["evaluate", "layer_by_layer", "suits"]


def layer_by_layer(inputs: torch.Tensor, parameters: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the network's output, computed by PyTorch.

    Parameters
    ----------
    inputs : Tensor, shape (P, n_inputs)
        Inputs, dimensionless.
    parameters : sequence of Tensor
        Weight (fan out, fan in) and bias (fan out,) of each layer in turn; the last one has a
        fan out of one, the others have a GELU behind them.

    Returns
    -------
    Tensor, shape (P,)
        Output, dimensionless.
    """
    hidden = inputs
    for weight, bias in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        hidden = torch.nn.functional.gelu(torch.nn.functional.linear(hidden, weight, bias))
    return torch.nn.functional.linear(hidden, *parameters[-2:]).squeeze(-1)


def suits(inputs: torch.Tensor, parameters: Sequence[torch.Tensor]) -> bool:
    """Say whether `evaluate` can replace `layer_by_layer`: float32 numbers on the CPU.

    Parameters
    ----------
    inputs, parameters
        As in `layer_by_layer`; hidden layers have equal widths.
    """
    return (
        inputs.ndim == 2
        and inputs.shape[1] == parameters[0].shape[1]
        and all(
            tensor.dtype == torch.float32 and device.on_host(tensor)
            for tensor in (inputs, *parameters)
        )
    )


def evaluate(inputs: torch.Tensor, parameters: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the network's output, computed by the kernels on one thread.

    Parameters
    ----------
    inputs, parameters
        As in `layer_by_layer`, such that `suits` holds.

    Returns
    -------
    Tensor, shape (P,)
        Output, dimensionless, differentiable with respect to inputs and parameters. Derivatives
        beyond the first are PyTorch's.
    """
    return _Network.apply(inputs, *parameters)


class _Network(Function):
    @staticmethod
    def forward(ctx, inputs, *parameters):
        ctx.save_for_backward(inputs, *parameters)
        ctx.packed = _pack(parameters)
        output = torch.empty(len(inputs))
        forward(_array(inputs), ctx.packed, output.numpy())
        return output

    @staticmethod
    def backward(ctx, slope):
        if torch.is_grad_enabled():  # somebody wants to differentiate this again
            return _differentiable_gradients(ctx, slope)
        inputs, *parameters = ctx.saved_tensors  # refuses to go on if they changed since
        packed = ctx.packed
        wanted = any(ctx.needs_input_grad[1:])
        d_weights = np.zeros(len(packed.straight) if wanted else 0)
        d_biases = np.zeros(len(packed.biases) if wanted else 0)
        d_last = np.zeros(len(packed.last))
        d_inputs = torch.empty_like(inputs if ctx.needs_input_grad[0] else inputs[:0])
        backward(
            _array(inputs), packed, _array(slope), d_weights, d_biases, d_last, d_inputs.numpy()
        )
        gradients = [d_inputs if ctx.needs_input_grad[0] else None]
        if not wanted:
            return *gradients, *[None] * len(parameters)
        gradients += _unpack(d_weights, d_biases, d_last, parameters)
        return *gradients, slope.sum(dtype=torch.float64).to(torch.float32).reshape(1)


def _differentiable_gradients(ctx, slope: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    """Return the gradients as PyTorch has them, with their own history."""
    tensors = ctx.saved_tensors
    wanted = [
        tensor for tensor, needed in zip(tensors, ctx.needs_input_grad, strict=True) if needed
    ]
    output = layer_by_layer(tensors[0], tensors[1:])
    found = iter(torch.autograd.grad(output, wanted, slope, create_graph=True))
    return tuple(next(found) if needed else None for needed in ctx.needs_input_grad)


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


def _pack(parameters: Sequence[torch.Tensor]) -> Packed:
    """Lay the weights out for the kernels."""
    *hidden, last, last_bias = [_array(parameter) for parameter in parameters]
    width, n_inputs = hidden[0].shape
    row = padded(width)
    places = _places(parameters)
    # tensors start with a cache line
    size = places[-1][0].stop
    straight, transposed, biases, padded_last = (
        torch.zeros(size).numpy() for size in (size, size, len(places) * row, row)
    )
    for layer, (place, shape) in enumerate(places):
        weight, bias = hidden[2 * layer : 2 * layer + 2]
        straight[place].reshape(shape)[:width, : weight.shape[1]] = weight
        transposed[place].reshape(shape[::-1])[: weight.shape[1], :width] = weight.T
        biases[layer * row :][:width] = bias
    padded_last[:width] = last[0]
    return Packed(straight, transposed, biases, padded_last, last_bias, n_inputs, width)


def _unpack(
    d_weights: np.ndarray,
    d_biases: np.ndarray,
    d_last: np.ndarray,
    parameters: Sequence[torch.Tensor],
) -> list[torch.Tensor]:
    """Return the gradients of all parameters but the last, each in its own shape."""
    weights, biases, last = (
        torch.from_numpy(sums.astype(np.float32)) for sums in (d_weights, d_biases, d_last)
    )
    width, gradients = parameters[0].shape[0], []
    for layer, (place, shape) in enumerate(_places(parameters)):
        fan_in = parameters[2 * layer].shape[1]
        gradients.append(weights[place].view(shape)[:width, :fan_in].contiguous())
        gradients.append(biases[layer * shape[0] :][:width])
    return [*gradients, last[None, :width]]


def _places(parameters: Sequence[torch.Tensor]) -> list[tuple[slice, tuple[int, int]]]:
    """Return where each hidden layer's matrix lies in Packed.straight, and its padded shape."""
    places, first = [], 0
    for weight in parameters[:-2:2]:
        shape = tuple(padded(size) for size in weight.shape)
        places.append((slice(first, first + shape[0] * shape[1]), shape))
        first += shape[0] * shape[1]
    return places
