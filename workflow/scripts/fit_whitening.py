"""Whitening of one smoothing set, fitted to a box's particles."""

import numpy as np

from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store
from lagbias.features import grids as features
from lagbias.features import whitening
from lagbias.stages import job

CHUNK = 1 << 20  # particles held at a time

with job.start(snakemake) as task:
    particles = store.read(snakemake.input.particles, "particles", ["lagrangian_site"])
    sites = particles["lagrangian_site"]
    parts = np.array_split(sites, 1 + sites.size // CHUNK)
    chunks = (features.stored_values(snakemake.input.features, part) for part in parts)
    fitted = whitening.fit(chunks, snakemake.params.radii)
    attributes = {**snakemake.wildcards, "n_particles": sites.size}
    task.write(snakemake.output[0], "whitening", artefacts.whitening(fitted), attributes)
