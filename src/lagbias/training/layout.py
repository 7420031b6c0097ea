"""The parameters of a network in one flat array, with rows as the kernels need them."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lagbias.training.cpu_kernels.network_kernels import Packed, padded

if TYPE_CHECKING:
    import torch

__all__ = ["Layout"]


class Layout(NamedTuple):
    """Where each parameter is: hidden weights, hidden biases, then weights and bias of the output.

    Hidden weights are matrices (padded(width), padded(fan in)) and other rows have padded(width)
    numbers; what pads them is zero. Hidden layers have equal widths.

    Parameters
    ----------
    n_inputs, hidden_layers, width : int
        See `lagbias.training.torch_network.HaloToMassNet`.
    """

    n_inputs: int
    hidden_layers: int
    width: int

    @classmethod
    def of(cls, weights: Mapping[str, np.ndarray]) -> "Layout":
        """Return the layout of named weights (see `named`)."""
        width, n_inputs = weights["layers.0.weight"].shape
        return cls(n_inputs, len(weights) // 2 - 1, width)

    @property
    def fans(self) -> list[tuple[int, int]]:
        """Fan in and fan out of each layer."""
        sizes = [self.n_inputs, *[self.width] * self.hidden_layers, 1]
        return list(pairwise(sizes))

    @property
    def lengths(self) -> list[int]:
        """Numbers in each part of the array: hidden weights, biases, last weights, last bias."""
        row = padded(self.width)
        weights = [row * padded(fan_in) for fan_in, _ in self.fans[:-1]]
        return [*weights, *[row] * self.hidden_layers, row, 1]

    def parameters(self, parts: Sequence) -> list:
        """Return weight (fan out, fan in) and bias (fan out,) of each layer in turn.

        Parameters
        ----------
        parts : sequence of ndarray or Tensor
            The array, split into `lengths`.

        Returns
        -------
        list of ndarray or Tensor
            Views of `parts`.
        """
        hidden, row = self.hidden_layers, padded(self.width)
        found = []
        for weight, bias, (fan_in, _) in zip(parts, parts[hidden:], self.fans[:-1], strict=False):
            matrix = weight.reshape(row, padded(fan_in))
            found += [matrix[: self.width, :fan_in], bias[: self.width]]
        return [*found, parts[-2][None, : self.width], parts[-1]]

    def first_weight(self, flat: "torch.Tensor") -> "torch.Tensor":
        """Return the first weight, (width, n_inputs), a view of the array."""
        matrix = flat[: self.lengths[0]].reshape(padded(self.width), padded(self.n_inputs))
        return matrix[: self.width, : self.n_inputs]

    def named(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """Return views of the parameters by their names in artefacts.

        Parameters
        ----------
        flat : ndarray, float32
            The array.

        Returns
        -------
        dict of str to ndarray
            ``layers.<i>.weight`` of shape (fan out, fan in) and ``layers.<i>.bias`` (fan out,).
        """
        parts = np.split(flat, np.cumsum(self.lengths)[:-1])
        names = [f"layers.{i}.{kind}" for i in range(len(self.fans)) for kind in ("weight", "bias")]
        return dict(zip(names, self.parameters(parts), strict=True))

    def flat(self, weights: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the array, float32, of named weights."""
        flat = np.zeros(sum(self.lengths), np.float32)
        for name, view in self.named(flat).items():
            view[:] = weights[name]
        return flat

    def packed(self, flat: np.ndarray) -> Packed:
        """Return the array as the kernels read it: views, and room for the transposes."""
        row = padded(self.width)
        weights = sum(self.lengths[: self.hidden_layers])
        biases = weights + self.hidden_layers * row
        return Packed(
            straight=flat[:weights],
            transposed=np.empty(weights, np.float32),
            biases=flat[weights:biases],
            last=flat[biases : biases + row],
            last_bias=flat[biases + row :],
            n_inputs=self.n_inputs,
            width=self.width,
        )
