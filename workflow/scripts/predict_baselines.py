"""Halo fields of the models that networks are compared with, on one box."""

from lagbias.stages import job
from lagbias.stages.predict_baselines import predict_baselines

with job.start(snakemake) as task:
    fields = predict_baselines(
        task.input, evaluation_grid=task.params.evaluation_grid, threads=task.threads
    )
    for name, field in fields.items():
        task.write(field, task.output[name], inputs=name)
