"""Normalised δ, ∇²δ and G2 of one box at one smoothing radius."""

from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store
from lagbias.features import grids as features
from lagbias.stages import job

with job.start(snakemake) as task:
    density = store.read(snakemake.input[0], "linear_density")
    box_size, rf = density.attributes["box_size"], snakemake.params.rf
    grids = features.feature_grids(density["delta"], box_size, rf, threads=snakemake.threads)
    attributes = {"box_size": box_size, "rf": rf}
    task.write(snakemake.output[0], "features", artefacts.features(grids), attributes)
