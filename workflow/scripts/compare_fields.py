"""Statistics of a model halo field and of the true one on one box."""

from lagbias.config.sections import BeyondSettings
from lagbias.stages import job
from lagbias.stages.compare_fields import compare_fields

with job.start(snakemake) as task:
    compared = compare_fields(
        task.input.model_field,
        task.input.halo_fields,
        task.settings(BeyondSettings, "beyond"),
        threads=task.threads,
    )
    task.write(compared)
