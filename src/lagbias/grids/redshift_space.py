"""Positions in redshift space, seen along the z axis from far away."""

import numpy as np

from lagbias.cosmology import Background
from lagbias.grids.periodic import wrap

__all__ = ["redshift_space", "velocity_to_shift"]


def velocity_to_shift(omega_m: float, redshift: float) -> float:
    """Return (1 + z)/H(z) in flat ΛCDM [Mpc/h per km/s]."""
    scale_factor = 1.0 / (1.0 + redshift)
    return float(1.0 / (scale_factor * Background.flat(omega_m).hubble(scale_factor)))


def redshift_space(
    position: np.ndarray, velocity: np.ndarray, *, box_size: float, shift: float
) -> np.ndarray:
    """Return positions s = x + ẑ v_z (1 + z)/H(z), wrapped into the box.

    Parameters
    ----------
    position : ndarray, float32, shape (P, 3)
        Comoving positions [Mpc/h] in [0, L).
    velocity : ndarray, float32, shape (P, 3)
        Peculiar velocities [km/s].
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    shift : float, keyword-only
        (1 + z)/H(z) from `velocity_to_shift` [Mpc/h per km/s].

    Returns
    -------
    ndarray, float32, shape (P, 3)
        Positions [Mpc/h] in [0, L).
    """
    shifted = position.copy()
    shifted[:, 2] = wrap(position[:, 2] + shift * velocity[:, 2].astype(np.float64), box_size)
    return shifted
