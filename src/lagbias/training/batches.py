"""Random numbers of a training: which cells form a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lagbias.config.sections import TrainingSettings

__all__ = ["generator", "make_batches"]


def generator(seed: int, purpose: str, epoch: int) -> np.random.Generator:
    """Return a generator that depends on its arguments only, so that no state is ever stored.

    Parameters
    ----------
    seed : int
        Seed of the training, not negative.
    purpose : str
        What is drawn.
    epoch : int
        Epoch, counted from 1; 0 for draws before the first.
    """
    return np.random.default_rng([seed, *purpose.encode(), epoch])


def make_batches(
    n_cells: int, settings: TrainingSettings, *, seed: int, epoch: int
) -> list[np.ndarray]:
    """Divide the cells at random into batches whose sizes differ by at most one cell.

    Parameters
    ----------
    n_cells : int
        Number of occupied cells.
    settings : TrainingSettings
        ``cells_per_batch``, and ``fixed_batches`` for equal batches in every epoch.
    seed, epoch : int, keyword-only
        See `generator`.

    Returns
    -------
    list of ndarray, int64
        The cells of each batch.
    """
    order = generator(seed, "batches", 1 if settings.fixed_batches else epoch).permutation(n_cells)
    return np.array_split(order, max(1, round(n_cells / settings.cells_per_batch)))
