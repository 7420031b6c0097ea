"""Fields of particles with several weights, painted in one pass."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lagbias.grids import paint

__all__ = ["WeightedFields", "paint_weighted"]

#: Particles per chunk: six float64 weights of each take 12 MB.
_CHUNK = 1 << 18


class WeightedFields(NamedTuple):
    """Overdensity of particles with a weight w, and its derivatives, dimensionless.

    With w_i = w φ_i, field i is the derivative of the overdensity with respect to ε when w is
    multiplied by 1 + ε φ_i: the field of w (φ_i - ⟨w φ_i⟩/⟨w⟩) in units of the mean of w. All
    fields have zero mean.
    """

    fields: np.ndarray  # overdensity and derivatives, float32, (1 + m, n, n, n)
    averages: np.ndarray  # ⟨w φ_i⟩/⟨w⟩ over all particles, float64, (m,)
    mean_weight: float  # ⟨w⟩ over all particles


def paint_weighted(
    weights_of: Callable[[slice], np.ndarray],
    positions: np.ndarray,
    *,
    n_weights: int,
    box_size: float,
    n_grid: int,
    threads: int = 1,
) -> WeightedFields:
    """Paint particles with CIC, a chunk at a time.

    Peak memory is a float64 and a float32 grid for each weight.

    Parameters
    ----------
    weights_of : callable
        Returns w and then w φ_1, w φ_2, …, float32 or float64, shape (n_weights, p), of a slice of
        particles, dimensionless.
    positions : ndarray, float32, shape (P, 3)
        Final positions of all particles [Mpc/h], in [0, L).
    n_weights : int, keyword-only
        Number of weights, w included.
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    n_grid : int, keyword-only
        Nodes per side of the grid.
    threads : int, keyword-only
        Threads of painting; the result does not depend on it.
    """
    sums = np.zeros((n_weights, n_grid, n_grid, n_grid))
    for first in range(0, len(positions), _CHUNK):
        rows = slice(first, min(first + _CHUNK, len(positions)))
        weights = weights_of(rows)
        paint.paint_cic(
            positions[rows], box_size, n_grid, weights=weights, threads=threads, out=sums
        )
    totals = sums.sum(axis=(1, 2, 3))
    averages = totals[1:] / totals[0]
    fields = np.empty(sums.shape, np.float32)
    fields[0] = paint.overdensity(sums[0])
    for field, total, average in zip(fields[1:], sums[1:], averages, strict=True):
        field[...] = (total - average * sums[0]) * (n_grid**3 / totals[0])
    return WeightedFields(fields, averages, float(totals[0]) / len(positions))
