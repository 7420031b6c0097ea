"""The least-squares f of Paper I, one table for each network's sub-sample of particles."""

import numpy as np

from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store
from lagbias.bias import binned as feature_bins
from lagbias.bias import least_squares
from lagbias.features import grids as features
from lagbias.stages import job
from lagbias.training.training_set import sample_box

with job.start(snakemake) as task:
    settings, training = task.settings("least_squares"), task.settings("training")
    particles = store.read(snakemake.input.particles, "particles")
    sites, box_size = particles["lagrangian_site"], particles.attributes["box_size"]
    halo_field = store.read(snakemake.input.halo_fields, "halo_fields", ["training"])["training"]
    samples = [
        sample_box(
            particles["position"],
            sites,
            halo_field,
            lambda nodes: features.stored_values(snakemake.input.features, nodes, columns=2),
            box_size=box_size,
            n_side=particles.attributes["n_grid"],
            fraction=training.subsample,
            sampling=training.sampling,
            rng=np.random.default_rng(seed),
        )
        for seed in snakemake.params.seeds
    ]
    # one set of bins for all sub-samples, so that their f can be averaged
    bins = feature_bins.make_bins(samples[0].inputs, **vars(settings))
    normals = [least_squares.normal_equations(sample, bins) for sample in samples]
    solutions = [least_squares.solve(normal) for normal in normals]
    tables = np.array([solution.f.reshape(bins.shape) for solution in solutions])
    share = np.mean([normal.weights for normal in normals], axis=0).reshape(bins.shape)
    packed = artefacts.binned_bias(bins, tables, share, snakemake.params.seeds)
    worst = {
        name: max(getattr(solution, name) for solution in solutions)
        for name in ("kkt_residual", "condition_number")
    }
    task.write(snakemake.output[0], "least_squares", packed, {**snakemake.wildcards, **worst})
