"""The files of one AbacusSummit box: linked or downloaded, and verified."""

from lagbias.config.sections import AbacusSettings
from lagbias.stages import job
from lagbias.stages.acquire_box import acquire_box

with job.start(snakemake) as task:
    files = acquire_box(task.settings(AbacusSettings, "abacus"), task.params.simulation)
    task.write(files, identity=files.identity)
