"""One box of any simulation, from arrays or snapshots in files.

In memory are, for each particle, its position (12 bytes), velocity (12) and ID (12), while halos
are found links (about 45), and while particles are sorted positions or velocities of kept ones
again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from lagbias.cosmology import CRITICAL_DENSITY, Background
from lagbias.simulate.kept_particles import kept_sites
from lagbias.sources.base import Box
from lagbias.sources.files.arrays import blocks_of, read_array
from lagbias.sources.files.coordinates import Coordinates
from lagbias.sources.files.gadget import GadgetParticles
from lagbias.sources.files.halos import HaloArrays, find_halos, read_catalogue
from lagbias.sources.files.lagrangian_ids import Lattice
from lagbias.sources.files.particles import ArrayParticles, ParticleFiles, Stated
from lagbias.sources.site_order import sort_by_site

if TYPE_CHECKING:
    from lagbias.config.sections import FileBox, FilesSettings

__all__ = ["read_box"]

#: Relative differences between files and configuration that pass.
_SIZE_TOLERANCE = 1e-4
_REDSHIFT_TOLERANCE = 0.01
_MASS_TOLERANCE = 0.3  # baryons may be missing from the particles
#: Largest means of a linear density, in standard deviations: of one that is used as it is, and of
#: one from which it is subtracted.
_ZERO_MEAN, _MEAN_TOLERANCE = 1e-6, 0.01
#: Of the choice of kept particles: the same sites in every box.
_SEED = 0


def read_box(settings: FilesSettings, name: str, *, threads: int = 1) -> Box:
    """Read one box.

    Parameters
    ----------
    settings : FilesSettings
        The simulation and its files.
    name : str
        One of ``settings.boxes``.
    threads : int, keyword-only
        Threads with which halos are found.

    Returns
    -------
    Box
        The kept particles, sorted by site. The linear density is scaled to the redshift of the
        snapshot, and a small mean is subtracted. Halos are those of the catalogue,
        or friends of friends of all particles.

    Raises
    ------
    OSError
        If a file is absent or damaged.
    ValueError
        If files contradict each other or the configuration, or a snapshot of SWIFT is to be read
        and swiftsimio is not installed.
    """
    box = settings.boxes[name]
    particles = _particles(box, settings)
    mass = _particle_mass(particles.stated, settings)
    _check_stated(particles.stated, settings)
    site, kept = _sites(box, particles, settings)
    position = _positions(box, particles, settings)
    velocity = _velocities(particles, needed=box.halos is None)
    halos = _halos(box, position, velocity, settings, mass=mass, threads=threads)
    vectors = [position, velocity if particles.moving else velocity[:0]]
    if kept is not None:
        site, vectors = site[kept], [v[kept] if len(v) else v for v in vectors]
    del position, velocity  # out of memory once they are sorted
    site, (position, velocity) = sort_by_site(site, vectors, settings.density_grid**3)
    return Box.from_arrays(
        delta=_density(box, settings),
        lagrangian_site=site,
        position=position,
        velocity=velocity,
        halo_position=halos.position,
        halo_mass=halos.mass,
        halo_particles=halos.particles,
        halo_velocity=halos.velocity,
        attributes=_attributes(settings, mass),
    )


def _particles(box: FileBox, settings: FilesSettings) -> ParticleFiles:
    if box.format == "gadget4":
        return GadgetParticles(box.snapshot)
    if box.format == "swift":
        from lagbias.sources.files.swift import SwiftParticles

        return SwiftParticles(box.snapshot)
    return ArrayParticles(box, length_unit=settings.length_unit, first_id=settings.first_id)


def _particle_mass(stated: Stated, settings: FilesSettings) -> float:
    """Return the mass of a particle [Msun/h]."""
    volume = (settings.box_size / settings.particles_per_side) ** 3
    return settings.particle_mass or stated.particle_mass or _mean_mass(settings, volume)


def _mean_mass(settings: FilesSettings, volume: float) -> float:
    return CRITICAL_DENSITY * settings.omega_m * volume


def _check_stated(stated: Stated, settings: FilesSettings) -> None:
    """Raise ValueError if a snapshot and the configuration differ."""
    volume = (settings.box_size / settings.particles_per_side) ** 3
    compared = (
        ("box_size", stated.box_size, settings.box_size, _SIZE_TOLERANCE * settings.box_size),
        ("redshift", stated.redshift, settings.redshift, _REDSHIFT_TOLERANCE),
    )
    for key, found, expected, tolerance in compared:
        if found is not None and abs(found - expected) > tolerance:
            raise ValueError(
                f"The snapshot has {key} = {found:.6g}, the configuration {expected:g}. Correct "
                f"{key}, or name another snapshot."
            )
    mean = _mean_mass(settings, volume)
    found = _particle_mass(stated, settings)
    if abs(found / mean - 1) > _MASS_TOLERANCE:
        raise ValueError(
            f"The mass of a particle is {found:.4g} Msun/h, but omega_m = {settings.omega_m:g} in "
            f"the box, divided by particles_per_side³, is {mean:.4g} Msun/h. Correct omega_m, "
            f"particles_per_side or particle_mass."
        )


def _sites(
    box: FileBox, particles: ParticleFiles, settings: FilesSettings
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return each particle's node of the density, int32, and which are kept, None if all."""
    if box.lagrangian_index:
        shape, n_nodes = (particles.count,), settings.density_grid**3
        sites = read_array(box.lagrangian_index, shape=shape, dtype=np.int64)
        if sites.min() < 0 or sites.max() >= n_nodes:
            raise ValueError(
                f"{box.lagrangian_index} runs from {sites.min()} to {sites.max()}, but nodes of "
                f"the density from 0 to density_grid³ - 1 = {n_nodes - 1}. Number nodes in C "
                f"order, from 0, or give particle_ids."
            )
        return sites.astype(np.int32), _kept(sites, settings)
    lattice = Lattice(settings.particles_per_side, settings.particle_order, settings.first_id)
    ids = _gathered(particles.ids(), np.empty(particles.count, np.int64))
    lattice.check(int(ids.min()), int(ids.max()))
    nodes = np.empty(particles.count, np.int32)
    for part in blocks_of(ids.shape):
        ids[part] = lattice.sites(ids[part])
        nodes[part] = lattice.nodes(ids[part], settings.density_grid)
    return nodes, _kept(ids, settings)


