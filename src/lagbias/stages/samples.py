"""Drawing of training sets from stored boxes."""

from collections.abc import Callable, Sequence

import numpy as np

from lagbias.artefacts import store
from lagbias.grids.halo_field import HaloFields
from lagbias.sources.base import Particles
from lagbias.stages.training_boxes import TrainingBox
from lagbias.training.training_set import (
    TrainingSet,
    build_training_sets,
    draw,
    with_fields,
)

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
    """Draw training sets from a box (see `lagbias.training.training_set`).

    `inputs_of` takes rows of particles (P,) and returns inputs (P, n_inputs). `whole` adds the
    fields that the Fourier-space loss needs.
    """
    particles = store.read(box.particles, Particles, without=("velocity",))
    target = store.read_array(box.halo_fields, HaloFields, "training")
    box_size = particles.box_size
    drawn = draw(
        particles.position,
        particles.lagrangian_site,
        box_size=box_size,
        n_cells=len(target),
        n_side=particles.n_grid,
        fraction=fraction,
        sampling=sampling,
        seeds=seeds,
    )
    positions = particles.position if whole else None
    del particles  # out of memory before inputs are read
    sets = build_training_sets(drawn, inputs_of, target)
    if positions is None:
        return sets
    evaluation = store.read_array(box.halo_fields, HaloFields, "evaluation")
    return with_fields(sets, drawn, positions, inputs_of, evaluation, box_size=box_size)
