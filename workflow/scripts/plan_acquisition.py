"""What will be downloaded, and whether there is room for it and for the results."""

from pathlib import Path

from lagbias.config.sections import AbacusSettings
from lagbias.runtime.atomic import write_text
from lagbias.stages import job
from lagbias.stages.plan_acquisition import plan_acquisition

with job.start(snakemake) as task:
    plan = plan_acquisition(
        task.settings(AbacusSettings, "abacus"),
        task.params.simulations,
        results=Path(task.output[0]).parents[1],
        results_bytes=task.params.results,
    )
    write_text(task.output[0], plan)
