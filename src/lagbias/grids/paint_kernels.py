"""Numba kernels of :mod:`lagbias.grids.paint`: the cells of particles, their order, and CIC shares.

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
    """Map an index from [-n, 2 n] to [0, n); much faster than the modulo."""
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
    """Write the plane of nodes below every particle in x; return the number of bad particles."""
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
    """Stable counting sort; a stable order is unique, hence independent of threads."""
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
    positions, weights, offset, box_size, order, starts, planes, grids
):  # pragma: no cover - compiled
    """Deposit the particles above planes, no two of which are adjacent.

    The weights of particle p are weights[:, offset + p], or weights[:, 0] if there is one column.
    Indices are flat and unsigned: Numba's checks for negative ones take a quarter of the time.
    """
    n_side, n, one, zero = grids.shape[1], np.uint64(grids.shape[1]), np.uint64(1), np.uint64(0)
    first, single = np.uint64(offset), weights.shape[1] == 1
    flat, size = grids.reshape(grids.size), n * n * n
    for number in numba.prange(len(planes)):
        i0 = np.uint64(planes[number])
        i1 = i0 + one if i0 + one < n else zero
        for entry in range(starts[i0], starts[i0 + one]):
            p = np.uint64(order[entry])
            ux = _in_cells(positions[p, 0], box_size, n_side)
            uy = _in_cells(positions[p, 1], box_size, n_side)
            uz = _in_cells(positions[p, 2], box_size, n_side)
            edge_y, edge_z = np.floor(uy), np.floor(uz)
            fx, fy, fz = ux - np.floor(ux), uy - edge_y, uz - edge_z
            gx, gy, gz = 1.0 - fx, 1.0 - fy, 1.0 - fz
            j0, k0 = np.uint64(_wrapped(edge_y, n_side)), np.uint64(_wrapped(edge_z, n_side))
            j1 = j0 + one if j0 + one < n else zero
            k1 = k0 + one if k0 + one < n else zero
            row00, row01 = (i0 * n + j0) * n, (i0 * n + j1) * n
            row10, row11 = (i1 * n + j0) * n, (i1 * n + j1) * n
            for row in range(len(grids)):
                w = np.float64(weights[row, zero if single else first + p])
                w0, w1, grid = w * gx, w * fx, np.uint64(row) * size
                flat[grid + row00 + k0] += w0 * gy * gz
                flat[grid + row00 + k1] += w0 * gy * fz
                flat[grid + row01 + k0] += w0 * fy * gz
                flat[grid + row01 + k1] += w0 * fy * fz
                flat[grid + row10 + k0] += w1 * gy * gz
                flat[grid + row10 + k1] += w1 * gy * fz
                flat[grid + row11 + k0] += w1 * fy * gz
                flat[grid + row11 + k1] += w1 * fy * fz
