"""A simulation of one's own, for those who have none at hand."""

from pathlib import Path

from pydantic import ValidationError

from lagbias.config.model import wrong_value
from lagbias.config.sections import EmbeddedSettings
from lagbias.model import arguments
from lagbias.sources.base import Box
from lagbias.sources.embedded import make_box

__all__ = ["simulate_box"]


def simulate_box(
    seed: int = 0,
    *,
    box_size: float = 125.0,
    particles_per_side: int = 200,
    redshift: float = 0.5,
    steps: int = 12,
    linking_length: float = 0.17,
    threads: int | None = None,
    checkpoint: str | Path | None = None,
) -> Box:
    """Simulate a box in AbacusSummit's cosmology, as the default run does.

    2LPT initial conditions, a particle mesh, friends-of-friends halos. The defaults have the mass
    resolution of the default run in an eighth of its volume.

    Parameters
    ----------
    seed : int
        Seed of the initial conditions.
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    particles_per_side : int, keyword-only
        Particles, and nodes of the linear density, per side, from 16 to 1024.
    redshift : float, keyword-only
        Redshift of the snapshot.
    steps : int, keyword-only
        Time steps from z = 19.
    linking_length : float, keyword-only
        Friends-of-friends linking length [mean interparticle separation].
    threads : int, optional, keyword-only
        Threads; all cores of this process when omitted. Their number changes the result by
        rounding.
    checkpoint : str or Path, optional, keyword-only
        File from which an interrupted simulation continues.

    Returns
    -------
    lagbias.sources.base.Box
        ``linear_density.delta``, ``particles.position`` and ``particles.lagrangian_site``,
        ``halos.position``, ``halos.mass``, ``halos.particles`` and ``halos.velocity``, in the units
        of `lagbias.fit`. Every particle is kept, and halos have ten particles or more.

    Raises
    ------
    ValueError
        If an argument does not fit.
    """
    try:
        settings = EmbeddedSettings(
            box_size=box_size,
            particles_per_side=particles_per_side,
            redshift=redshift,
            initial_redshift=19.0,
            steps=steps,
            linking_length=linking_length,
            min_halo_particles=10,
            kept_fraction=1.0,
            kept_sampling="even",
            boxes={"this": seed, "none": seed + 1},
        )
    except ValidationError as error:
        raise ValueError(wrong_value(error.errors()[0])) from None
    return make_box(
        settings,
        seed=seed,
        threads=arguments.default_threads(threads),
        checkpoint=None if checkpoint is None else Path(checkpoint),
    )
