"""The fully connected network on a CPU core as one differentiable function of its inputs.

Equal to PyTorch's layers up to rounding, in a fraction of the time: see
`lagbias.training.cpu_kernels.network_kernels`.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch.autograd import Function

from lagbias.training.cpu_kernels.network_kernels import Packed, backward, forward, padded

__all__ = ["evaluate", "layer_by_layer", "suits"]


def layer_by_layer(inputs: torch.Tensor, parameters: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the network's output, computed by PyTorch.

    Parameters
    ----------
    inputs : Tensor, shape (P, n_inputs)
        Inputs, dimensionless.
    parameters : sequence of Tensor
        Weight (fan out, fan in) and bias (fan out,) of each layer in turn; a GELU follows each
        layer but the last, which has a fan out of one.

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
    """Return whether `evaluate` can replace `layer_by_layer`: float32 tensors on the CPU.

    Parameters
    ----------
    inputs, parameters
        See `layer_by_layer`; hidden layers have equal widths.
    """
    return (
        inputs.ndim == 2
        and inputs.shape[1] == parameters[0].shape[1]
        and all(t.dtype == torch.float32 and t.is_cpu for t in (inputs, *parameters))
    )


def evaluate(inputs: torch.Tensor, parameters: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the network's output, computed by the kernels on one thread.

    Parameters
    ----------
    inputs, parameters
        See `layer_by_layer`; `suits` must hold.

    Returns
    -------
    Tensor, shape (P,)
        Output, dimensionless, differentiable with respect to inputs and parameters. Higher
        derivatives are PyTorch's.
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
    def backward(ctx, grad_output):
        if torch.is_grad_enabled():  # for higher derivatives
            return _differentiable_gradients(ctx, grad_output)
        inputs, *parameters = ctx.saved_tensors  # raises if they have changed since
        packed = ctx.packed
        wanted = any(ctx.needs_input_grad[1:])
        d_weights = np.zeros(len(packed.straight) if wanted else 0)
        d_biases = np.zeros(len(packed.biases) if wanted else 0)
        d_last = np.zeros(len(packed.last))
        d_inputs = torch.empty_like(inputs if ctx.needs_input_grad[0] else inputs[:0])
        sums = d_weights, d_biases, d_last
        backward(_array(inputs), packed, _array(grad_output), *sums, d_inputs.numpy())
        gradients = [d_inputs if ctx.needs_input_grad[0] else None]
        if not wanted:
            return *gradients, *[None] * len(parameters)
        gradients += _unpack(*sums, parameters)
        return *gradients, grad_output.sum(dtype=torch.float64).to(torch.float32).reshape(1)


def _differentiable_gradients(ctx, grad_output: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    """Return PyTorch's gradients, which can be differentiated again."""
    tensors = ctx.saved_tensors
    wanted = [
        tensor for tensor, needed in zip(tensors, ctx.needs_input_grad, strict=True) if needed
    ]
    output = layer_by_layer(tensors[0], tensors[1:])
    found = iter(torch.autograd.grad(output, wanted, grad_output, create_graph=True))
    return tuple(next(found) if needed else None for needed in ctx.needs_input_grad)


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


def _pack(parameters: Sequence[torch.Tensor]) -> Packed:
    """Copy the weights to the layout of the kernels."""
    *hidden, last, last_bias = [_array(parameter) for parameter in parameters]
    width, n_inputs = hidden[0].shape
    row = padded(width)
    places = _places(parameters)
    # arrays of PyTorch are aligned to cache lines
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
    """Return the gradients of all parameters but the last bias, each in its own shape."""
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
    """Return the slice of each hidden layer in Packed.straight, and its padded shape."""
    places, first = [], 0
    for weight in parameters[:-2:2]:
        shape = tuple(padded(size) for size in weight.shape)
        places.append((slice(first, first + shape[0] * shape[1]), shape))
        first += shape[0] * shape[1]
    return places
