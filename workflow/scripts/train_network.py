"""One network: its sub-sample of particles, its inputs, and its training."""

from pathlib import Path

import numpy as np
import torch

from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store
from lagbias.bias.ensemble import with_unit_mean
from lagbias.features import grids as features
from lagbias.features import inputs, whitening
from lagbias.runtime import termination
from lagbias.runtime.device import choose_device
from lagbias.stages import job
from lagbias.training import loop as train
from lagbias.training.training_set import sample_box

STRIDE = 3  # of the particles that fix ⟨f⟩: even, and no divisor of usual grid sizes


def sample(box, rng):
    """Draw particles of a box: of those that train, or of those that validate."""
    particles = store.read(box["particles"], "particles")
    halo_field = store.read(box["halo_fields"], "halo_fields", ["training"])["training"]
    return sample_box(
        particles["position"],
        particles["lagrangian_site"],
        halo_field,
        lambda sites: inputs_at(box["features"], sites),
        box_size=particles.attributes["box_size"],
        n_side=particles.attributes["n_grid"],
        fraction=settings.subsample,
        sampling=settings.sampling,
        rng=rng,
    )


def inputs_at(feature_files, sites):
    """Return the network's inputs at nodes of the initial grid, holding one grid at a time."""
    return whitening.apply_map(features.stored_values(feature_files, sites), matrix)


with job.start(snakemake) as task, termination.as_exception():
    torch.set_num_threads(snakemake.threads)
    settings, seed = task.settings("training"), snakemake.params.seed
    device = choose_device(settings.device)
    matrix = inputs.load_input_matrix(
        snakemake.wildcards.inputs, snakemake.input.whitening, snakemake.input.get("components")
    )
    names = ("particles", "halo_fields", "features")
    training = sample({n: snakemake.input[n] for n in names}, np.random.default_rng(seed))
    # one draw for all networks, so that their validation losses compare
    validation = sample(
        {n: snakemake.input[f"validation_{n}"] for n in names}, np.random.default_rng(0)
    )
    checkpoint = Path(f"{snakemake.output[0]}.checkpoint")
    trained = train.train(
        training, settings, seed=seed, validation=validation, device=device, checkpoint=checkpoint
    )
    if settings.constraint == "normalise":
        sites = store.read(snakemake.input.particles, "particles", ["lagrangian_site"])
        every = inputs_at(snakemake.input.features, sites["lagrangian_site"][::STRIDE])
        trained = with_unit_mean(trained, every, device=device)
    attributes = {
        **snakemake.wildcards,
        "seed": seed,
        "normalisation": trained.normalisation,
        "validation_box": snakemake.params.validation_box,
        "n_cells": training.n_cells,
        "occupied_cells": len(training.target),
        "smallest_draw": int(np.diff(training.cell_start).min()),
    }
    task.write(snakemake.output[0], "network", artefacts.trained_network(trained), attributes)
    checkpoint.unlink(missing_ok=True)
