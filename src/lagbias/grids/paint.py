"""Deposit weighted particles on a periodic grid: nearest grid point and cloud in cell.

Grid node [i, j, k] lies at (i, j, k) L / N and NGP cells are centred on the nodes, so that both
schemes, like the initial density, share one origin. Sums are float64 and do not depend on the
number of threads. Several weights per particle are painted in one pass.
"""

import numpy as np

from lagbias.grids.paint_kernels import deposit_planes, ngp_index, plane_below, sort_by_plane
from lagbias.runtime.threads import numba_threads

__all__ = ["cell_index", "overdensity", "paint_cic", "paint_ngp"]

# Particles per chunk: few enough for a core's cache. Fixed, since it affects the order of sums.
_CHUNK = 1 << 16
# the flat index of a cell is an int32
_LARGEST_GRID = 1290
# Blocks of the counting sort, shared by the threads.
_SORT_BLOCKS = 16


def cell_index(
    positions: np.ndarray, box_size: float, n_cells: int, *, threads: int = 1
) -> np.ndarray:
    """Return the NGP cell of each particle: floor(x / Δ + 1/2) mod N on each axis.

    Parameters
    ----------
    positions : ndarray, float32 or float64, shape (P, 3)
        Positions [Mpc/h], in [0, L) or at most one box outside.
    box_size : float
        Side L of the periodic box [Mpc/h].
    n_cells : int
        Cells N per side, Δ = L / N; at most 1290, so that the index fits int32.
    threads : int, keyword-only
        Threads to use; the result does not depend on it.

    Returns
    -------
    ndarray, int32, shape (P,)
        Flat C-order cell index, dimensionless.

    Raises
    ------
    ValueError
        If a position is NaN or outside that range, or an argument has the wrong shape or value.
    """
    _check(positions, box_size, n_cells)
    index = np.empty(len(positions), dtype=np.int32)
    with numba_threads(threads):
        bad = ngp_index(positions, float(box_size), n_cells, index)
    _refuse_outsiders(bad, box_size)
    return index


def paint_ngp(
    positions: np.ndarray,
    box_size: float,
    n_cells: int,
    *,
    weights: np.ndarray | None = None,
    threads: int = 1,
) -> np.ndarray:
    """Sum weights in the NGP cell of each particle (see `cell_index`).

    Parameters
    ----------
    positions : ndarray, float32 or float64, shape (P, 3)
        Positions [Mpc/h], in [0, L) or at most one box outside.
    box_size : float
        Side L of the periodic box [Mpc/h].
    n_cells : int
        Cells N per side.
    weights : ndarray, shape (P,), keyword-only, optional
        Weight of each particle; 1 if not given.
    threads : int, keyword-only
        Threads of `cell_index`; the result does not depend on it.

    Returns
    -------
    ndarray, float64, shape (N, N, N)
        Sums of weights, in their units.

    Raises
    ------
    ValueError
        As `cell_index`, or if `weights` does not match `positions`.
    """
    if weights is not None and weights.shape != positions.shape[:1]:
        raise ValueError(
            f"weights have shape {weights.shape} for positions of shape {positions.shape}; "
            "give one weight per particle."
        )
    grid = np.zeros(n_cells**3, dtype=np.float64)
    for first in range(0, len(positions), _CHUNK):
        rows = slice(first, first + _CHUNK)
        cells = cell_index(positions[rows], box_size, n_cells, threads=threads)
        # np.add.at adds in the order of the particles, whatever the chunks.
        np.add.at(grid, cells, 1.0 if weights is None else weights[rows].astype(np.float64))
    return grid.reshape(n_cells, n_cells, n_cells)


