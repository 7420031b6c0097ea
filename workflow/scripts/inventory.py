"""Which files of AbacusSummit are present, missing or corrupt, and what a run would download."""

import sys

from lagbias.config.sections import AbacusSettings
from lagbias.stages import job
from lagbias.stages.inventory import inventory

with job.start(snakemake) as task:
    report = inventory(
        task.settings(AbacusSettings, "abacus"),
        task.params.simulations,
        batch=task.params.batch,
        results_bytes=task.params.results,
    )
    sys.stdout.write(report)
