"""Evaluation of networks or tables on the particles of a stored box."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from lagbias.artefacts import store
from lagbias.bias.prediction import ModelField, Weights, measure_spectra, model_fields
from lagbias.bias.spectra import Spectra
from lagbias.grids.halo_field import HaloFields
from lagbias.grids.paint import overdensity
from lagbias.sources.base import Particles

__all__ = ["evaluate"]


def evaluate(
    weights: Weights,
    inputs_at: Callable[[np.ndarray], np.ndarray],
    particles: str | Path,
    halo_fields: str | Path,
    *,
    seeds: Sequence[int],
    threads: int,
) -> tuple[Spectra, ModelField]:
    """Paint the halo field of networks or tables on a box, and measure its spectra.

    `inputs_at` takes sites (P,) and returns what `weights` takes in. The result has no labels.
    """
    box, target = store.read(particles, Particles), store.read(halo_fields, HaloFields)
    painted = model_fields(
        weights,
        lambda rows: inputs_at(box.lagrangian_site[rows]),
        box.position,
        box_size=box.box_size,
        n_grid=len(target.evaluation),
        n_cells=len(target.training),
        threads=threads,
    )
    spectra = measure_spectra(
        painted, target.evaluation, box_size=box.box_size, seeds=seeds, threads=threads
    )
    field = overdensity(painted.in_cells).astype(np.float32)
    return spectra, ModelField(average=field, box_size=box.box_size)
