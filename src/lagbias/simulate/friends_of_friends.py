"""Exact periodic friends-of-friends (FoF) halos.

Space is divided into cells whose diagonal is at most the linking length, so that all particles of
one cell are friends. Occupied cells at most two cells apart are then joined (union-find) if any
pair of their particles is within the linking length. Distances are float64: the result is exact
for the given positions.
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
    """Means over the particles of each halo, by decreasing number of particles."""

    particles: np.ndarray  # their number, int32, shape (H,); ties are in the order of the labels
    positions: np.ndarray  # centres of mass [Mpc/h] in [0, L), float64, shape (H, 3)
    velocities: np.ndarray  # in the units of the particles' velocities, float64, shape (H, 3)
    label: np.ndarray  # from `friends_of_friends`, int32, shape (H,)


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
        Maximum separation of friends [Mpc/h].
    min_particles : int
        Minimum number of particles of a halo.
    threads : int, keyword-only
        Threads; the labels do not depend on their number.

    Returns
    -------
    ndarray, shape (P,), int32
        Halo of each particle, 0 ... H-1, ordered by position; -1 if it is in none.

    Raises
    ------
    ValueError
        If a position lies outside the box, or the linking length is not positive or more than
        a tenth of the box.
    """
    if not 0 < linking_length <= box_size * 0.1:
        raise ValueError(
            f"linking_length = {linking_length} Mpc/h must be positive and at most a tenth of the "
            f"box size, {box_size} Mpc/h."
        )
    if len(positions) and not (positions.min() >= 0 and positions.max() < box_size):
        raise ValueError(
            f"Positions run from {positions.min()} to {positions.max()} Mpc/h; wrap them into "
            f"[0, {box_size}) first."
        )
    # Cell side: at most 1/sqrt(3) of the linking length. With at least 17 cells per side, friends
    # are at most two cells apart. The factor allows for rounding in the cell index.
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
