"""Table of the models beyond the paper."""

from lagbias.stages import job
from lagbias.stages.tabulate_comparison import tabulate_comparison

with job.start(snakemake) as task:
    tabulate_comparison(
        task.input.comparisons, task.input.spectra, task.labels["run"], dict(task.output.items())
    )
