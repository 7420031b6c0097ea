"""Mean f of each network in the bins of the least-squares f."""

import numpy as np
import torch

from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store
from lagbias.bias import binned as feature_bins
from lagbias.bias.ensemble import load_ensemble
from lagbias.features import grids as features
from lagbias.features import inputs, whitening
from lagbias.stages import job

CHUNK = 1 << 20  # particles held at a time
STRIDE = 3  # of the particles averaged: even, and no divisor of usual grid sizes

with job.start(snakemake) as task:
    torch.set_num_threads(1)
    ensemble, seeds = load_ensemble(snakemake.input.networks, device=snakemake.params.device)
    edges = artefacts.binned_bias_of(snakemake.input.least_squares)
    bins = feature_bins.FeatureBins(edges["delta_edges"], edges["lap_delta_edges"])
    matrix = inputs.load_input_matrix(snakemake.wildcards.inputs, snakemake.input.whitening)
    sites = store.read(snakemake.input.particles, "particles", ["lagrangian_site"])
    sites = sites["lagrangian_site"][::STRIDE]
    sums, counts = 0.0, 0.0
    for part in np.array_split(sites, 1 + sites.size // CHUNK):
        theta = features.stored_values(snakemake.input.features, part)
        f = ensemble.f(whitening.apply_map(theta, matrix), threads=snakemake.threads)
        more = feature_bins.sums_in_bins(f, bins.index(theta), bins.n_bins)
        sums, counts = sums + more[0], counts + more[1]
    mean = (sums / np.maximum(counts, 1)).reshape(len(ensemble), *bins.shape)
    packed = artefacts.binned_bias(bins, mean, (counts / sites.size).reshape(bins.shape), seeds)
    task.write(snakemake.output[0], "binned_f", packed, {**snakemake.wildcards})
