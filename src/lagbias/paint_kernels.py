"""Numba kernels of :mod:`lagbias.paint`: the cells of particles, their order, and CIC shares.

Coordinates are in cells, u = x N / L; particles with a u outside [-N, 2 N] are counted as bad.
Nothing here depends on the number of threads.
"""

import numba
import numpy as np

__all__ = ["deposit_planes", "ngp_index", "plane_below", "sort_by_plane"]


@numba.njit(inline="always")
def _in_cells(x, box_size, n_cells):  # pragma: no cover - compiled
    # Multiply before dividing: exact wherever the cell boundaries are representable.
    return np.float64(x) * n_cells / box_size


@numba.njit(inline="always")
def _wrapped(edge, n):  # pragma: no cover - compiled
    """Bring an index from [-n, 2 n] into [0, n); far faster than the modulo."""
    index = np.int64(edge)
    if index < 0:
        index += n
    while index >= n:
        index -= n
    return index


@numba.njit(parallel=True, cache=True)
def ngp_index(positions, box_size, n_cells, index):  # pragma: no cover - compiled
    """Write the flat index of every particle's NGP cell; return how many are bad."""
    bad = 0
    for p in numba.prange(len(positions)):
        flat = 0
        inside = True
        for axis in range(3):
            u = _in_cells(positions[p, axis], box_size, n_cells)
            inside = inside and (-n_cells <= u <= 2 * n_cells)
            flat = flat * n_cells + (_wrapped(np.floor(u + 0.5), n_cells) if inside else 0)
        index[p] = flat
        bad += 0 if inside else 1
    return bad


@numba.njit(parallel=True, cache=True)
def plane_below(positions, box_size, n_cells, plane):  # pragma: no cover - compiled
    """Write the plane of nodes below every particle in x; return how many are bad."""
    bad = 0
    for p in numba.prange(len(positions)):
        inside = True
        for axis in range(3):
            u = _in_cells(positions[p, axis], box_size, n_cells)
            inside = inside and (-n_cells <= u <= 2 * n_cells)
        u = _in_cells(positions[p, 0], box_size, n_cells)
        plane[p] = _wrapped(np.floor(u), n_cells) if inside else 0
        bad += 0 if inside else 1
    return bad


@numba.njit(parallel=True, cache=True)
def sort_by_plane(plane, n_planes, n_blocks):  # pragma: no cover - compiled
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
def deposit_planes(
    positions, weights, offset, box_size, order, starts, first, stop, grids
):  # pragma: no cover - compiled
    """Deposit the particles above planes first, first + 2, … < stop.

    The weights of particle p are weights[:, offset + p], or weights[:, 0] if that is all.
    """
    n = grids.shape[1]
    n_weights, single = len(grids), weights.shape[1] == 1
    for half in numba.prange((stop - first + 1) // 2):
        s = first + 2 * half
        i1 = s + 1 if s + 1 < n else 0
        for entry in range(starts[s], starts[s + 1]):
            p = order[entry]
            ux = _in_cells(positions[p, 0], box_size, n)
            uy = _in_cells(positions[p, 1], box_size, n)
            uz = _in_cells(positions[p, 2], box_size, n)
            edge_y, edge_z = np.floor(uy), np.floor(uz)
            fx, fy, fz = ux - np.floor(ux), uy - edge_y, uz - edge_z
            gx, gy, gz = 1.0 - fx, 1.0 - fy, 1.0 - fz
            j0, k0 = _wrapped(edge_y, n), _wrapped(edge_z, n)
            j1 = j0 + 1 if j0 + 1 < n else 0
            k1 = k0 + 1 if k0 + 1 < n else 0
            for row in range(n_weights):
                w = np.float64(weights[row, 0 if single else offset + p])
                w0, w1 = w * gx, w * fx
                grids[row, s, j0, k0] += w0 * gy * gz
                grids[row, s, j0, k1] += w0 * gy * fz
                grids[row, s, j1, k0] += w0 * fy * gz
                grids[row, s, j1, k1] += w0 * fy * fz
                grids[row, i1, j0, k0] += w1 * gy * gz
                grids[row, i1, j0, k1] += w1 * gy * fz
                grids[row, i1, j1, k0] += w1 * fy * gz
                grids[row, i1, j1, k1] += w1 * fy * fz
