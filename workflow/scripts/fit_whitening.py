"""Whitening of one smoothing set, fitted to a box's particles."""

from lagbias.stages import job
from lagbias.stages.fit_whitening import fit_whitening

with job.start(snakemake) as task:
    fitted = fit_whitening(task.input.features, radii=task.params.radii)
    task.write(fitted)