def _kept(sites: np.ndarray, settings: FilesSettings) -> np.ndarray | None:
    """Return which particles are kept once halos are found; None if all are."""
    if settings.kept_fraction == 1.0:
        return None
    chosen = np.zeros(settings.particles_per_side**3, bool)
    random = np.random.default_rng(_SEED)
    n_side, fraction = settings.particles_per_side, settings.kept_fraction
    chosen[kept_sites(n_side, fraction, settings.kept_sampling, random)] = True
    return chosen[sites]


def _positions(box: FileBox, particles: ParticleFiles, settings: FilesSettings) -> np.ndarray:
    """Return positions [Mpc/h] in [0, L), float32."""
    coordinates, ranges = Coordinates(settings.box_size, settings.origin), []

    def convert(block: np.ndarray) -> np.ndarray:
        ranges.append((block.min(), block.max()))
        return coordinates.to_box(block)

    positions = _gathered(
        particles.positions(), np.empty((particles.count, 3), np.float32), convert
    )
    lowest, highest = min(low for low, _ in ranges), max(high for _, high in ranges)
    coordinates.check(lowest, highest, box.snapshot or box.positions, whole=True)
    return positions


def _velocities(particles: ParticleFiles, *, needed: bool) -> np.ndarray:
    """Return peculiar velocities [km/s], float32; none if files lack them and halos need none."""
    if not (particles.moving or needed):
        return np.empty((0, 3), np.float32)
    return _gathered(particles.velocities(), np.empty((particles.count, 3), np.float32))


def _gathered(
    blocks: Iterator[np.ndarray],
    out: np.ndarray,
    convert: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> np.ndarray:
    """Write blocks one after another into an array, and return it."""
    start = 0
    for block in blocks:
        out[start : start + len(block)] = convert(block)
        start += len(block)
    return out


def _halos(
    box: FileBox,
    position: np.ndarray,
    velocity: np.ndarray,
    settings: FilesSettings,
    *,
    mass: float,
    threads: int,
) -> HaloArrays:
    if box.halos:
        return read_catalogue(box.halos, settings, particle_mass=mass)
    return find_halos(settings, position, velocity, particle_mass=mass, threads=threads)


def _density(box: FileBox, settings: FilesSettings) -> np.ndarray:
    """Return the linear density at the snapshot's redshift, with mean zero."""
    shape = (settings.density_grid,) * 3
    delta = read_array(box.linear_density, shape=shape, dtype=np.float32)
    mean, scatter = float(delta.mean(dtype=np.float64)), float(delta.std(dtype=np.float64))
    if abs(mean) > _MEAN_TOLERANCE * scatter:
        hint = " It looks like 1 + δ." if abs(mean - 1) < _MEAN_TOLERANCE * scatter else ""
        raise ValueError(
            f"{box.linear_density} has the mean {mean:.4g} (standard deviation {scatter:.4g}), but "
            f"a density contrast has the mean 0.{hint} Subtract the mean."
        )
    if abs(mean) > _ZERO_MEAN * scatter:
        delta -= np.float32(mean)
    if settings.density_redshift is not None:
        growth = Background.flat(settings.omega_m).growth
        here, there = (1 / (1 + z) for z in (settings.redshift, settings.density_redshift))
        delta *= np.float32(growth(here) / growth(there))
    return delta


def _attributes(settings: FilesSettings, particle_mass: float) -> dict[str, Any]:
    keys = ("box_size", "redshift", "omega_m", "particles_per_side", "min_halo_particles")
    keys += ("halo_finder", "kept_fraction", "kept_sampling")
    background = Background.flat(settings.omega_m)
    growth = settings.growth or background.growth(1 / (1 + settings.redshift))
    return {
        "source": "files",
        "n_grid": settings.density_grid,
        "growth": float(growth),
        "particle_mass": particle_mass,
        "linking_length": settings.linking_length or 0.0,
        **{key: getattr(settings, key) for key in keys},
    }
