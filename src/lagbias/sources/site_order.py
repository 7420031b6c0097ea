"""Particles in the order of their Lagrangian sites, in a time that grows with their number."""

import numba
import numpy as np

__all__ = ["sort_by_site"]


def sort_by_site(
    lagrangian_site: np.ndarray, positions: np.ndarray, n_sites: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sort particles by their sites; those of one site stay in their order.

    Parameters
    ----------
    lagrangian_site : ndarray, int32, shape (P,)
        Flat index of each particle's node; overwritten.
    positions : ndarray, float32, shape (P, 3)
        Positions [Mpc/h].
    n_sites : int
        Nodes of the grid.

    Returns
    -------
    lagrangian_site : ndarray, int32, shape (P,)
        Ascending.
    positions : ndarray, float32, shape (P, 3)
        In that order [Mpc/h].

    Raises
    ------
    ValueError
        If a site is not on the grid.

    Notes
    -----
    A counting sort: besides the result and the arguments it holds one 32-bit counter per node.
    """
    lowest, highest = lagrangian_site.min(initial=0), lagrangian_site.max(initial=0)
    if lowest < 0 or highest >= n_sites:
        raise ValueError(
            f"Lagrangian sites run from {lowest} to {highest}, outside 0 ... {n_sites - 1}: the "
            "particles and the density are not of one simulation."
        )
    starts = _starts(lagrangian_site, n_sites)
    in_order = np.empty_like(positions)
    _scatter(lagrangian_site, positions, starts, in_order)
    _fill(starts, lagrangian_site)
    return lagrangian_site, in_order


@numba.njit(cache=True)
def _starts(sites, n_sites):
    """Return where the particles of each site begin."""
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
def _scatter(sites, positions, starts, in_order):
    """Put each particle in its place; `starts` ends where the particles of each site end."""
    for particle in range(len(sites)):
        place = starts[sites[particle]]
        starts[sites[particle]] = place + np.uint32(1)
        for axis in range(3):
            in_order[place, axis] = positions[particle, axis]


@numba.njit(cache=True)
def _fill(ends, sites):
    """Write the sites in ascending order."""
    first = np.uint32(0)
    for site in range(len(ends)):
        sites[first : ends[site]] = site
        first = ends[site]
