"""Halo fields of one sample in one box."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lagbias.artefacts import store
from lagbias.grids.halo_field import HaloFields, mass_weighted_overdensity, select
from lagbias.sources.base import Halos

if TYPE_CHECKING:
    from lagbias.config.sections import HaloSample

__all__ = ["make_halo_fields"]


def make_halo_fields(
    halos: str | Path, *, sample: HaloSample, cell_size: float, evaluation_grid: int
) -> HaloFields:
    """Paint the halos of a sample on the training cells (NGP) and the evaluation grid (CIC)."""
    box = store.read(halos, Halos)
    chosen = select(box.particles, box.mass, **dict(sample))
    position, mass = box.position[chosen], box.mass[chosen]
    training, evaluation = (
        mass_weighted_overdensity(position, mass, box.box_size, n_grid, scheme=scheme)
        for n_grid, scheme in ((round(box.box_size / cell_size), "ngp"), (evaluation_grid, "cic"))
    )
    return HaloFields(
        training=training,
        evaluation=evaluation,
        box_size=box.box_size,
        n_halos=int(chosen.sum()),
        min_mass=float(mass.min()),
        max_mass=float(mass.max()),
        mean_mass=float(np.average(mass, weights=mass)),
    )
