"""Deposit weighted particles on a periodic grid: nearest grid point and cloud in cell.

Grid node [i, j, k] lies at (i, j, k) L / N and NGP cells are centred on the nodes, so that both
schemes, like the initial density, share one origin. Sums are float64 and do not depend on the
number of threads.
"""

from collections.abc import Iterator

import numba
import numpy as np

from lagbias.threads import numba_threads

__all__ = ["cell_index", "overdensity", "paint_cic", "paint_ngp"]

# Particles handled at a time: bounds the work arrays at about 0.3 GB whatever the catalogue.
_CHUNK = 1 << 24
# the flat index of a cell is a 32-bit integer
_LARGEST_GRID = 1290
# Blocks of the counting sort; fixed, so that the work is divided alike on any machine.
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
        Cells N per side, Δ = L / N; at most 1290, for the index to be int32.
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
        bad = _ngp_index(positions, float(box_size), n_cells, index)
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
        Threads that find the cells; the result does not depend on it.

    Returns
    -------
    ndarray, float64, shape (N, N, N)
        Sums of weights, in their units.

    Raises
    ------
    ValueError
        As `cell_index`, or if `weights` does not match `positions`.
    """
    grid = np.zeros(n_cells**3, dtype=np.float64)
    for chunk, chunk_weights in _chunks(positions, weights):
        cells = cell_index(chunk, box_size, n_cells, threads=threads)
        # np.add.at adds in the order of the particles, whatever the chunks.
        np.add.at(grid, cells, 1.0 if chunk_weights is None else chunk_weights)
    return grid.reshape(n_cells, n_cells, n_cells)


def paint_cic(
    positions: np.ndarray,
    box_size: float,
    n_cells: int,
    *,
    weights: np.ndarray | None = None,
    threads: int = 1,
) -> np.ndarray:
    """Share each weight among the eight nodes around the particle, linearly on each axis.

    Particles are sorted by the plane of nodes below them; even planes are filled in parallel,
    then odd ones, so that no two threads meet and each node adds in one fixed order.

    Parameters
    ----------
    positions : ndarray, float32 or float64, shape (P, 3)
        Positions [Mpc/h], in [0, L) or at most one box outside.
    box_size : float
        Side L of the periodic box [Mpc/h].
    n_cells : int
        Nodes N per side.
    weights : ndarray, shape (P,), keyword-only, optional
        Weight of each particle; 1 if not given.
    threads : int, keyword-only
        Threads to use; the result does not depend on it.

    Returns
    -------
    ndarray, float64, shape (N, N, N)
        Sums of weights, in their units.

    Raises
    ------
    ValueError
        As `cell_index`, or if `weights` does not match `positions`.
    """
    _check(positions, box_size, n_cells)
    grid = np.zeros((n_cells, n_cells, n_cells), dtype=np.float64)
    with numba_threads(threads):
        for chunk, chunk_weights in _chunks(positions, weights):
            plane = np.empty(len(chunk), dtype=np.int32)
            bad = _plane_below(chunk, float(box_size), n_cells, plane)
            _refuse_outsiders(bad, box_size)
            order, starts = _sort_by_plane(plane, n_cells, _SORT_BLOCKS)
            unit = np.ones(1) if chunk_weights is None else chunk_weights
            weighted = chunk_weights is not None
            # An odd grid's last plane is even and touches plane 0: it goes alone.
            for first, stop in ((0, n_cells // 2 * 2), (1, n_cells), (n_cells // 2 * 2, n_cells)):
                _deposit_planes(
                    chunk, unit, weighted, float(box_size), order, starts, first, stop, grid
                )
    return grid


def overdensity(field: np.ndarray) -> np.ndarray:
    """Return field / mean - 1.

    Parameters
    ----------
    field : ndarray, shape (N, N, N)
        Sums of weights, in any units.

    Returns
    -------
    ndarray, float32, shape (N, N, N)
        The overdensity, dimensionless; mean and quotient are taken in float64.

    Raises
    ------
    ValueError
        If the mean is not positive.
    """
    mean = float(np.mean(field, dtype=np.float64))
    if not mean > 0:
        raise ValueError(
            f"The painted field has mean {mean}, so it has no overdensity; are there particles "
            "with positive weight?"
        )
    contrast = np.empty(field.shape, dtype=np.float32)
    for plane, values in zip(contrast, field, strict=True):
        plane[...] = values.astype(np.float64) / mean - 1.0
    return contrast


def _chunks(
    positions: np.ndarray, weights: np.ndarray | None
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    if weights is not None and weights.shape != positions.shape[:1]:
        raise ValueError(
            f"weights have shape {weights.shape} for positions of shape {positions.shape}; "
            "give one weight for each particle."
        )
    for start in range(0, len(positions), _CHUNK):
        rows = slice(start, start + _CHUNK)
        yield positions[rows], None if weights is None else weights[rows].astype(np.float64)


def _check(positions: np.ndarray, box_size: float, n_cells: int) -> None:
    if positions.ndim != 2 or positions.shape[1] != 3:
        raise ValueError(f"positions have shape {positions.shape}; expected (P, 3).")
    if not box_size > 0 or not 1 <= n_cells <= _LARGEST_GRID:
        raise ValueError(
            f"box_size={box_size} Mpc/h and n_cells={n_cells}: the side must be positive and the "
            f"grid have 1 to {_LARGEST_GRID} cells a side."
        )


def _refuse_outsiders(n_bad: int, box_size: float) -> None:
    if n_bad:
        raise ValueError(
            f"{n_bad} particles have coordinates that are NaN or more than a box away from "
            f"[0, {box_size}) Mpc/h; check the units and the origin, and wrap the positions."
        )


@numba.njit(inline="always")
def _in_cells(x, box_size, n_cells):  # pragma: no cover - compiled
    # Multiply before dividing: exact wherever the cell boundaries are representable.
    return np.float64(x) * n_cells / box_size


@numba.njit(parallel=True, cache=True)
def _ngp_index(positions, box_size, n_cells, index):  # pragma: no cover - compiled
    bad = 0
    for p in numba.prange(len(positions)):
        flat = 0
        inside = True
        for axis in range(3):
            u = _in_cells(positions[p, axis], box_size, n_cells)
            inside = inside and (-n_cells <= u <= 2 * n_cells)
            flat = flat * n_cells + (int(np.floor(u + 0.5)) % n_cells if inside else 0)
        index[p] = flat
        bad += 0 if inside else 1
    return bad


@numba.njit(parallel=True, cache=True)
def _plane_below(positions, box_size, n_cells, plane):  # pragma: no cover - compiled
    bad = 0
    for p in numba.prange(len(positions)):
        inside = True
        for axis in range(3):
            u = _in_cells(positions[p, axis], box_size, n_cells)
            inside = inside and (-n_cells <= u <= 2 * n_cells)
        u = _in_cells(positions[p, 0], box_size, n_cells)
        plane[p] = int(np.floor(u)) % n_cells if inside else 0
        bad += 0 if inside else 1
    return bad


@numba.njit(parallel=True, cache=True)
def _sort_by_plane(plane, n_planes, n_blocks):  # pragma: no cover - compiled
    """Stable counting sort; a stable order is unique, so threads cannot change it."""
    n = len(plane)
    slots = np.zeros((n_blocks, n_planes), dtype=np.int64)
    for block in numba.prange(n_blocks):
        for p in range(block * n // n_blocks, (block + 1) * n // n_blocks):
            slots[block, plane[p]] += 1
    starts = np.empty(n_planes + 1, dtype=np.int64)
    total = 0
    for s in range(n_planes):
        starts[s] = total
        for block in range(n_blocks):
            count = slots[block, s]
            slots[block, s] = total
            total += count
    starts[n_planes] = total
    order = np.empty(n, dtype=np.int32)
    for block in numba.prange(n_blocks):
        for p in range(block * n // n_blocks, (block + 1) * n // n_blocks):
            order[slots[block, plane[p]]] = p
            slots[block, plane[p]] += 1
    return order, starts


@numba.njit(parallel=True, cache=True)
def _deposit_planes(
    positions, weights, weighted, box_size, order, starts, first, stop, grid
):  # pragma: no cover - compiled
    """Deposit the particles above planes first, first + 2, … < stop."""
    n = grid.shape[0]
    for half in numba.prange((stop - first + 1) // 2):
        s = first + 2 * half
        for entry in range(starts[s], starts[s + 1]):
            p = order[entry]
            ux = _in_cells(positions[p, 0], box_size, n)
            uy = _in_cells(positions[p, 1], box_size, n)
            uz = _in_cells(positions[p, 2], box_size, n)
            fx, fy, fz = ux - np.floor(ux), uy - np.floor(uy), uz - np.floor(uz)
            j0, k0 = int(np.floor(uy)) % n, int(np.floor(uz)) % n
            i1, j1, k1 = (s + 1) % n, (j0 + 1) % n, (k0 + 1) % n
            w = weights[p] if weighted else 1.0
            wx0, wx1 = w * (1.0 - fx), w * fx
            grid[s, j0, k0] += wx0 * (1.0 - fy) * (1.0 - fz)
            grid[s, j0, k1] += wx0 * (1.0 - fy) * fz
            grid[s, j1, k0] += wx0 * fy * (1.0 - fz)
            grid[s, j1, k1] += wx0 * fy * fz
            grid[i1, j0, k0] += wx1 * (1.0 - fy) * (1.0 - fz)
            grid[i1, j0, k1] += wx1 * (1.0 - fy) * fz
            grid[i1, j1, k0] += wx1 * fy * (1.0 - fz)
            grid[i1, j1, k1] += wx1 * fy * fz
