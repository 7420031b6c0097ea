"""Halo or galaxy fields of one sample in one box."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lagbias.artefacts import store
from lagbias.grids.halo_field import HaloFields, shot_noise, weighted_overdensity
from lagbias.sources.base import Halos
from lagbias.stages.tracers import tracers_of

if TYPE_CHECKING:
    from lagbias.config.sections import HaloSample

__all__ = ["make_halo_fields"]


def make_halo_fields(
    halos: str | Path, *, sample: HaloSample, cell_size: float, evaluation_grid: int
) -> HaloFields:
    """Paint the tracers of a sample on the training cells (NGP) and the evaluation grid (CIC)."""
    box = store.read(halos, Halos)
    tracers = tracers_of(box, sample)
    mass = tracers.halo_mass
    training, evaluation = (
        weighted_overdensity(tracers.position, tracers.weights, box.box_size, n_grid, scheme=scheme)
        for n_grid, scheme in ((round(box.box_size / cell_size), "ngp"), (evaluation_grid, "cic"))
    )
    return HaloFields(
        training=training,
        evaluation=evaluation,
        box_size=box.box_size,
        n_halos=len(mass),
        min_mass=float(mass.min()),
        max_mass=float(mass.max()),
        mean_mass=float(np.average(mass, weights=mass)),
        n_galaxies=len(tracers.weights) if sample.galaxies else 0,
        shot_noise=shot_noise(tracers.weights, box.box_size),
        weighting=sample.weighting,
    )
