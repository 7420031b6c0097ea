"""Principal components of the gradient of an ensemble's average f."""

import numpy as np
import torch

from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store
from lagbias.bias import components as gradient_pca
from lagbias.bias.ensemble import load_ensemble
from lagbias.features import grids as features
from lagbias.features import inputs, whitening
from lagbias.stages import job

SEED = 0  # of the sample of particles

with job.start(snakemake) as task:
    torch.set_num_threads(1)
    ensemble, _ = load_ensemble(snakemake.input.networks, device=snakemake.params.device)
    radii = artefacts.whitening_of(snakemake.input.whitening)["smoothing_radii"]
    matrix = inputs.load_input_matrix("full", snakemake.input.whitening)
    sites = store.read(snakemake.input.particles, "particles", ["lagrangian_site"])
    sites = sites["lagrangian_site"]
    count = min(snakemake.params.particles, sites.size)
    sites = sites[np.random.default_rng(SEED).choice(sites.size, count, replace=False)]
    theta = features.stored_values(snakemake.input.features, sites)
    seen = whitening.apply_map(theta, matrix)
    f, gradients = ensemble.average_f_and_gradient(seen, threads=snakemake.threads)
    pca = gradient_pca.fit(gradients, matrix, radii)
    components = pca.coordinates(seen)[:, : gradient_pca.STORED_COMPONENTS].astype(np.float32)
    packed = artefacts.gradient_pca(pca, components, f)
    attributes = {**snakemake.wildcards, "n_particles": count}
    task.write(snakemake.output[0], "gradient_pca", packed, attributes)