def paint_cic(
    positions: np.ndarray,
    box_size: float,
    n_cells: int,
    *,
    weights: np.ndarray | None = None,
    threads: int = 1,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Distribute each weight to the eight nodes around the particle, linearly on each axis.

    Particles are sorted, chunk by chunk, by the plane of nodes below them. Even planes are filled
    in parallel, then odd ones, so that threads never write to the same node and the order of sums
    is fixed. Fastest if particles that are close in memory are close in space.

    Parameters
    ----------
    positions : ndarray, float32 or float64, shape (P, 3)
        Positions [Mpc/h], in [0, L) or at most one box outside.
    box_size : float
        Side L of the periodic box [Mpc/h].
    n_cells : int
        Nodes N per side.
    weights : ndarray, shape (P,) or (W, P), keyword-only, optional
        One weight per particle, or W of them, painted in one pass; 1 if not given.
    threads : int, keyword-only
        Threads to use; the result does not depend on it.
    out : ndarray, float64, C-contiguous, shape of the result, keyword-only, optional
        Grids to add to in place; new ones if not given.

    Returns
    -------
    ndarray, float64, shape (N, N, N), or (W, N, N, N) for W weights
        Sums of weights, in their units; `out` if given.

    Raises
    ------
    ValueError
        As `cell_index`, or if `weights` does not match `positions` or `out` the result.
    """
    _check(positions, box_size, n_cells)
    rows = _weight_rows(positions, weights)
    several = weights is not None and weights.ndim == 2
    shape = (len(rows),) * several + (n_cells,) * 3
    grids = np.zeros(shape) if out is None else _check_out(out, shape)
    target = grids.reshape(len(rows), n_cells, n_cells, n_cells)
    with numba_threads(threads):
        for first in range(0, len(positions), _CHUNK):
            chunk = positions[first : first + _CHUNK]
            plane = np.empty(len(chunk), dtype=np.int32)
            bad = plane_below(chunk, float(box_size), n_cells, plane)
            _refuse_outsiders(bad, box_size)
            order, starts = sort_by_plane(plane, n_cells, _SORT_BLOCKS)
            for planes in _apart(np.flatnonzero(np.diff(starts)), n_cells):
                deposit_planes(chunk, rows, first, float(box_size), order, starts, planes, target)
    return grids


def overdensity(field: np.ndarray) -> np.ndarray:
    """Return field / mean - 1.

    Parameters
    ----------
    field : ndarray, shape (N, N, N)
        Sums of weights, in any units.

    Returns
    -------
    ndarray, float32, shape (N, N, N)
        The overdensity, dimensionless; computed in float64.

    Raises
    ------
    ValueError
        If the mean is not positive.
    """
    mean = float(np.mean(field, dtype=np.float64))
    if not mean > 0:
        raise ValueError(
            f"The painted field has mean {mean}, so its overdensity is undefined. Check that there "
            "are particles with positive weights."
        )
    contrast = np.empty(field.shape, dtype=np.float32)
    for plane, values in zip(contrast, field, strict=True):
        plane[...] = values.astype(np.float64) / mean - 1.0
    return contrast


def _apart(planes: np.ndarray, n_cells: int) -> list[np.ndarray]:
    """Divide planes into groups without adjacent planes."""
    even = planes % 2 == 0
    # The last plane of an odd grid is even and adjacent to plane 0.
    alone = even & (planes == n_cells - 1)
    groups = [planes[chosen] for chosen in (even & ~alone, ~even, alone)]
    return [group for group in groups if len(group)]


def _weight_rows(positions: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return weights as a (W, P) array of float32 or float64, or (1, 1) if all are one."""
    if weights is None:
        return np.ones((1, 1))
    if weights.ndim not in (1, 2) or weights.shape[-1:] != positions.shape[:1]:
        raise ValueError(
            f"weights have shape {weights.shape} for positions of shape {positions.shape}; "
            "give one weight per particle."
        )
    kept = weights.dtype if weights.dtype in (np.float32, np.float64) else np.float64
    return np.ascontiguousarray(np.atleast_2d(weights), dtype=kept)


def _check_out(out: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if out.shape != shape or out.dtype != np.float64 or not out.flags.c_contiguous:
        raise ValueError(
            f"out has shape {out.shape} and dtype {out.dtype}; it must be a C-contiguous float64 "
            f"array of shape {shape}."
        )
    return out


def _check(positions: np.ndarray, box_size: float, n_cells: int) -> None:
    if positions.ndim != 2 or positions.shape[1] != 3:
        raise ValueError(f"positions have shape {positions.shape}; expected (P, 3).")
    if not box_size > 0 or not 1 <= n_cells <= _LARGEST_GRID:
        raise ValueError(
            f"box_size is {box_size} Mpc/h and n_cells {n_cells}; box_size must be positive and "
            f"n_cells from 1 to {_LARGEST_GRID}."
        )


def _refuse_outsiders(n_bad: int, box_size: float) -> None:
    if n_bad:
        raise ValueError(
            f"{n_bad} particles have coordinates that are NaN or more than a box outside of "
            f"[0, {box_size}) Mpc/h. Check the units and the origin, and wrap the positions."
        )
