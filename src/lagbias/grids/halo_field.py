"""Weighted halo or galaxy field, the target of the model."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lagbias.grids import paint
from lagbias.schema import fields

__all__ = ["HaloFields", "select", "shot_noise", "weighted_overdensity"]

_SCHEMES = {"ngp": paint.paint_ngp, "cic": paint.paint_cic}


@dataclass(frozen=True, kw_only=True)
class HaloFields:
    """Overdensity of the halos or galaxies of one sample in one box."""

    KIND: ClassVar[str] = "halo_fields"
    training: np.ndarray = fields.array("1", "cx cy cz", "overdensity on the training cells, NGP")
    evaluation: np.ndarray = fields.array("1", "x y z", "overdensity on the evaluation grid, CIC")
    box_size: float = fields.number("Mpc/h", "side of the box")
    n_halos: int = fields.number("1", "halos in the sample")
    min_mass: float = fields.number("Msun/h", "smallest halo mass")
    max_mass: float = fields.number("Msun/h", "largest halo mass")
    mean_mass: float = fields.number("Msun/h", "mass-weighted mean halo mass")
    n_galaxies: int = fields.number("1", "galaxies in these halos; 0 if halos are painted")
    shot_noise: float = fields.number("(Mpc/h)^3", "V Σw²/(Σw)² of the weights w")
    weighting: str = fields.label("weights of halos or galaxies: mass or number")
    box: str = fields.label("box")
    sample: str = fields.label("halo sample")


def select(
    halo_particles: np.ndarray,
    halo_mass: np.ndarray,
    *,
    min_particles: int | None = None,
    max_particles: int | None = None,
    min_mass: float | None = None,
    max_mass: float | None = None,
) -> np.ndarray:
    """Select the halos of a sample; all limits are inclusive.

    Parameters
    ----------
    halo_particles : ndarray of int, (H,)
        Number of particles of each halo, dimensionless.
    halo_mass : ndarray, (H,)
        Mass of each halo [Msun/h].
    min_particles, max_particles : int, optional, keyword-only
        Limits of the number of particles.
    min_mass, max_mass : float, optional, keyword-only
        Limits of the mass [Msun/h].

    Returns
    -------
    ndarray of bool, (H,)
        True for halos in the sample.

    Raises
    ------
    ValueError
        If no halo is selected.
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
            f"None of {len(halo_mass)} halos is in the sample with {given} (the largest has "
            f"{halo_particles.max(initial=0)} particles and {halo_mass.max(initial=0):.3g} "
            "Msun/h). Widen the halo sample or use a larger box."
        )
    return chosen


def weighted_overdensity(
    positions: np.ndarray, weights: np.ndarray, box_size: float, n_grid: int, *, scheme: str
) -> np.ndarray:
    """Paint a weighted overdensity: 1 + δ_h = Σ w / mean, with w = M in the paper (§2.1).

    Parameters
    ----------
    positions : ndarray, (T, 3)
        Halo centres or galaxies [Mpc/h].
    weights : ndarray, (T,)
        Halo masses, or ones to count; in any units.
    box_size : float
        Side of the box [Mpc/h].
    n_grid : int
        Cells per side.
    scheme : {"ngp", "cic"}
        Mass assignment: nearest grid point or cloud-in-cell.

    Returns
    -------
    ndarray of float32, (n_grid, n_grid, n_grid)
        Overdensity δ_h, dimensionless.
    """
    scaled = (weights / np.mean(weights, dtype=np.float64)).astype(np.float32)
    field = _SCHEMES[scheme](positions, box_size, n_grid, weights=scaled)
    return paint.overdensity(field).astype(np.float32)


def shot_noise(weights: np.ndarray, box_size: float) -> float:
    """Return the power V Σw²/(Σw)² of unclustered points with weights w (T,) [(Mpc/h)³]."""
    w = weights.astype(np.float64)
    return float(box_size**3 * np.sum(w**2) / np.sum(w) ** 2)
