"""The network that maps whitened features to y = log10 f (Wu, Muñoz & Eisenstein 2023, §2.1)."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lagbias.training.cpu_kernels import fused_network
from lagbias.training.layout import Layout

__all__ = ["HaloToMassNet", "TorchNetwork", "f_from_output"]


class HaloToMassNet(nn.Module):
    """Fully connected network with exact GELU activations and a linear output.

    The paper's network has five hidden layers of 64 neurons: 17,217 parameters for the seven
    inputs of three smoothing scales.

    Parameters
    ----------
    n_inputs : int
        Whitened features per particle.
    hidden_layers : int
        Hidden layers, at least one.
    width : int
        Neurons per hidden layer.
    generator : torch.Generator, optional
        Source of the initial weights, uniform within ±1/√(fan in), PyTorch's usual choice.
        Without it they are zero.

    Attributes
    ----------
    layout : Layout
        Sizes, and the places of the parameters.
    flat : Parameter, float32
        All parameters.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden_layers: int = 5,
        width: int = 64,
        *,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        self.layout = Layout(n_inputs, hidden_layers, width)
        self.flat = nn.Parameter(torch.zeros(sum(self.layout.lengths)))
        if generator is not None:
            self._initialise(generator)

    def _initialise(self, generator: torch.Generator) -> None:
        for number, parameter in enumerate(self._parameters_of(self.flat.detach())):
            bound = self.layout.fans[number // 2][0] ** -0.5
            drawn = torch.empty(parameter.shape).uniform_(-bound, bound, generator=generator)
            parameter.copy_(drawn)

    def _parameters_of(self, flat: torch.Tensor) -> list[torch.Tensor]:
        """Return weight (fan out, fan in) and bias (fan out,) of each layer, views of `flat`."""
        return self.layout.parameters(flat.split(self.layout.lengths))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return y = log10 f, not normalised.

        Parameters
        ----------
        inputs : Tensor, shape (P, n_inputs)
            Whitened features, dimensionless.

        Returns
        -------
        Tensor, shape (P,)
            y, dimensionless.
        """
        if fused_network.suits(inputs, self.flat, self.layout):
            return fused_network.evaluate(inputs, self.flat, self.layout)
        return self.layer_by_layer(inputs)

    def gradient(self, inputs: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
        """Return Σ_i slope_i ∂y_i/∂flat.

        Parameters
        ----------
        inputs : Tensor, float32, shape (P, n_inputs)
            Whitened features, dimensionless.
        slope : Tensor, float32, shape (P,)
            Derivative of something with respect to y of each particle.

        Returns
        -------
        Tensor, float32, shape (n,)
            Its derivative with respect to the parameters.
        """
        if fused_network.suits(inputs, self.flat, self.layout):
            return fused_network.gradient(inputs, self.flat, self.layout, slope)
        return torch.autograd.grad(self.layer_by_layer(inputs), self.flat, slope)[0]

    def layer_by_layer(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return what `forward` returns, computed by PyTorch."""
        *hidden, last, last_bias = self._parameters_of(self.flat)
        values = inputs
        for weight, bias in zip(hidden[::2], hidden[1::2], strict=True):
            values = functional.gelu(functional.linear(values, weight, bias))
        return functional.linear(values, last, last_bias).squeeze(-1)

    @classmethod
    def from_weights(cls, weights: Mapping[str, np.ndarray]) -> "HaloToMassNet":
        """Build a network, on the CPU, from its weights, whose shapes determine its size.

        Parameters
        ----------
        weights : mapping of str to ndarray, float32
            ``layers.<i>.weight`` of shape (fan out, fan in) and ``layers.<i>.bias`` (fan out,).
        """
        network = cls(*Layout.of(weights))
        network.flat.detach().copy_(torch.from_numpy(network.layout.flat(weights)))
        return network

    def to_weights(self) -> dict[str, np.ndarray]:
        """Return a copy of the weights as float32 arrays; see `from_weights`."""
        named = self.layout.named(self.flat.detach().cpu().numpy())
        return {name: values.copy() for name, values in named.items()}


def f_from_output(output: torch.Tensor) -> torch.Tensor:
    """Return 10^y: f without normalisation, positive.

    Parameters
    ----------
    output : Tensor, any shape
        y, the network's output, dimensionless.
    """
    return torch.pow(10.0, output)


class TorchNetwork:
    """A network whose weights do not change, on a device.

    Parameters
    ----------
    weights : mapping of str to ndarray, float32
        See `HaloToMassNet.from_weights`.
    device : str
        Of PyTorch.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], device: str):
        self._device = device
        self._network = HaloToMassNet.from_weights(weights).to(device).requires_grad_(False)

    def f(self, inputs: np.ndarray) -> np.ndarray:
        """Return 10^y without normalisation, float32, shape (P,), of inputs (P, n_inputs)."""
        with torch.inference_mode():
            batch = torch.tensor(inputs, dtype=torch.float32, device=self._device)
            return f_from_output(self._network(batch)).cpu().numpy()

    def f_and_gradient(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return 10^y and its derivative with respect to each input, (P,) and (P, n_inputs)."""
        batch = torch.tensor(inputs, dtype=torch.float32, device=self._device, requires_grad=True)
        with torch.enable_grad():
            f = f_from_output(self._network(batch))
            # f of a particle depends on its own inputs only: the sum's gradient has all
            (gradient,) = torch.autograd.grad(f.sum(), batch)
        return f.detach().cpu().numpy(), gradient.cpu().numpy()
