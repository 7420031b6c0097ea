"""Figure: how the method works, on a thin slab of a box."""

from pathlib import Path

from lagbias.artefacts import kinds as artefacts
from lagbias.figures import common, method_overview
from lagbias.figures.slab import Slab
from lagbias.stages import job

with job.start(snakemake):
    slab = Slab(**artefacts.slab_of(snakemake.input[0]))
    common.save(method_overview.draw(slab), Path(snakemake.output[0]).with_suffix(""))
