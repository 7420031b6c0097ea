"""The embedded source: a small N-body simulation of AbacusSummit's cosmology, run here."""

from __future__ import annotations

import logging
from typing import Protocol

import numpy as np

from lagbias.cosmology import Background, LinearPower, abacus_linear_power
from lagbias.grids.fourier import RealFFT
from lagbias.simulate.friends_of_friends import HaloProperties, friends_of_friends, halo_properties
from lagbias.simulate.gaussian_field import linear_density_modes, white_noise
from lagbias.simulate.nbody import simulate
from lagbias.sources.base import BoxData

__all__ = ["EmbeddedSettings", "make_box"]

logger = logging.getLogger(__name__)


class EmbeddedSettings(Protocol):
    """What a simulation needs to know; the configuration's section has these attributes.

    Attributes
    ----------
    box_size : float
        L [Mpc/h].
    particles_per_side : int
        Particles, and nodes of the linear density, per side.
    redshift, initial_redshift : float
        End and 2LPT start of the simulation.
    steps : int
        Steps, equal in the growth factor.
    linking_length : float
        Friends-of-friends linking length in mean particle separations.
    min_halo_particles : int
        Halos with fewer particles are left out.
    """

    box_size: float
    particles_per_side: int
    redshift: float
    initial_redshift: float
    steps: int
    linking_length: float
    min_halo_particles: int


def make_box(
    settings: EmbeddedSettings,
    *,
    seed: int,
    threads: int = 1,
    background: Background | None = None,
    linear_power: LinearPower | None = None,
) -> BoxData:
    """Simulate one box.

    Parameters
    ----------
    settings : EmbeddedSettings
        Size and accuracy.
    seed : int
        Seed of the initial conditions; the same seed gives the same white noise in every box
        with the same `particles_per_side`.
    threads : int, keyword-only
        Threads; see :func:`lagbias.simulate.nbody.simulate` on reproducibility.
    background, linear_power : optional
        Cosmology; AbacusSummit c000 when left out.

    Returns
    -------
    BoxData
        With one particle per node of the linear density, in the order of the nodes, and halos in
        order of decreasing mass.
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
    )
    halos = _find_halos(positions, velocities, settings, threads=threads)
    del velocities
    linear_density = fft.inverse(modes)
    linear_density *= np.float32(background.growth(scale_factor))
    attributes = _attributes(settings, background, seed)
    return BoxData(
        linear_density=linear_density,
        lagrangian_site=np.arange(n_side**3, dtype=np.int32),
        positions=positions,
        halo_positions=_as_float32_in_box(halos.positions, box_size),
        halo_mass=(halos.particles * attributes["particle_mass"]).astype(np.float32),
        halo_particles=halos.particles,
        halo_velocities=(halos.velocities * background.velocity_factor(scale_factor)).astype(
            np.float32
        ),
        attributes=attributes,
    )


def _find_halos(
    positions: np.ndarray, velocities: np.ndarray, settings: EmbeddedSettings, *, threads: int
) -> HaloProperties:
    box_size = float(settings.box_size)
    labels = friends_of_friends(
        positions,
        box_size=box_size,
        linking_length=settings.linking_length * box_size / settings.particles_per_side,
        min_particles=settings.min_halo_particles,
        threads=threads,
    )
    return halo_properties(labels, positions, velocities, box_size=box_size)


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
        "linking_length": float(settings.linking_length),
        "min_halo_particles": int(settings.min_halo_particles),
    }


def _as_float32_in_box(positions: np.ndarray, box_size: float) -> np.ndarray:
    """Round to float32; what rounds up to L is at 0."""
    rounded = positions.astype(np.float32)
    rounded[rounded >= box_size] = 0.0
    return rounded
