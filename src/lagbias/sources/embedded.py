"""The embedded source: the pipeline's own N-body simulation of AbacusSummit's cosmology."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lagbias.cosmology import Background, LinearPower, abacus_linear_power
from lagbias.grids.fourier import RealFFT
from lagbias.grids.periodic import wrap
from lagbias.simulate.friends_of_friends import friends_of_friends, halo_properties
from lagbias.simulate.gaussian_field import linear_density_modes, white_noise
from lagbias.simulate.kept_particles import kept_sites
from lagbias.simulate.nbody import simulate
from lagbias.sources.base import Box

if TYPE_CHECKING:
    from lagbias.config.sections import EmbeddedSettings

__all__ = ["make_box"]

#: Settings that the evolution of the particles depends on, besides the seed.
_OF_THE_EVOLUTION = ("box_size", "particles_per_side", "redshift", "initial_redshift", "steps")


def make_box(
    settings: EmbeddedSettings,
    *,
    seed: int,
    threads: int = 1,
    checkpoint: Path | None = None,
    background: Background | None = None,
    linear_power: LinearPower | None = None,
) -> Box:
    """Simulate one box.

    Parameters
    ----------
    settings : EmbeddedSettings
        Size and accuracy.
    seed : int
        Seed of the initial conditions; boxes of equal `particles_per_side` and seed have the same
        white noise.
    threads : int, keyword-only
        Threads; see :func:`lagbias.simulate.nbody.simulate` on reproducibility.
    checkpoint : Path, optional, keyword-only
        File from which an interrupted simulation continues; see
        :func:`lagbias.simulate.nbody.simulate`.
    background, linear_power : optional
        Cosmology; AbacusSummit c000 by default.

    Returns
    -------
    Box
        The kept particles, in the order of their nodes of the linear density; halos, which are
        those of all particles, by decreasing mass.
    """
    background = background or Background.abacus_c000()
    box_size, n_side = float(settings.box_size), int(settings.particles_per_side)
    scale_factor = 1.0 / (1.0 + settings.redshift)
    fft = RealFFT(n_side, threads=threads)
    modes = linear_density_modes(
        white_noise(n_side, np.random.default_rng(seed)),
        box_size=box_size,
        linear_power=linear_power or abacus_linear_power(),
        fft=fft,
    )
    positions, velocities = simulate(
        modes,
        box_size=box_size,
        background=background,
        initial_redshift=settings.initial_redshift,
        redshift=settings.redshift,
        steps=settings.steps,
        threads=threads,
        checkpoint=checkpoint,
        key=repr((seed, *(getattr(settings, name) for name in _OF_THE_EVOLUTION))),
    )
    labels = friends_of_friends(
        positions,
        box_size=box_size,
        linking_length=settings.linking_length * box_size / settings.particles_per_side,
        min_particles=settings.min_halo_particles,
        threads=threads,
    )
    halos = halo_properties(labels, positions, velocities, box_size=box_size)
    del labels
    linear_density = fft.inverse(modes)
    linear_density *= np.float32(background.growth(scale_factor))
    sites = kept_sites(
        n_side, settings.kept_fraction, settings.kept_sampling, np.random.default_rng((seed, 1))
    )
    attributes = _attributes(settings, background, seed)
    to_kms = background.velocity_factor(scale_factor)
    return Box.from_arrays(
        delta=linear_density,
        lagrangian_site=sites,
        position=positions[sites],
        velocity=velocities[sites] * np.float32(to_kms),
        halo_position=wrap(halos.positions, box_size),
        halo_mass=(halos.particles * attributes["particle_mass"]).astype(np.float32),
        halo_particles=halos.particles,
        halo_velocity=(halos.velocities * to_kms).astype(np.float32),
        attributes=attributes,
    )


def _attributes(
    settings: EmbeddedSettings, background: Background, seed: int
) -> dict[str, float | int | str]:
    box_size, n_side = float(settings.box_size), int(settings.particles_per_side)
    return {
        "source": "embedded",
        "seed": int(seed),
        "box_size": box_size,
        "n_grid": n_side,
        "redshift": float(settings.redshift),
        "growth": float(background.growth(1.0 / (1.0 + settings.redshift))),
        "omega_m": background.omega_m,
        "omega_smooth": background.omega_smooth,
        "h": background.h,
        "particle_mass": background.particle_mass((box_size / n_side) ** 3),
        "initial_redshift": float(settings.initial_redshift),
        "steps": int(settings.steps),
        "halo_finder": "friends of friends",
        "linking_length": float(settings.linking_length),
        "min_halo_particles": int(settings.min_halo_particles),
        "kept_fraction": float(settings.kept_fraction),
        "kept_sampling": settings.kept_sampling,
    }
