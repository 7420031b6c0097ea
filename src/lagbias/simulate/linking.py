"""Numba kernels of :mod:`lagbias.simulate.friends_of_friends`: sort, link and label cells.

Cells are stored as columns along z: neighbours in another column are found by merging two sorted
lists. Results do not depend on the number of threads: sorting is stable, and the root of a group
is its smallest cell in whatever order cells are joined.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["label_groups", "link_cells", "occupied_cells", "sort_by_column", "sort_columns"]

_SLABS = 16
_COLUMN_CHUNKS = 64
_INSERTION_LENGTH = 32


@numba.njit(cache=True)
def sort_by_column(positions, box_size, n_cells):
    """Sort particles by column (x, y): their order, their z cells in that order, column starts."""
    n_particles = positions.shape[0]
    scale = n_cells / box_size
    start = np.zeros(n_cells * n_cells + 1, np.int32)
    column = np.empty(n_particles, np.int32)
    for p in range(n_particles):
        # the product can round up to n_cells
        ix = min(int(positions[p, 0] * scale), n_cells - 1)
        iy = min(int(positions[p, 1] * scale), n_cells - 1)
        column[p] = ix * n_cells + iy
        start[column[p] + 1] += 1
    for c in range(n_cells * n_cells):
        start[c + 1] += start[c]
    fill = start[:-1].copy()
    order = np.empty(n_particles, np.int32)
    cell_z = np.empty(n_particles, np.int32)
    for p in range(n_particles):
        slot = fill[column[p]]
        order[slot] = p
        cell_z[slot] = min(int(positions[p, 2] * scale), n_cells - 1)
        fill[column[p]] = slot + 1
    return order, cell_z, start


@numba.njit(parallel=True, cache=True)
def sort_columns(order, cell_z, column_start):
    """Sort each column by its z cells, in place; insertion sort where it is short."""
    n_columns = column_start.shape[0] - 1
    for chunk in numba.prange(_COLUMN_CHUNKS):
        first = chunk * n_columns // _COLUMN_CHUNKS
        last = (chunk + 1) * n_columns // _COLUMN_CHUNKS
        for column in range(first, last):
            begin, end = column_start[column], column_start[column + 1]
            if end - begin > _INSERTION_LENGTH:
                permutation = np.argsort(cell_z[begin:end], kind="mergesort")
                cell_z[begin:end] = cell_z[begin:end][permutation]
                order[begin:end] = order[begin:end][permutation]
                continue
            for i in range(begin + 1, end):
                z, p = cell_z[i], order[i]
                j = i - 1
                while j >= begin and cell_z[j] > z:
                    cell_z[j + 1], order[j + 1] = cell_z[j], order[j]
                    j -= 1
                cell_z[j + 1], order[j + 1] = z, p


@numba.njit(cache=True)
def occupied_cells(particle_z, column_start):
    """List occupied cells: first cell of each column, first particle and z of each cell."""
    n_columns = column_start.shape[0] - 1
    first_cell = np.empty(n_columns + 1, np.int32)
    cell_start = np.empty(particle_z.shape[0] + 1, np.int32)
    cell_z = np.empty(particle_z.shape[0], np.int32)
    n_occupied = 0
    for column in range(n_columns):
        first_cell[column] = n_occupied
        previous = -1
        for p in range(column_start[column], column_start[column + 1]):
            if particle_z[p] != previous:
                previous = particle_z[p]
                cell_start[n_occupied] = p
                cell_z[n_occupied] = previous
                n_occupied += 1
    first_cell[n_columns] = n_occupied
    cell_start[n_occupied] = particle_z.shape[0]
    return first_cell, cell_start[: n_occupied + 1].copy(), cell_z[:n_occupied].copy()


@numba.njit(inline="always")
def _root(parent, cell):
    while parent[cell] != cell:
        parent[cell] = parent[parent[cell]]
        cell = parent[cell]
    return cell


@numba.njit(cache=True)
def _link_pair(parent, cell_a, cell_b, cell_start, sorted_positions, length_squared, box_size):
    """Join two cells if any particle of one is a friend of any particle of the other."""
    root_a, root_b = _root(parent, cell_a), _root(parent, cell_b)
    if root_a == root_b:
        return
    half = 0.5 * box_size
    for p in range(cell_start[cell_a], cell_start[cell_a + 1]):
        for q in range(cell_start[cell_b], cell_start[cell_b + 1]):
            distance_squared = 0.0
            for axis in range(3):
                separation = abs(
                    np.float64(sorted_positions[q, axis]) - np.float64(sorted_positions[p, axis])
                )
                if separation > half:
                    separation = box_size - separation
                distance_squared += separation * separation
            if distance_squared <= length_squared:
                # the smaller index as root makes the result independent of the order
                parent[max(root_a, root_b)] = min(root_a, root_b)
                return


@numba.njit(cache=True)
def _link_columns(parent, column_a, column_b, cells, particles):
    """Join cells of two columns (or of one with itself) that are at most two apart in z."""
    first_cell, cell_start, cell_z = cells
    sorted_positions, length_squared, box_size, n_cells = particles
    begin_b, end_b = first_cell[column_b], first_cell[column_b + 1]
    lower = begin_b
    for a in range(first_cell[column_a], first_cell[column_a + 1]):
        z = cell_z[a]
        if column_a == column_b:
            lower = a + 1
        while lower < end_b and cell_z[lower] < z - 2:
            lower += 1
        b = lower
        while b < end_b and cell_z[b] <= z + 2:
            _link_pair(parent, a, b, cell_start, sorted_positions, length_squared, box_size)
            b += 1
        b = end_b - 1
        while b >= begin_b and cell_z[b] >= n_cells + z - 2:  # through the lower face
            _link_pair(parent, a, b, cell_start, sorted_positions, length_squared, box_size)
            b -= 1
        b = begin_b
        while b < end_b and cell_z[b] <= z + 2 - n_cells:  # through the upper face
            _link_pair(parent, a, b, cell_start, sorted_positions, length_squared, box_size)
            b += 1


@numba.njit(cache=True)
def _link_plane(parent, plane, nearest, farthest, cells, particles):
    """Join the columns of one x plane with those of the planes `nearest` ... `farthest` above."""
    n_cells = particles[3]
    first_cell = cells[0]
    for y in range(n_cells):
        column = plane * n_cells + y
        if first_cell[column] == first_cell[column + 1]:
            continue
        for step in range(nearest, farthest + 1):
            other_plane = (plane + step) % n_cells
            for shift in range(0 if step == 0 else -2, 3):
                other = other_plane * n_cells + (y + shift) % n_cells
                _link_columns(parent, column, other, cells, particles)


@numba.njit(parallel=True, cache=True)
def link_cells(first_cell, cell_start, cell_z, sorted_positions, length_squared, box_size, n_cells):
    """Union-find over occupied cells: slabs in parallel, then the seams between them."""
    cells = (first_cell, cell_start, cell_z)
    particles = (sorted_positions, length_squared, box_size, n_cells)
    parent = np.arange(cell_z.shape[0]).astype(np.int32)
    n_slabs = max(1, min(_SLABS, n_cells // 4))
    for slab in numba.prange(n_slabs):
        end = (slab + 1) * n_cells // n_slabs
        for plane in range(slab * n_cells // n_slabs, end):
            _link_plane(parent, plane, 0, min(2, end - 1 - plane), cells, particles)
    for slab in range(n_slabs):
        end = (slab + 1) * n_cells // n_slabs
        for plane in range(end - 2, end):
            _link_plane(parent, plane, end - plane, 2, cells, particles)
    return parent


@numba.njit(cache=True)
def label_groups(parent, cell_start, order, min_particles):
    """Assign numbers to groups of at least `min_particles`, in the order of their first cell."""
    n_cells = parent.shape[0]
    count = np.zeros(n_cells, np.int64)
    for cell in range(n_cells):
        parent[cell] = _root(parent, cell)
        count[parent[cell]] += cell_start[cell + 1] - cell_start[cell]
    number = np.full(n_cells, -1, np.int32)
    n_groups = 0
    for cell in range(n_cells):
        if count[cell] >= min_particles:
            number[cell] = n_groups
            n_groups += 1
    labels = np.full(order.shape[0], -1, np.int32)
    for cell in range(n_cells):
        for p in range(cell_start[cell], cell_start[cell + 1]):
            labels[order[p]] = number[parent[cell]]
    return labels, n_groups
