"""A trained network as data, without PyTorch."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from lagbias.schema import fields
from lagbias.schema.labels import EnsembleLabels

__all__ = ["Network"]


@dataclass(frozen=True, kw_only=True)
class Network(EnsembleLabels):
    """A trained network with its loss history.

    Losses and ⟨f⟩ of an epoch are averages over its batches, each with the weights of its own
    step; the validation loss is that of the weights at the epoch's end, NaN where it was not
    measured.
    """

    KIND: ClassVar[str] = "network"
    weights: Mapping[str, np.ndarray] = fields.arrays(
        "1", "float32, see `lagbias.training.torch_network.HaloToMassNet.from_weights`"
    )
    history: Mapping[str, np.ndarray] = fields.arrays(
        "1", "loss_per_cell, mean_f, learning_rate, validation_loss_per_cell by epoch", finite=False
    )
    normalisation: float = fields.number("1", "f = 10^y / normalisation", default=1.0)
    seed: int = fields.number("1", "of weights, sub-sample and batches", default=0)
    n_cells: int = fields.number("1", "cells of the training grid", default=0)
    occupied_cells: int = fields.number("1", "cells with particles", default=0)
    smallest_draw: int = fields.number("1", "fewest particles drawn in such a cell", default=0)
    validation_box: str = fields.label("box of the validation loss")

    def __post_init__(self) -> None:
        lengths = {name: np.shape(values) for name, values in self.history.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"Network: its history has arrays of different lengths: {lengths}.")
        _check_weights(self.weights)

    @property
    def losses(self) -> np.ndarray:
        """Training loss per cell of each epoch, float64, shape (epochs,), dimensionless."""
        return self.history["loss_per_cell"]

    @property
    def validation_losses(self) -> np.ndarray:
        """Validation loss per cell of each epoch, float64, shape (epochs,), dimensionless."""
        return self.history["validation_loss_per_cell"]


def _check_weights(weights: Mapping[str, np.ndarray]) -> None:
    """Raise ValueError unless arrays are the weights and biases of consecutive layers."""
    count = len(weights) // 2
    pairs = [
        (weights.get(f"layers.{i}.weight"), weights.get(f"layers.{i}.bias")) for i in range(count)
    ]
    fits = len(weights) == 2 * count >= 4 and all(w is not None and b is not None for w, b in pairs)
    fits = fits and all(w.ndim == 2 and b.shape == w.shape[:1] for w, b in pairs)
    fits = fits and all(a[0].shape[0] == b[0].shape[1] for a, b in pairwise(pairs))
    if not (fits and pairs[-1][0].shape[0] == 1 and 0 not in pairs[0][0].shape):
        shapes = {name: np.shape(values) for name, values in weights.items()}
        raise ValueError(f"Network: the weights {shapes} do not form a network; train it again.")
