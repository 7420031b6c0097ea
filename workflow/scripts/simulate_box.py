"""One box of the embedded source: initial conditions, N-body, halos."""

from lagbias.artefacts import kinds as artefacts
from lagbias.sources import base, embedded
from lagbias.stages import job

with job.start(snakemake) as task:
    box = embedded.make_box(
        task.settings("embedded"), seed=snakemake.params.seed, threads=snakemake.threads
    )
    base.check_contract(box, unique_sites=True)
    for kind in ("linear_density", "particles", "halos"):
        datasets = getattr(artefacts, kind)(box)
        task.write(snakemake.output[kind], kind, datasets, box.attributes)
