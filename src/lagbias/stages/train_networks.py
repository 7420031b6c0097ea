"""Training of the networks of an ensemble on a stored box."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lagbias.artefacts import store
from lagbias.bias.ensemble_training import (
    VALIDATION_SEED,
    mean_stride,
    train_ensemble,
    validation_cells,
)
from lagbias.runtime import checkpoints
from lagbias.runtime.device import choose_device
from lagbias.stages.ensembles import load_input_matrix, load_inputs_of
from lagbias.stages.particle_features import count_particles
from lagbias.stages.samples import load_samples
from lagbias.stages.training_boxes import TrainingBox, training_boxes
from lagbias.training.network import Network
from lagbias.training.training_set import TrainingSet, join

if TYPE_CHECKING:
    from lagbias.config.sections import TrainingSettings

__all__ = ["draw_together", "mean_sample", "remove_checkpoints", "train_networks"]


def train_networks(
    paths: Mapping,
    settings: TrainingSettings,
    *,
    inputs: str,
    eigenvalue_cut: float | None,
    outputs: Mapping[int, str],
    threads: int,
    write: Callable[[Network, str], None],
) -> None:
    """Draw the sub-samples of both boxes and train networks on those of one of them.

    `paths`: ``particles``, ``features``, ``halo_fields`` of one or several training boxes (see
    `lagbias.stages.training_boxes`), those of the validation box with the prefix ``validation_``,
    ``whitening`` and, for ``pc2``, ``components``; ``initial`` has the networks of the same seeds
    that have the epochs already, if there are any. `eigenvalue_cut` is for ``cut``. `outputs` has a
    file for each seed, that of sub-sample, weights and batches. `threads` networks are trained at
    once, and each is handed to `write`, with its file, when it is done. Where the constraint is
    ``normalise``, ⟨f⟩ is 1 over the training boxes.
    """
    if not outputs:
        return
    matrix = load_input_matrix(inputs, paths["whitening"], paths.get("components"), eigenvalue_cut)
    boxes = training_boxes(paths)
    of_validation = training_boxes(paths, "validation_")
    validation = validation_cells(
        *draw_together(of_validation, matrix, settings, [VALIDATION_SEED])
    )
    initial = [store.read(path, Network) for path in paths.get("initial", ())]
    particles = sum(count_particles(box.features) for box in boxes)
    networks = train_ensemble(
        partial(draw_together, boxes, matrix, settings, whole=settings.fourier_rounds > 0),
        settings,
        seeds=list(outputs),
        every=mean_sample(boxes, matrix) if settings.constraint == "normalise" else None,
        validation=validation,
        initial={network.seed: network for network in initial},
        at_once=settings.networks_at_once(particles, threads),
        device=choose_device(settings.device),
        threads=threads,
        checkpoint=lambda seed: checkpoints.path_for(outputs[seed]),
    )
    with closing(networks):
        for network in networks:
            write(network, outputs[network.seed])


def draw_together(
    boxes: Sequence[TrainingBox],
    matrix: np.ndarray,
    settings: TrainingSettings,
    seeds: Sequence[int],
    *,
    whole: bool = False,
) -> list[TrainingSet]:
    """Draw a training set for each seed from boxes that train together.

    `matrix` maps features to inputs. `whole` adds the fields that the Fourier-space loss needs.
    """
    of_boxes = [
        load_samples(
            box,
            load_inputs_of(box.features, matrix),
            fraction=settings.subsample,
            sampling=settings.sampling,
            seeds=seeds,
            whole=whole,
        )
        for box in boxes
    ]
    return [join(sets) for sets in zip(*of_boxes, strict=True)]


def mean_sample(boxes: Sequence[TrainingBox], matrix: np.ndarray) -> np.ndarray:
    """Return the inputs of a uniform sample of the particles of boxes, over which ⟨f⟩ is 1."""

    def of_box(box: TrainingBox) -> np.ndarray:
        particles = count_particles(box.features)
        return load_inputs_of(box.features, matrix)(np.arange(0, particles, mean_stride(particles)))

    return np.concatenate([of_box(box) for box in boxes])


def remove_checkpoints(outputs: Iterable[str]) -> None:
    """Remove the checkpoints of networks whose job succeeds.

    Not before: if it fails, Snakemake removes its networks, and they are made from checkpoints.
    """
    for path in outputs:
        checkpoints.path_for(path).unlink(missing_ok=True)
