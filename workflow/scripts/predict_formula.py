"""Halo field of the formula for f of two components, on one box."""

from lagbias.stages import job
from lagbias.stages.predict_formula import predict_formula

with job.start(snakemake) as task:
    field = predict_formula(
        task.input, evaluation_grid=task.params.evaluation_grid, threads=task.threads
    )
    task.write(field, inputs="formula")
