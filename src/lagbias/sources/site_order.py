"""Lagrangian sites of particles: nodes of a rougher grid, and sorting in linear time."""

import numba
import numpy as np

__all__ = ["lagrangian_nodes", "sort_by_site"]


def lagrangian_nodes(particles_per_side: int, n_grid: int) -> np.ndarray:
    """Return the nearest grid node of each point of the particle lattice, along one axis.

    Both have their first point at the corner of the box. The nearest node of point i is
    round(i n_grid / particles_per_side) modulo n_grid, in integers; halves are rounded up.
    Returns int32 of shape (particles_per_side,).
    """
    index = np.arange(particles_per_side, dtype=np.int64)
    nearest = (2 * index * n_grid + particles_per_side) // (2 * particles_per_side)
    return (nearest % n_grid).astype(np.int32)


def sort_by_site(
    lagrangian_site: np.ndarray, vectors: list[np.ndarray], n_sites: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Sort particles by their sites (stable counting sort).

    Parameters
    ----------
    lagrangian_site : ndarray, int32, shape (P,)
        Flat index of each particle's node; overwritten.
    vectors : list of ndarray, float32, shape (P, 3), or (0, 3) if absent
        Positions [Mpc/h], velocities [km/s]; replaced in the list.
    n_sites : int
        Nodes of the grid.

    Returns
    -------
    lagrangian_site : ndarray, int32, shape (P,)
        Ascending.
    vectors : list of ndarray, float32, shape (P, 3) or (0, 3)
        In that order.

    Raises
    ------
    ValueError
        If a site is not on the grid, or particles do not fit 32-bit counters.

    Notes
    -----
    Memory: one of the vectors once more, and two 32-bit counters per node.
    """
    lowest, highest = lagrangian_site.min(initial=0), lagrangian_site.max(initial=0)
    if lowest < 0 or highest >= n_sites:
        raise ValueError(
            f"Lagrangian sites run from {lowest} to {highest}, outside 0 ... {n_sites - 1}: the "
            "particles and the density belong to different simulations."
        )
    if len(lagrangian_site) > np.iinfo(np.uint32).max:
        raise ValueError(
            f"There are {len(lagrangian_site)} particles, at most 4294967295 are possible: reduce "
            "kept_fraction."
        )
    starts = _starts(lagrangian_site, n_sites)
    for number, vector in enumerate(vectors):
        if len(vector):
            in_order = np.empty_like(vector)
            _scatter(lagrangian_site, vector, starts.copy(), in_order)
            vectors[number] = in_order
        del vector  # out of memory before the next
    _fill(starts, lagrangian_site)
    return lagrangian_site, vectors


@numba.njit(cache=True)
def _starts(sites, n_sites):
    """Return the index of the first particle of each site."""
    starts = np.zeros(n_sites, np.uint32)
    for site in sites:
        starts[site] += 1
    total = np.uint32(0)
    for site in range(n_sites):
        count = starts[site]
        starts[site] = total
        total += count
    return starts


@numba.njit(cache=True)
def _scatter(sites, vector, starts, in_order):
    """Copy each particle to its place; `starts` becomes the end of each site."""
    for particle in range(len(sites)):
        place = starts[sites[particle]]
        starts[sites[particle]] = place + np.uint32(1)
        for axis in range(3):
            in_order[place, axis] = vector[particle, axis]


@numba.njit(cache=True)
def _fill(starts, sites):
    """Write the sites in ascending order."""
    for site in range(len(starts) - 1):
        sites[starts[site] : starts[site + 1]] = site
    sites[starts[-1] :] = len(starts) - 1
