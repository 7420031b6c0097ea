"""One box of the embedded source: initial conditions, N-body, halos."""

from lagbias.config.sections import EmbeddedSettings
from lagbias.runtime import checkpoints, termination
from lagbias.stages import job
from lagbias.stages.simulate_box import simulate_box

with job.start(snakemake) as task, termination.as_exception():
    settings = task.settings(EmbeddedSettings, "embedded")
    checkpoint = checkpoints.path_for(task.output.particles)
    box = simulate_box(settings, seed=task.params.seed, threads=task.threads, checkpoint=checkpoint)
    for name in ("linear_density", "particles", "halos"):
        task.write(getattr(box, name), task.output[name])
    checkpoint.unlink(missing_ok=True)
