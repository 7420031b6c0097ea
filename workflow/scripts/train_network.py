"""One network: its sub-sample of particles, whitened, and its training."""

from pathlib import Path

import numpy as np
import torch

from lagbias import artefacts, features, job, paint, store, train, training_set, whitening
from lagbias.device import choose_device
from lagbias.ensemble import with_unit_mean

STRIDE = 3  # of the particles that fix ⟨f⟩: even, and no divisor of usual grid sizes


with job.start(snakemake) as task:
    torch.set_num_threads(snakemake.threads)
    settings, seed = task.settings("training"), snakemake.params.seed
    device = choose_device(settings.device)
    halo_field = store.read(snakemake.input.halo_fields, "halo_fields", ["training"])["training"]
    particles = store.read(snakemake.input.particles, "particles")
    sites = particles["lagrangian_site"]
    fitted = whitening.Whitening(**artefacts.whitening_of(snakemake.input.whitening))

    def inputs_at(rows):
        """Whitened features at nodes of the initial grid, holding one grid at a time."""
        grids = artefacts.feature_columns(snakemake.input.features)
        theta = np.hstack([features.values_at_sites([grid], rows) for grid in grids])
        return fitted.transform(theta)

    box_size, n_side = (particles.attributes[name] for name in ("box_size", "n_grid"))
    cells = paint.cell_index(particles["position"], box_size, len(halo_field))
    subsample = training_set.DRAWS[settings.sampling](
        cells,
        halo_field.size,
        settings.subsample,
        np.random.default_rng(seed),
        lagrangian_site=sites,
        n_side=n_side,
    )
    inputs = inputs_at(sites[subsample.particles])
    checkpoint = Path(f"{snakemake.output[0]}.checkpoint")
    trained = train.train(
        training_set.build_training_set(subsample, inputs, halo_field),
        settings,
        seed=seed,
        device=device,
        checkpoint=checkpoint,
    )
    if settings.constraint == "normalise":
        trained = with_unit_mean(trained, inputs_at(sites[::STRIDE]), device=device)
    attributes = {"seed": seed, "normalisation": trained.normalisation}
    task.write(snakemake.output[0], "network", artefacts.trained_network(trained), attributes)
    checkpoint.unlink(missing_ok=True)
