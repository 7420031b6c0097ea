"""Normalised δ, ∇²δ and G2 of one box at one smoothing radius."""

from lagbias.stages import job
from lagbias.stages.make_features import make_features

with job.start(snakemake) as task:
    task.write(make_features(task.input[0], rf=task.params.rf, threads=task.threads))
