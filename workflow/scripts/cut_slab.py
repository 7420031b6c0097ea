"""A thin slab of one box: particles with their weights, and the halo fields around them."""

from lagbias.config.sections import HaloSample
from lagbias.stages import job
from lagbias.stages.cut_slab import cut_slab

with job.start(snakemake) as task:
    slab = cut_slab(
        task.input,
        inputs=task.params.input_map,
        eigenvalue_cut=task.params.eigenvalue_cut,
        sample=task.settings(HaloSample, "sample"),
        radii=list(task.params.radii),
        device=task.params.device,
        threads=task.threads,
    )
    task.write(slab)
