"""The network that maps whitened features to y = log10 f (Wu, Muñoz & Eisenstein 2023, §2.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from lagbias.training.cpu_kernels import fused_network

__all__ = ["HaloToMassNet", "TrainedNetwork", "f_from_output"]


class _Linear(nn.Module):
    """Weight and bias of a layer, uninitialised.

    nn.Linear would draw from torch's global random state, and `nn.utils.skip_init`, which keeps it
    from doing so, takes half a second of every job to load.
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
        Without it the weights are left uninitialised, to be loaded.

    Raises
    ------
    ValueError
        If a size is not positive.
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
        if min(n_inputs, hidden_layers, width) < 1:
            raise ValueError(
                f"A network of n_inputs={n_inputs}, hidden_layers={hidden_layers}, width={width} "
                f"cannot be made; all three must be positive."
            )
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
        # as self.parameters() has them, for less
        parameters = [tensor for layer in self.layers for tensor in (layer.weight, layer.bias)]
        if fused_network.suits(inputs, parameters):
            return fused_network.evaluate(inputs, parameters)
        return fused_network.layer_by_layer(inputs, parameters)

    @classmethod
    def from_weights(cls, weights: Mapping[str, np.ndarray]) -> "HaloToMassNet":
        """Rebuild a network from its weights, whose shapes say how large it is.

        Parameters
        ----------
        weights : mapping of str to ndarray, float32
            ``layers.<i>.weight`` of shape (fan out, fan in) and ``layers.<i>.bias`` (fan out,).

        Returns
        -------
        HaloToMassNet
            The network, on the CPU.

        Raises
        ------
        ValueError
            If the arrays do not form such a network.
        """
        try:
            width, n_inputs = weights["layers.0.weight"].shape
            network = cls(n_inputs, len(weights) // 2 - 1, width)
            network.load_state_dict(
                {name: torch.tensor(np.asarray(values)) for name, values in weights.items()}
            )
        except (KeyError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"The weights {sorted(weights)} do not form a network ({error}). They were made by "
                f"another version of lagbias; train the network again."
            ) from error
        return network

    def to_weights(self) -> dict[str, np.ndarray]:
        """Return a copy of the weights as float32 arrays, as `from_weights` takes them."""
        return {name: tensor.cpu().numpy().copy() for name, tensor in self.state_dict().items()}


@dataclass(frozen=True)
class TrainedNetwork:
    """What training gives.

    Parameters
    ----------
    weights : dict of str to ndarray, float32
        Weights, see `HaloToMassNet.from_weights`.
    normalisation : float
        f = 10^y / normalisation, dimensionless.
    history : dict of str to ndarray, float64, shape (epochs,)
        ``loss_per_cell``, ``mean_f``, ``learning_rate`` and ``validation_loss_per_cell`` of each
        epoch, dimensionless. The first two are averages over the epoch's batches, each with the
        weights of its own step; the last one, with the weights at the epoch's end, is NaN where
        there was no validation box.
    """

    weights: dict[str, np.ndarray]
    normalisation: float
    history: dict[str, np.ndarray] = field(default_factory=dict)


def f_from_output(output: torch.Tensor) -> torch.Tensor:
    """Return 10^y: f up to its normalisation, positive.

    Parameters
    ----------
    output : Tensor, any shape
        y, the network's output, dimensionless.
    """
    return torch.pow(10.0, output)
