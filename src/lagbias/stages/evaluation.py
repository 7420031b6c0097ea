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
    inputs_of: Callable[[slice], np.ndarray],
    particles: str | Path,
    halo_fields: str | Path,
    *,
    seeds: Sequence[int],
    threads: int,
) -> tuple[Spectra, ModelField]:
    """Paint the halo field of networks or tables on a box, and measure its spectra.

    `inputs_of` takes a slice of particles and returns what `weights` takes in. The result has no
    labels.
    """
    target = store.read(halo_fields, HaloFields)
    painted = model_fields(
        weights,
        inputs_of,
        store.read_array(particles, Particles, "position"),
        box_size=target.box_size,
        n_grid=len(target.evaluation),
        n_cells=len(target.training),
        threads=threads,
    )
    spectra = measure_spectra(
        painted, target.evaluation, box_size=target.box_size, seeds=seeds, threads=threads
    )
    field = ModelField(
        average=overdensity(painted.in_cells).astype(np.float32),
        evaluation=overdensity(painted.fields.mean(axis=0)).astype(np.float32),
        box_size=target.box_size,
    )
    return spectra, field
