"""Table and formula of f of two components, for readers."""

from lagbias.stages import job
from lagbias.stages.tabulate_surface import tabulate_surface

with job.start(snakemake) as task:
    tabulate_surface(task.input.surface, task.labels["run"], dict(task.output.items()))
