"""f of the first two components of ∇f, as a table and as a formula."""

from lagbias.stages import job
from lagbias.stages.fit_surface import fit_surface

with job.start(snakemake) as task:
    surface = fit_surface(task.input, device=task.params.device, threads=task.threads)
    task.write(surface, inputs="pc2")
