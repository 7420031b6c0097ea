"""Exact periodic friends-of-friends (FoF) halos.

Space is divided into cells whose diagonal is at most the linking length, so that all particles of
one cell are friends. Occupied cells are then joined (union-find) wherever a pair of particles of
two cells within reach, two cells away at most, is close enough.
Distances are taken in float64: the result is exact for the positions as given.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numba
import numpy as np

from lagbias.runtime.threads import numba_threads
from lagbias.simulate.linking import (
    label_groups,
    link_cells,
    occupied_cells,
    sort_by_column,
    sort_columns,
)

__all__ = ["HaloProperties", "friends_of_friends", "halo_properties"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class HaloProperties:
    """Means over the particles of each halo, in order of decreasing particle number.

    Attributes
    ----------
    particles : ndarray, shape (H,), int32
        Number of particles; equal numbers stay in the order of the labels.
    positions : ndarray, shape (H, 3), float64
        Centre of mass [Mpc/h] in [0, L).
    velocities : ndarray, shape (H, 3), float64
        Mean velocity in the units of the particles' velocities.
    label : ndarray, shape (H,), int32
        Label of each halo in the array that :func:`friends_of_friends` gave.
    """

    particles: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray
    label: np.ndarray


def friends_of_friends(
    positions: np.ndarray,
    *,
    box_size: float,
    linking_length: float,
    min_particles: int,
    threads: int = 1,
) -> np.ndarray:
    """Label the friends-of-friends halos of a periodic box.

    Parameters
    ----------
    positions : ndarray, shape (P, 3), float32 or float64
        Positions [Mpc/h] in [0, L).
    box_size : float
        L [Mpc/h].
    linking_length : float
        Particles at most this far apart [Mpc/h] are friends.
    min_particles : int
        Smaller groups are left out.
    threads : int, keyword-only
        Threads; the labels do not depend on their number.

    Returns
    -------
    ndarray, shape (P,), int32
        Halo of each particle, 0 ... H-1 in an order set by position; -1 where there is none.

    Raises
    ------
    ValueError
        If a position lies outside the box, or the linking length is not positive or more than
        a tenth of the box.
    """
    if not 0 < linking_length <= box_size * 0.1:
        raise ValueError(
            f"linking_length = {linking_length} Mpc/h must be positive and at most a tenth of the "
            f"box size, {box_size} Mpc/h: friends of friends in longer links span the box."
        )
    if len(positions) and not (positions.min() >= 0 and positions.max() < box_size):
        raise ValueError(
            f"Positions run from {positions.min()} to {positions.max()} Mpc/h; wrap them into "
            f"[0, {box_size}) first."
        )
    # The side is 1/sqrt(3) of the linking length, less to divide the box: with at least 17 cells
    # across, friends are two cells apart at most. The factor keeps two particles of one cell
    # friends in spite of rounding in the cell index.
    n_cells = int(np.ceil(box_size * np.sqrt(3.0) / linking_length * (1.0 + 1e-6)))
    with numba_threads(threads):
        order, cell_z, column_start = sort_by_column(positions, float(box_size), n_cells)
        sort_columns(order, cell_z, column_start)
        first_cell, cell_start, cell_z = occupied_cells(cell_z, column_start)
        parent = link_cells(
            first_cell,
            cell_start,
            cell_z,
            positions[order],
            float(linking_length) ** 2,
            float(box_size),
            n_cells,
        )
        labels, n_halos = label_groups(parent, cell_start, order, min_particles)
    logger.info("%d halos of at least %d particles", n_halos, min_particles)
    return labels


def halo_properties(
    labels: np.ndarray, positions: np.ndarray, velocities: np.ndarray, *, box_size: float
) -> HaloProperties:
    """Average positions (periodically) and velocities over halos.

    Parameters
    ----------
    labels : ndarray, shape (P,), int32
        As from :func:`friends_of_friends`.
    positions, velocities : ndarray, shape (P, 3), float32
        Of all particles; positions [Mpc/h] in [0, L).
    box_size : float
        L [Mpc/h].

    Returns
    -------
    HaloProperties
        Sorted by decreasing particle number.
    """
    n_halos = int(labels.max(initial=-1)) + 1
    particles, centre, velocity = _average(labels, positions, velocities, n_halos, float(box_size))
    order = np.argsort(-particles, kind="stable")
    return HaloProperties(
        particles=particles[order],
        positions=centre[order],
        velocities=velocity[order],
        label=order.astype(np.int32),
    )


@numba.njit(cache=True)
def _average(labels, positions, velocities, n_halos, box_size):
    """Particle number, centre of mass and mean velocity, relative to any member."""
    count = np.zeros(n_halos, np.int32)
    reference = np.zeros((n_halos, 3))
    centre = np.zeros((n_halos, 3))
    velocity = np.zeros((n_halos, 3))
    for p in range(labels.shape[0]):
        halo = labels[p]
        if halo < 0:
            continue
        for axis in range(3):
            if count[halo] == 0:
                reference[halo, axis] = positions[p, axis]
            offset = positions[p, axis] - reference[halo, axis]
            centre[halo, axis] += offset - box_size * np.round(offset / box_size)
            velocity[halo, axis] += velocities[p, axis]
        count[halo] += 1
    for halo in range(n_halos):
        for axis in range(3):
            mean = reference[halo, axis] + centre[halo, axis] / count[halo]
            centre[halo, axis] = mean % box_size
            velocity[halo, axis] /= count[halo]
    return count, centre, velocity
