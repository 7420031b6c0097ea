"""One box of the embedded source: initial conditions, N-body, halos."""

from lagbias.config.sections import EmbeddedSettings
from lagbias.stages import job
from lagbias.stages.simulate_box import simulate_box

with job.start(snakemake) as task:
    settings = task.settings(EmbeddedSettings, "embedded")
    box = simulate_box(settings, seed=task.params.seed, threads=task.threads)
    for name in ("linear_density", "particles", "halos"):
        task.write(getattr(box, name), task.output[name])
