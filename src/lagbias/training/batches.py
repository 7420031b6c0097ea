"""The random choices of a training: which cells make a batch."""

import numpy as np

__all__ = ["deal", "generator", "largest"]


def generator(seed: int, purpose: str, epoch: int) -> np.random.Generator:
    """Return a generator that depends on its arguments only, so that none is ever stored.

    Parameters
    ----------
    seed : int
        Of the training; not negative.
    purpose : str
        What is drawn.
    epoch : int
        Counted from 1; 0 for what is drawn before.
    """
    return np.random.default_rng([seed, *purpose.encode(), epoch])


def deal(n_cells: int, settings, *, seed: int, epoch: int) -> list[np.ndarray]:
    """Deal cells into batches of equal size (to one cell).

    Parameters
    ----------
    n_cells : int
        Cells, numbered from 0.
    settings : object
        With the attributes ``cells_per_batch`` and ``fixed_batches``.
    seed, epoch : int, keyword-only
        Decide the batches, the epoch only where they are not fixed.

    Returns
    -------
    list of ndarray, int64
        The cells of each batch.
    """
    order = generator(seed, "batches", 1 if settings.fixed_batches else epoch).permutation(n_cells)
    return np.array_split(order, max(1, round(n_cells / settings.cells_per_batch)))


def largest(sizes: np.ndarray, settings, *, seed: int) -> int:
    """Return the particles of the largest of all batches of a training.

    Parameters
    ----------
    sizes : ndarray, int64, shape (c,)
        Particles of each cell.
    settings : object
        As in `deal`, and ``epochs``.
    seed : int, keyword-only
        As in `deal`.
    """
    epochs = 1 if settings.fixed_batches else settings.epochs
    return max(
        int(sizes[batch].sum())
        for epoch in range(1, epochs + 1)
        for batch in deal(len(sizes), settings, seed=seed, epoch=epoch)
    )
