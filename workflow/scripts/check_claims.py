"""The claims of the paper, tested on what the run has made."""

from lagbias.stages import job
from lagbias.stages.check_claims import check_claims

with job.start(snakemake) as task:
    check_claims(list(task.input), task.params.roles, dict(task.output.items()))
