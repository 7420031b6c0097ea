"""The network that maps whitened features to y = log10 f (Wu, Muñoz & Eisenstein 2023, §2.1)."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from lagbias.training.cpu_kernels import fused_network

__all__ = ["HaloToMassNet", "f_from_output"]


class _Linear(nn.Module):
    """Uninitialised weight and bias of a layer.

    nn.Linear would draw from PyTorch's global random state; importing `nn.utils.skip_init`, which
    avoids that, takes half a second.
    """

    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.in_features = in_features
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.empty(out_features))


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
        Without it the weights stay uninitialised.
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
        sizes = [n_inputs] + [width] * hidden_layers + [1]
        self.layers = nn.ModuleList(_Linear(*pair) for pair in pairwise(sizes))
        if generator is not None:
            self._initialise(generator)

    def _initialise(self, generator: torch.Generator) -> None:
        with torch.no_grad():
            for layer in self.layers:
                bound = layer.in_features**-0.5
                for parameter in (layer.weight, layer.bias):
                    parameter.uniform_(-bound, bound, generator=generator)

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
        # faster than self.parameters()
        parameters = [tensor for layer in self.layers for tensor in (layer.weight, layer.bias)]
        if fused_network.suits(inputs, parameters):
            return fused_network.evaluate(inputs, parameters)
        return fused_network.layer_by_layer(inputs, parameters)

    @classmethod
    def from_weights(cls, weights: Mapping[str, np.ndarray]) -> "HaloToMassNet":
        """Build a network, on the CPU, from its weights, whose shapes determine its size.

        Parameters
        ----------
        weights : mapping of str to ndarray, float32
            ``layers.<i>.weight`` of shape (fan out, fan in) and ``layers.<i>.bias`` (fan out,).
        """
        width, n_inputs = weights["layers.0.weight"].shape
        network = cls(n_inputs, len(weights) // 2 - 1, width)
        network.load_state_dict({name: torch.tensor(values) for name, values in weights.items()})
        return network

    def to_weights(self) -> dict[str, np.ndarray]:
        """Return a copy of the weights as float32 arrays; see `from_weights`."""
        return {name: tensor.cpu().numpy().copy() for name, tensor in self.state_dict().items()}


def f_from_output(output: torch.Tensor) -> torch.Tensor:
    """Return 10^y: f without normalisation, positive.

    Parameters
    ----------
    output : Tensor, any shape
        y, the network's output, dimensionless.
    """
    return torch.pow(10.0, output)
