"""One box of a source that a function reads: linear density, particles and halos."""

from lagbias.stages import job
from lagbias.stages.read_source import content_of, read_source

with job.start(snakemake) as task:
    params, box = task.params, task.labels["box"]
    read = read_source(params.source, params.settings, box, threads=task.threads)
    identity = {"settings": params.settings, "content": content_of(read)}
    for name in ("linear_density", "particles", "halos"):
        task.write(getattr(read, name), task.output[name], identity=identity)
