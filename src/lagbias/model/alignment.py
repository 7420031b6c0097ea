"""Whether particles, their Lagrangian nodes and a density belong together."""

import numpy as np

from lagbias.sources.alignment import (
    MAX_RMS_DISPLACEMENT,
    SMALLEST_ALIGNED,
    check_alignment,
    rms_displacement,
)
from lagbias.sources.base import Box

__all__ = ["check_density", "check_displacement"]


def check_displacement(
    density: np.ndarray, sites: np.ndarray, positions: np.ndarray, box_size: float
) -> None:
    """Raise ValueError unless particles are near their nodes; small boxes are not checked.

    Parameters
    ----------
    density : ndarray, float32, shape (n, n, n)
        Linear density contrast, dimensionless.
    sites : ndarray, int32, shape (P,)
        Flat index (C order) of the node that each particle started from.
    positions : ndarray, float32, shape (P, 3)
        Final positions [Mpc/h].
    box_size : float
        Side of the box [Mpc/h].
    """
    if box_size < SMALLEST_ALIGNED:
        return
    displacement = rms_displacement(_box(density, sites, positions, box_size))
    if not displacement < MAX_RMS_DISPLACEMENT:
        raise ValueError(
            f"The rms displacement of positions from the nodes in lagrangian_index is "
            f"{displacement:.1f} Mpc/h, expected at most {MAX_RMS_DISPLACEMENT:g}; check that node "
            "[0, 0, 0] is at the origin of positions, the order of the particles, and that "
            "lagrangian_index is in C order."
        )


def check_density(
    density: np.ndarray, sites: np.ndarray, positions: np.ndarray, box_size: float
) -> None:
    """Raise ValueError unless the particles follow the density; arguments are as above."""
    if box_size >= SMALLEST_ALIGNED:
        check_alignment(_box(density, sites, positions, box_size))


def _box(density: np.ndarray, sites: np.ndarray, positions: np.ndarray, box_size: float) -> Box:
    return Box.from_arrays(
        delta=density,
        lagrangian_site=sites,
        position=positions,
        halo_position=np.empty((0, 3), np.float32),
        halo_mass=np.empty(0, np.float32),
        halo_particles=np.empty(0, np.int32),
        halo_velocity=np.empty((0, 3), np.float32),
        attributes={"source": "arrays", "box_size": box_size, "n_grid": len(density)},
    )
