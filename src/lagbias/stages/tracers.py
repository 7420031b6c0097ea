"""Halos or galaxies of a sample, with the weights of their field."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lagbias.grids.halo_field import select
from lagbias.simulate.galaxies import Occupation, populate
from lagbias.sources.base import Halos

if TYPE_CHECKING:
    from lagbias.config.sections import HaloSample

__all__ = ["Tracers", "tracers_of"]


class Tracers(NamedTuple):
    """Halos or galaxies, and the masses of the halos of their sample."""

    position: np.ndarray  # float32, shape (T, 3) [Mpc/h] in [0, L)
    velocity: np.ndarray  # float32, shape (T, 3), peculiar [km/s]
    weights: np.ndarray  # float32, shape (T,), halo masses [Msun/h] or ones
    halo_mass: np.ndarray  # float32, shape (H,) [Msun/h]


def tracers_of(halos: Halos, sample: HaloSample) -> Tracers:
    """Select the halos of a sample, and populate them if it is one of galaxies.

    Equal halos and seeds have equal galaxies.

    Raises
    ------
    ValueError
        If no halo is selected, or none has a galaxy.
    """
    chosen = select(halos.particles, halos.mass, **sample.limits())
    position, velocity, mass = (
        values[chosen] for values in (halos.position, halos.velocity, halos.mass)
    )
    if sample.galaxies is None:
        weights = mass if sample.weighting == "mass" else np.ones_like(mass)
        return Tracers(position, velocity, weights, mass)
    settings = sample.galaxies.model_dump()
    seed = settings.pop("seed")
    galaxies = populate(
        Occupation(**settings),
        position,
        velocity,
        mass,
        box_size=halos.box_size,
        omega_m=float(halos.attributes["omega_m"]),
        redshift=float(halos.attributes["redshift"]),
        seed=seed,
    )
    if not len(galaxies.halo):
        raise ValueError(
            f"None of {len(mass)} halos of up to {mass.max():.3g} Msun/h has a galaxy. Lower "
            f"log_min_mass = {sample.galaxies.log_min_mass:g} of the sample."
        )
    ones = np.ones(len(galaxies.halo), np.float32)
    return Tracers(galaxies.position, galaxies.velocity, ones, mass)
