"""Training of one network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from lagbias.bias.ensemble import with_unit_mean
from lagbias.runtime.device import choose_device
from lagbias.stages.ensembles import load_input_matrix, load_inputs_at_sites
from lagbias.stages.samples import load_sample
from lagbias.stages.sites import STRIDE, load_sites
from lagbias.training.loop import train
from lagbias.training.network import Network

if TYPE_CHECKING:
    from lagbias.config.sections import TrainingSettings

__all__ = ["train_network"]

#: Seed of the validation sample: one draw for all networks, so that their losses compare.
_VALIDATION_SEED = 0


def train_network(
    paths: Mapping,
    settings: TrainingSettings,
    *,
    inputs: str,
    seed: int,
    threads: int,
    checkpoint: Path,
) -> Network:
    """Draw the sub-samples of both boxes and train a network on one of them.

    `paths`: ``particles``, ``features``, ``halo_fields``, the same with the prefix ``validation_``,
    ``whitening`` and, for ``pc2``, ``components``. `seed` is that of sub-sample, weights and
    batches. Where the constraint is ``normalise``, ⟨f⟩ is 1 over the training box.
    """
    torch.set_num_threads(threads)
    device = choose_device(settings.device)
    matrix = load_input_matrix(inputs, paths["whitening"], paths.get("components"))
    inputs_at = load_inputs_at_sites(paths["features"], matrix)
    drawn = {"fraction": settings.subsample, "sampling": settings.sampling}
    training = load_sample(
        paths["particles"],
        paths["halo_fields"],
        inputs_at,
        **drawn,
        rng=np.random.default_rng(seed),
    )
    validation = load_sample(
        paths["validation_particles"],
        paths["validation_halo_fields"],
        load_inputs_at_sites(paths["validation_features"], matrix),
        **drawn,
        rng=np.random.default_rng(_VALIDATION_SEED),
    )
    network = train(
        training, settings, seed=seed, validation=validation, device=device, checkpoint=checkpoint
    )
    if settings.constraint == "normalise":
        every = inputs_at(load_sites(paths["particles"])[::STRIDE])
        network = with_unit_mean(network, every, device=device)
    return replace(
        network,
        n_cells=training.n_cells,
        occupied_cells=len(training.target),
        smallest_draw=int(np.diff(training.cell_start).min()),
    )
