"""Principal components of the gradient of an ensemble's average f."""

from lagbias.stages import job
from lagbias.stages.gradient_pca import gradient_pca

with job.start(snakemake) as task:
    pca = gradient_pca(
        task.input,
        particles=task.params.particles,
        device=task.params.device,
        threads=task.threads,
    )
    task.write(pca)
