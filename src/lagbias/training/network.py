"""A trained network as data, without PyTorch."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from lagbias.schema import fields

__all__ = ["Network"]


@dataclass(frozen=True, kw_only=True)
class Network:
    """A trained network with its loss history.

    Attributes
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
    seed : int
        Seed of the initial weights, the sub-sample and the batches.
    n_cells, occupied_cells, smallest_draw : int
        Cells of the training grid, those with particles, and the fewest particles drawn in one of
        these.
    train_box, sample, smoothing_set, inputs, validation_box : str
        What it was trained on.
    """

    KIND: ClassVar[str] = "network"
    weights: Mapping[str, np.ndarray] = fields.arrays("1", "weights and biases")
    history: Mapping[str, np.ndarray] = fields.arrays("1", "per epoch", finite=False)
    normalisation: float = fields.number("1", "f = 10^y / normalisation", default=1.0)
    seed: int = fields.number("1", "of weights, sub-sample and batches", default=0)
    n_cells: int = fields.number("1", "cells of the training grid", default=0)
    occupied_cells: int = fields.number("1", "cells with particles", default=0)
    smallest_draw: int = fields.number("1", "fewest particles drawn in such a cell", default=0)
    train_box: str = fields.label("training box")
    validation_box: str = fields.label("box of the validation loss")
    sample: str = fields.label("halo sample")
    smoothing_set: str = fields.label("smoothing set")
    inputs: str = fields.label("inputs of the network")

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
