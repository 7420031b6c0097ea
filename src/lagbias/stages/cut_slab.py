"""Thin slab of one box, for the figure of the method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lagbias.artefacts import store
from lagbias.features.grids import FeatureGrids
from lagbias.figures import region, slab
from lagbias.grids.halo_field import select
from lagbias.sources.base import Halos, Particles
from lagbias.stages.ensembles import load_ensemble, load_input_matrix, load_inputs_at_sites

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

    `paths`: ``networks``, ``whitening``, ``particles``, ``halos``, ``features`` and, for ``pc2``,
    ``components``; `eigenvalue_cut` is for ``cut``.
    """
    ensemble, _ = load_ensemble(paths["networks"], device=device)
    matrix = load_input_matrix(inputs, paths["whitening"], paths.get("components"), eigenvalue_cut)
    inputs_at = load_inputs_at_sites(paths["features"], matrix)
    middle = len(radii) // 2
    density = store.read_array(paths["features"][middle], FeatureGrids, "delta")
    box, halos = store.read(paths["particles"], Particles), store.read(paths["halos"], Halos)
    chosen = select(halos.particles, halos.mass, **dict(sample))
    halo_positions, mass = halos.position[chosen], halos.mass[chosen]

    def average_f(rows: np.ndarray) -> np.ndarray:
        inputs = inputs_at(box.lagrangian_site[rows])
        return ensemble.evaluate(inputs, threads=threads).mean(axis=0)

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
