"""Drawing of training sets from stored boxes."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from lagbias.artefacts import store
from lagbias.grids.halo_field import HaloFields
from lagbias.sources.base import Particles
from lagbias.training.training_set import TrainingSet, sample_box

__all__ = ["load_samples"]


def load_samples(
    particles: str | Path,
    halo_fields: str | Path,
    inputs_at: Callable[[np.ndarray], np.ndarray],
    *,
    fraction: float,
    sampling: str,
    seeds: Sequence[int],
) -> list[TrainingSet]:
    """Draw training sets from a box (see `lagbias.training.training_set.sample_box`).

    `inputs_at` takes sites (P,) and returns inputs (P, n_inputs).
    """
    box = store.read(particles, Particles)
    return sample_box(
        box.position,
        box.lagrangian_site,
        store.read_array(halo_fields, HaloFields, "training"),
        inputs_at,
        box_size=box.box_size,
        n_side=box.n_grid,
        fraction=fraction,
        sampling=sampling,
        seeds=seeds,
    )
