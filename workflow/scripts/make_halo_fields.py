"""Overdensity of the tracers of one sample on the training and the evaluation grid."""

from lagbias.config.sections import HaloSample
from lagbias.stages import job
from lagbias.stages.make_halo_fields import make_halo_fields

with job.start(snakemake) as task:
    fields = make_halo_fields(
        task.input.halos,
        sample=HaloSample.model_validate(task.params.sample),
        cell_size=task.params.cell_size,
        evaluation_grid=task.params.evaluation_grid,
    )
    task.write(fields)
