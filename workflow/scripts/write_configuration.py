"""The run's configuration as a page of the report."""

from lagbias.config import docs, model
from lagbias.runtime.atomic import write_text
from lagbias.stages import job

with job.start(snakemake) as task:
    write_text(task.output[0], docs.values_page(model.load(task.params.configuration)))
