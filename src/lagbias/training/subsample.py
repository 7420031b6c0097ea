"""Sub-samples of particles from every cell of a grid."""

from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np

__all__ = ["DRAWS", "Subsample", "draw_even_subsample", "draw_subsample"]

#: Particles per chunk; bounds temporary memory to some 10 MB.
_CHUNK = 1 << 20


class Subsample(NamedTuple):
    """Particles drawn from every occupied cell.

    Parameters
    ----------
    particles : ndarray, int64, shape (p,)
        Indices of the selected particles, sorted by cell.
    cells : ndarray, int64, shape (c,)
        Flat indices of the occupied cells, ascending.
    n_all : ndarray, int64, shape (c,)
        Number of particles in each occupied cell.
    n_sub : ndarray, int64, shape (c,)
        Number of selected particles in each occupied cell.
    """

    particles: np.ndarray
    cells: np.ndarray
    n_all: np.ndarray
    n_sub: np.ndarray


def draw_subsample(
    cell_of_particle: np.ndarray,
    n_cells: int,
    fraction: float,
    rng: np.random.Generator,
    **_unused,
) -> Subsample:
    """Draw max(⌊fraction n_j⌋, 1) particles of each cell, uniformly and without replacement.

    The particles are visited once, in order, and each is selected with the probability that
    completes its cell's quota (Knuth's algorithm S, one run per cell), so that the only memory
    needed is the result and a few arrays of `n_cells`.

    Parameters
    ----------
    cell_of_particle : ndarray, integer, shape (P,)
        Flat cell index of each particle, in [0, n_cells).
    n_cells : int
        Cells of the grid.
    fraction : float
        Fraction of each cell's particles, in (0, 1].
    rng : numpy.random.Generator
        Random numbers.
    **_unused
        Further arguments of `draw_even_subsample`, ignored.

    Returns
    -------
    Subsample
        Selected particles and counts per cell.

    Raises
    ------
    ValueError
        If `fraction` or a cell index is out of range, or there are no particles.
    """
    n_all, n_sub, next_slot, chosen = _quotas(cell_of_particle, n_cells, fraction)
    remaining, needed = n_all.copy(), n_sub.copy()
    for first in range(0, len(cell_of_particle), _CHUNK):
        cells = cell_of_particle[first : first + _CHUNK]
        _select(cells, rng.random(len(cells)), first, remaining, needed, next_slot, chosen)
    return _of_occupied_cells(chosen, n_all, n_sub)


def draw_even_subsample(
    cell_of_particle: np.ndarray,
    n_cells: int,
    fraction: float,
    rng: np.random.Generator,
    *,
    order: np.ndarray,
) -> Subsample:
    """Draw max(⌊fraction n_j⌋, 1) particles of each cell, evenly in Lagrangian space.

    Within each cell the particles are sorted along Morton's space-filling curve through the
    initial grid and every n_j/n_j^sub-th is selected, from a random start. The probability of
    each particle is that of `draw_subsample`, but since f is smooth in Lagrangian space the sum of
    f over the sample scatters much less about the sum over the cell. This matters because the
    squared loss includes the variance of this scatter, which a network lowers by making f more
    constant.

    Parameters
    ----------
    cell_of_particle : ndarray, integer, shape (P,)
        Flat cell index of each particle, in [0, n_cells).
    n_cells : int
        Cells of the grid.
    fraction : float
        Fraction of each cell's particles, in (0, 1].
    rng : numpy.random.Generator
        Random numbers.
    order : ndarray, integer, shape (P,), keyword-only
        The particles along the curve, from `lagbias.training.morton.morton_order`.

    Returns
    -------
    Subsample
        Selected particles and counts per cell.

    Raises
    ------
    ValueError
        If `fraction` or a cell index is out of range, or there are no particles.
    """
    n_all, n_sub, next_slot, chosen = _quotas(cell_of_particle, n_cells, fraction)
    _take_evenly(order, cell_of_particle, rng.random(n_cells), n_all, n_sub, next_slot, chosen)
    return _of_occupied_cells(chosen, n_all, n_sub)


#: Sampling methods by their name in the configuration (``training.sampling``).
DRAWS: dict[str, Callable[..., Subsample]] = {
    "even": draw_even_subsample,
    "random": draw_subsample,
}


def _quotas(
    cell_of_particle: np.ndarray, n_cells: int, fraction: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return n_all, n_sub, the first slot of each cell, and the array of the selection."""
    if not 0.0 < fraction <= 1.0:
        raise ValueError(f"fraction is {fraction}; it must be above 0 and at most 1.")
    n_all = _count(cell_of_particle, n_cells)
    # 0.29 x 100 must not be rounded down to 28
    n_sub = np.maximum(np.floor(fraction * n_all + 1e-9).astype(np.int64), n_all > 0)
    return n_all, n_sub, np.cumsum(n_sub) - n_sub, np.empty(n_sub.sum(), np.int64)


def _of_occupied_cells(chosen: np.ndarray, n_all: np.ndarray, n_sub: np.ndarray) -> Subsample:
    """Drop the empty cells."""
    occupied = np.flatnonzero(n_all)
    return Subsample(chosen, occupied, n_all[occupied], n_sub[occupied])


def _count(cell_of_particle: np.ndarray, n_cells: int) -> np.ndarray:
    """Count particles per cell, in chunks because bincount makes an int64 copy."""
    if len(cell_of_particle) == 0:
        raise ValueError("There are no particles to draw from. Check the particle file.")
    counts = np.zeros(n_cells, np.int64)
    for first in range(0, len(cell_of_particle), _CHUNK):
        cells = cell_of_particle[first : first + _CHUNK]
        if cells.min() < 0 or cells.max() >= n_cells:
            raise ValueError(
                f"Cell indices run from {cells.min()} to {cells.max()}, outside [0, {n_cells}). "
                f"Compute them with lagbias.grids.paint.cell_index on the same grid."
            )
        counts += np.bincount(cells, minlength=n_cells)
    return counts


@numba.njit(cache=True)
def _select(cells, uniforms, first, remaining, needed, next_slot, chosen):
    for i in range(cells.size):
        cell = cells[i]
        if uniforms[i] * remaining[cell] < needed[cell]:
            chosen[next_slot[cell]] = first + i
            next_slot[cell] += 1
            needed[cell] -= 1
        remaining[cell] -= 1


@numba.njit(cache=True)
def _take_evenly(order, cell_of_particle, starts, n_all, n_sub, next_slot, chosen):
    seen = np.zeros(n_all.size, np.int64)
    taken = np.zeros(n_all.size, np.int64)
    # rank of the next particle to select: every (n_all / n_sub)-th, from a random start
    rank = np.full(n_all.size, -1, np.int64)
    for cell in range(n_all.size):
        if n_sub[cell] > 0:
            rank[cell] = int(starts[cell] * n_all[cell] / n_sub[cell])
    for particle in order:
        cell = cell_of_particle[particle]
        if seen[cell] == rank[cell]:
            chosen[next_slot[cell] + taken[cell]] = particle
            taken[cell] += 1
            full = taken[cell] == n_sub[cell]
            step = (taken[cell] + starts[cell]) * n_all[cell] / n_sub[cell]
            rank[cell] = -1 if full else int(step)
        seen[cell] += 1
