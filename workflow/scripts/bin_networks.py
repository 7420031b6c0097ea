"""Mean f of each network in the bins of the least-squares f."""

from lagbias.stages import job
from lagbias.stages.bin_networks import bin_networks

with job.start(snakemake) as task:
    inputs, device = task.labels["inputs"], task.params.device
    task.write(bin_networks(task.input, inputs=inputs, device=device, threads=task.threads))
