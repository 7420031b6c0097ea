"""The mass-weighted halo field that the model is to reproduce."""

import numpy as np

from lagbias.grids import paint

__all__ = ["mass_weighted_overdensity", "select"]

_SCHEMES = {"ngp": paint.paint_ngp, "cic": paint.paint_cic}


def select(
    halo_particles: np.ndarray,
    halo_mass: np.ndarray,
    *,
    min_particles: int | None = None,
    max_particles: int | None = None,
    min_mass: float | None = None,
    max_mass: float | None = None,
) -> np.ndarray:
    """Choose the halos of a sample; all limits are inclusive.

    Parameters
    ----------
    halo_particles : ndarray of int, (H,)
        Number of particles of each halo, dimensionless.
    halo_mass : ndarray, (H,)
        Mass of each halo [Msun/h].
    min_particles, max_particles : int, optional, keyword-only
        Fewest and most particles, dimensionless.
    min_mass, max_mass : float, optional, keyword-only
        Lowest and highest mass [Msun/h].

    Returns
    -------
    ndarray of bool, (H,)
        True for the halos in the sample, dimensionless.

    Raises
    ------
    ValueError
        If no halo is left.
    """
    chosen = np.ones(len(halo_mass), dtype=bool)
    for values, low, high in (
        (halo_particles, min_particles, max_particles),
        (halo_mass, min_mass, max_mass),
    ):
        if low is not None:
            chosen &= values >= low
        if high is not None:
            chosen &= values <= high
    if not chosen.any():
        limits = {"min_particles": min_particles, "max_particles": max_particles}
        limits |= {"min_mass": min_mass, "max_mass": max_mass}
        given = ", ".join(f"{name} {v:g}" for name, v in limits.items() if v is not None)
        raise ValueError(
            f"No halo of {len(halo_mass)} is in the sample of {given} (the largest has "
            f"{halo_particles.max(initial=0)} particles and {halo_mass.max(initial=0):.3g} "
            f"Msun/h). Widen the halo sample or use a larger box."
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
