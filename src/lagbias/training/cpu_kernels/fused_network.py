"""The fully connected network on a CPU core, differentiable, for PyTorch.

Equal to PyTorch's layers up to rounding, in a fraction of the time: see
`lagbias.training.cpu_kernels.network_kernels`.
"""

import numpy as np
import torch
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from lagbias.training.cpu_kernels import network_kernels
from lagbias.training.layout import Layout

__all__ = ["evaluate", "gradient", "suits"]


def suits(inputs: torch.Tensor, flat: torch.Tensor, layout: Layout) -> bool:
    """Return whether the kernels apply: float32 tensors of the right shape on the CPU.

    Parameters
    ----------
    inputs, flat, layout
        See `evaluate`.
    """
    return (
        inputs.ndim == 2
        and inputs.shape[1] == layout.n_inputs
        and all(t.dtype == torch.float32 and t.is_cpu for t in (inputs, flat))
    )


def evaluate(inputs: torch.Tensor, flat: torch.Tensor, layout: Layout) -> torch.Tensor:
    """Return the network's output, computed on one thread.

    Parameters
    ----------
    inputs : Tensor, float32, shape (P, n_inputs)
        Inputs, dimensionless.
    flat : Tensor, float32, shape (n,)
        Parameters of the network.
    layout : Layout
        Their places in `flat`.

    Returns
    -------
    Tensor, shape (P,)
        Output, dimensionless, once differentiable with respect to `inputs` and `flat`.
    """
    return _Output.apply(inputs, flat, layout)


def gradient(
    inputs: torch.Tensor, flat: torch.Tensor, layout: Layout, slope: torch.Tensor
) -> torch.Tensor:
    """Return Σ_i slope_i ∂y_i/∂flat, without the forward pass of automatic differentiation.

    Parameters
    ----------
    inputs, flat, layout
        See `evaluate`.
    slope : Tensor, float32, shape (P,)
        Derivative of something with respect to each output.

    Returns
    -------
    Tensor, float32, shape (n,)
        Its derivative with respect to the parameters.
    """
    found = np.zeros(len(flat))
    _backward(inputs, _packed(flat, layout), slope, found, np.empty((0, 0), np.float32))
    return torch.from_numpy(found.astype(np.float32))


class _Output(Function):
    @staticmethod
    def forward(ctx, inputs, flat, layout):
        ctx.save_for_backward(inputs, flat)
        output, nothing = torch.empty(len(inputs)), np.empty(0, np.float32)
        packed = ctx.packed = _packed(flat, layout)
        network_kernels.forward(_array(inputs), packed, output.numpy(), nothing, nothing)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        inputs, flat = ctx.saved_tensors  # raises if they have changed since
        into_inputs, into_flat, _ = ctx.needs_input_grad
        d_inputs = torch.empty_like(inputs if into_inputs else inputs[:0])
        d_flat = np.zeros(len(flat) if into_flat else 0)
        _backward(inputs, ctx.packed, grad_output, d_flat, d_inputs.numpy())
        d_flat = torch.from_numpy(d_flat.astype(np.float32))
        return d_inputs if into_inputs else None, d_flat if into_flat else None, None


def _packed(flat: torch.Tensor, layout: Layout) -> network_kernels.Packed:
    packed = layout.packed(_array(flat))
    network_kernels.transpose(packed)
    return packed


def _backward(
    inputs: torch.Tensor,
    packed: network_kernels.Packed,
    slope: torch.Tensor,
    d_flat: np.ndarray,
    d_inputs: np.ndarray,
) -> None:
    """Add to the derivatives that are not empty."""
    nothing = np.empty(0, np.float32)
    network_kernels.backward(
        _array(inputs), packed, _array(slope), d_flat, d_inputs, nothing, nothing
    )


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()
