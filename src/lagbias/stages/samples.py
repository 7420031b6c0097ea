"""Drawing of training sets from stored boxes."""

from collections.abc import Callable, Sequence

import numpy as np

from lagbias.artefacts import store
from lagbias.grids.halo_field import HaloFields
from lagbias.sources.base import Particles
from lagbias.stages.training_boxes import TrainingBox
from lagbias.training.training_set import TrainingSet, sample_box

__all__ = ["load_samples"]


def load_samples(
    box: TrainingBox,
    inputs_of: Callable[[slice | np.ndarray], np.ndarray],
    *,
    fraction: float,
    sampling: str,
    seeds: Sequence[int],
    whole: bool = False,
) -> list[TrainingSet]:
    """Draw training sets from a box (see `lagbias.training.training_set.sample_box`).

    `inputs_of` takes rows of particles (P,) and returns inputs (P, n_inputs). `whole` adds the
    fields that the Fourier-space loss needs.
    """
    particles = store.read(box.particles, Particles, without=("velocity",))
    return sample_box(
        particles.position,
        particles.lagrangian_site,
        store.read_array(box.halo_fields, HaloFields, "training"),
        inputs_of,
        box_size=particles.box_size,
        n_side=particles.n_grid,
        fraction=fraction,
        sampling=sampling,
        seeds=seeds,
        evaluation=store.read_array(box.halo_fields, HaloFields, "evaluation") if whole else None,
    )
