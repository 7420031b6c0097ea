"""Normalised δ, ∇²δ and G2 of the particles of one box at one smoothing radius."""

from lagbias.stages import job
from lagbias.stages.make_features import make_features

with job.start(snakemake) as task:
    made = make_features(
        task.input.linear_density,
        task.input.particles,
        rf=task.params.rf,
        threads=task.threads,
    )
    task.write(made)
