"""Thin slab of one box, for the figure of the method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lagbias.artefacts import store
from lagbias.features.grids import smoothed_density
from lagbias.features.particles import ParticleFeatures
from lagbias.figures import region, slab
from lagbias.grids.halo_field import select
from lagbias.sources.base import Halos, LinearDensity, Particles
from lagbias.stages.ensembles import load_ensemble, load_input_matrix, load_inputs_of

if TYPE_CHECKING:
    from lagbias.config.sections import HaloSample

__all__ = ["cut_slab"]


def cut_slab(
    paths: Mapping,
    *,
    inputs: str,
    eigenvalue_cut: float | None,
    sample: HaloSample,
    radii: Sequence[float],
    device: str,
    threads: int,
) -> slab.Slab:
    """Cut a slab around the most massive halo of a box; it shows δ of the middle one of `radii`.

    `paths`: ``networks``, ``whitening``, ``linear_density``, ``particles``, ``halos``, ``features``
    and, for ``pc2``, ``components``; `eigenvalue_cut` is for ``cut``.
    """
    ensemble, _ = load_ensemble(paths["networks"], device=device)
    matrix = load_input_matrix(inputs, paths["whitening"], paths.get("components"), eigenvalue_cut)
    inputs_of = load_inputs_of(paths["features"], matrix)
    middle = len(radii) // 2
    density = _density(
        paths["linear_density"], paths["features"][middle], rf=radii[middle], threads=threads
    )
    box = store.read(paths["particles"], Particles, without=("velocity",))
    halos = store.read(paths["halos"], Halos)
    chosen = select(halos.particles, halos.mass, **sample.limits())
    halo_positions, mass = halos.position[chosen], halos.mass[chosen]

    def average_f(rows: np.ndarray) -> np.ndarray:
        return ensemble.evaluate(inputs_of(rows), threads=threads).mean(axis=0)

    where = region.choose_region(
        halo_positions,
        mass,
        box.position,
        box.lagrangian_site,
        box_size=box.box_size,
        n_side=len(density),
    )
    return slab.cut(
        where,
        box.position,
        box.lagrangian_site,
        halo_positions,
        mass,
        average_f,
        density,
        rf=radii[middle],
    )


def _density(
    linear_density: str | Path, features: str | Path, *, rf: float, threads: int
) -> np.ndarray:
    """Return the grid of δ that the features of the particles are taken from."""
    density = store.read(linear_density, LinearDensity)
    smoothed = smoothed_density(density.delta, density.box_size, rf, threads=threads)
    smoothed /= np.float32(store.read_array(features, ParticleFeatures, "sigma")[0])
    return smoothed
