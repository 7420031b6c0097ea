"""Whether particles, their Lagrangian nodes, a density and halos belong together."""

import numpy as np

from lagbias.sources.base import Box
from lagbias.sources.diagnosis import check_alignment

__all__ = ["check"]

_NO_HALOS = np.empty((0, 3), np.float32)


def check(
    density: np.ndarray,
    sites: np.ndarray,
    positions: np.ndarray,
    box_size: float,
    halo_positions: np.ndarray = _NO_HALOS,
) -> None:
    """Raise ValueError, with the mistake if it is a usual one, unless a simulation's arrays fit.

    Parameters
    ----------
    density : ndarray, float32, shape (n, n, n)
        Linear density contrast at any redshift, dimensionless.
    sites : ndarray, int32, shape (P,)
        Flat index (C order) of the node that each particle started from.
    positions : ndarray, float32, shape (P, 3)
        Final positions in [0, L) [Mpc/h].
    box_size : float
        Side L of the box [Mpc/h]. Below 100 the density is not compared.
    halo_positions : ndarray, float32, shape (H, 3), optional
        Halo centres in [0, L) [Mpc/h].
    """
    count = len(halo_positions)
    box = Box.from_arrays(
        delta=density,
        lagrangian_site=sites,
        position=positions,
        halo_position=halo_positions,
        halo_mass=np.ones(count, np.float32),
        halo_particles=np.ones(count, np.int32),
        halo_velocity=np.zeros((count, 3), np.float32),
        attributes={"source": "arrays", "box_size": box_size, "n_grid": len(density)},
    )
    check_alignment(box, any_redshift=True)
