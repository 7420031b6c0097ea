"""One box of AbacusSummit: linear density, particles and halos."""

from lagbias.config.sections import AbacusSettings
from lagbias.stages import job
from lagbias.stages.read_box import read_box

with job.start(snakemake) as task:
    settings = task.settings(AbacusSettings, "abacus")
    box = read_box(task.input[0], settings, threads=task.threads)
    for name in ("linear_density", "particles", "halos"):
        task.write(getattr(box, name), task.output[name])
