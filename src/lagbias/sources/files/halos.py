"""Halos of a box: from a catalogue, or friends of friends of its particles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lagbias.simulate.friends_of_friends import friends_of_friends, halo_properties
from lagbias.sources.files.arrays import array_shape, read_array
from lagbias.sources.files.coordinates import Coordinates

if TYPE_CHECKING:
    from lagbias.config.sections import FilesSettings, HaloFiles

__all__ = ["HaloArrays", "find_halos", "read_catalogue"]

#: Mass per particle, in particle masses, beyond which units are wrong: spherical-overdensity
#: masses and numbers of friends of friends differ by less.
_MASS_RANGE = (0.2, 5.0)


@dataclass(frozen=True)
class HaloArrays:
    """Halos by decreasing mass."""

    position: np.ndarray  # float32, shape (H, 3) [Mpc/h] in [0, L)
    mass: np.ndarray  # float32, shape (H,) [Msun/h]
    particles: np.ndarray  # int32, shape (H,)
    velocity: np.ndarray  # float32, shape (H, 3) [km/s]


def find_halos(
    settings: FilesSettings,
    positions: np.ndarray,
    velocities: np.ndarray,
    *,
    particle_mass: float,
    threads: int,
) -> HaloArrays:
    """Find the friends-of-friends halos of all particles of a simulation.

    Parameters
    ----------
    settings : FilesSettings
    positions, velocities : ndarray, float32, shape (P, 3)
        Of all particles: [Mpc/h] in [0, L), and [km/s].
    particle_mass : float, keyword-only
        [Msun/h].
    threads : int, keyword-only
        Threads.

    Raises
    ------
    ValueError
        If these are not all particles.
    """
    if len(positions) != settings.particles_per_side**3:
        raise ValueError(
            f"Friends of friends need all {settings.particles_per_side}³ = "
            f"{settings.particles_per_side**3} particles of the simulation, but the files have "
            f"{len(positions)}. Give all of them, correct particles_per_side, or use a catalogue."
        )
    labels = friends_of_friends(
        positions,
        box_size=settings.box_size,
        linking_length=settings.linking_length * settings.box_size / settings.particles_per_side,
        min_particles=settings.min_halo_particles,
        threads=threads,
    )
    found = halo_properties(labels, positions, velocities, box_size=settings.box_size)
    return HaloArrays(
        position=Coordinates(settings.box_size, 0.0).to_box(found.positions),
        mass=(found.particles * particle_mass).astype(np.float32),
        particles=found.particles,
        velocity=found.velocities.astype(np.float32),
    )


def read_catalogue(
    files: HaloFiles, settings: FilesSettings, *, particle_mass: float
) -> HaloArrays:
    """Read a halo catalogue.

    Parameters
    ----------
    files : HaloFiles
        Its arrays.
    settings : FilesSettings
    particle_mass : float, keyword-only
        [Msun/h].

    Returns
    -------
    HaloArrays
        Those of at least `min_halo_particles`.

    Raises
    ------
    OSError
        If a file is absent or damaged.
    ValueError
        If arrays do not belong together, or are in other units.
    """
    (count,) = array_shape(files.masses)[:1]
    mass = read_array(files.masses, shape=(count,), dtype=np.float64) * settings.mass_unit
    coordinates = Coordinates(settings.box_size, settings.origin)
    position = read_array(files.positions, shape=(count, 3), dtype=np.float64)
    position *= settings.length_unit
    coordinates.check(position.min(initial=0), position.max(initial=0), files.positions)
    if files.particles:
        particles = read_array(files.particles, shape=(count,), dtype=np.int64)
    else:
        particles = np.rint(mass / particle_mass).astype(np.int64)
    _check_masses(files.masses, mass, particles, particle_mass)
    velocity = np.zeros((count, 3), np.float32)
    if files.velocities:
        velocity = read_array(files.velocities, shape=(count, 3), dtype=np.float32)
    order = np.argsort(-mass, kind="stable")
    order = order[particles[order] >= settings.min_halo_particles]
    return HaloArrays(
        position=coordinates.to_box(position[order]),
        mass=mass[order].astype(np.float32),
        particles=particles[order].astype(np.int32),
        velocity=velocity[order],
    )


def _check_masses(
    source: str, mass: np.ndarray, particles: np.ndarray, particle_mass: float
) -> None:
    """Raise ValueError if masses are not those of so many particles."""
    if not len(mass):
        raise ValueError(f"{source} is empty: there are no halos.")
    low, high = _MASS_RANGE
    ratio = float(np.median(mass / np.maximum(particles, 1))) / particle_mass
    if not low < ratio < high:
        raise ValueError(
            f"Masses in {source} are {mass.min():.3g} to {mass.max():.3g} Msun/h, {ratio:.2g} "
            f"particle masses of {particle_mass:.3g} Msun/h for each particle. Correct mass_unit "
            f"(1.0e+10 for masses in 1e10 Msun/h) or particle_mass."
        )
