"""The mass-weighted halo field that the model is to reproduce."""

import numpy as np

from lagbias import paint

__all__ = ["mass_weighted_overdensity", "select"]

_SCHEMES = {"ngp": paint.paint_ngp, "cic": paint.paint_cic}


def select(
    halo_particles: np.ndarray, *, min_particles: int, max_particles: int | None = None
) -> np.ndarray:
    """Choose the halos of a sample.

    Parameters
    ----------
    halo_particles : ndarray of int, (H,)
        Number of particles of each halo, dimensionless.
    min_particles : int
        Fewest particles, inclusive, dimensionless.
    max_particles : int, optional
        Most particles, inclusive, dimensionless.

    Returns
    -------
    ndarray of bool, (H,)
        True for the halos in the sample, dimensionless.

    Raises
    ------
    ValueError
        If no halo is left.
    """
    chosen = halo_particles >= min_particles
    if max_particles is not None:
        chosen &= halo_particles <= max_particles
    if not chosen.any():
        largest = halo_particles.max(initial=0)
        raise ValueError(
            f"No halo has between {min_particles} and {max_particles or 'any number of'} particles "
            f"(the largest of {halo_particles.size} has {largest}). Widen the halo sample or "
            f"use a larger box."
        )
    return chosen


def mass_weighted_overdensity(
    positions: np.ndarray, mass: np.ndarray, box_size: float, n_grid: int, *, scheme: str
) -> np.ndarray:
    """Deposit halos weighted by mass: 1 + δ_h = Σ M / mean (paper §2.1).

    Parameters
    ----------
    positions : ndarray, (H, 3)
        Halo centres [Mpc/h].
    mass : ndarray, (H,)
        Halo masses [Msun/h].
    box_size : float
        Side of the box [Mpc/h].
    n_grid : int
        Cells per side, dimensionless.
    scheme : {"ngp", "cic"}
        Nearest grid point or cloud in cell.

    Returns
    -------
    ndarray of float32, (n_grid, n_grid, n_grid)
        Overdensity δ_h, dimensionless.
    """
    weights = (mass / np.mean(mass, dtype=np.float64)).astype(np.float32)
    field = _SCHEMES[scheme](positions, box_size, n_grid, weights=weights)
    return paint.overdensity(field).astype(np.float32)
