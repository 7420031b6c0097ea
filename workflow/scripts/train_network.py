"""One network: its sub-sample of particles, whitened, and its training."""

from pathlib import Path

import numpy as np
import torch

from lagbias import artefacts, features, job, paint, store, train, training_set, whitening
from lagbias.device import choose_device

with job.start(snakemake) as task:
    torch.set_num_threads(snakemake.threads)
    settings, seed = task.settings("training"), snakemake.params.seed
    halo_field = store.read(snakemake.input.halo_fields, "halo_fields", ["training"])
    particles = store.read(snakemake.input.particles, "particles")
    n_grid = len(halo_field["training"])
    cells = paint.cell_index(particles["position"], particles.attributes["box_size"], n_grid)
    sites = particles["lagrangian_site"]
    draw, generator = (cells, n_grid**3, settings.subsample), np.random.default_rng(seed)
    if settings.sampling == "even":
        n_side = particles.attributes["n_grid"]
        subsample = training_set.draw_even_subsample(
            *draw, generator, lagrangian_site=sites, n_side=n_side
        )
    else:
        subsample = training_set.draw_subsample(*draw, generator)
    # one grid in memory at a time
    grids = artefacts.feature_columns(snakemake.input.features)
    rows = sites[subsample.particles]
    theta = np.hstack([features.values_at_sites([grid], rows) for grid in grids])
    fitted = whitening.Whitening(**artefacts.whitening_of(snakemake.input.whitening))
    inputs = fitted.transform(theta)
    checkpoint = Path(f"{snakemake.output[0]}.checkpoint")
    trained = train.train(
        training_set.build_training_set(subsample, inputs, halo_field["training"]),
        settings,
        seed=seed,
        device=choose_device(settings.device),
        checkpoint=checkpoint,
    )
    attributes = {"seed": seed, "normalisation": trained.normalisation}
    task.write(snakemake.output[0], "network", artefacts.trained_network(trained), attributes)
    checkpoint.unlink(missing_ok=True)
