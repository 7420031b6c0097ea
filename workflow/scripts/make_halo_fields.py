"""Mass-weighted halo overdensity of one sample on the training and the evaluation grid."""

import numpy as np

from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store
from lagbias.grids import halo_field
from lagbias.stages import job

with job.start(snakemake) as task:
    halos = store.read(snakemake.input.halos, "halos", ["position", "mass", "particles"])
    box_size = halos.attributes["box_size"]
    chosen = halo_field.select(halos["particles"], halos["mass"], **snakemake.params.sample)
    position, mass = halos["position"][chosen], halos["mass"][chosen]
    n_training = round(box_size / snakemake.params.cell_size)
    fields = [
        halo_field.mass_weighted_overdensity(position, mass, box_size, n_grid, scheme=scheme)
        for n_grid, scheme in (
            (n_training, "ngp"),
            (snakemake.params.evaluation_grid, "cic"),
        )
    ]
    attributes = {
        **snakemake.wildcards,
        "box_size": box_size,
        "n_halos": int(chosen.sum()),
        "min_mass": float(mass.min()),
        "max_mass": float(mass.max()),
        "mean_mass": float(np.average(mass, weights=mass)),
    }
    task.write(snakemake.output[0], "halo_fields", artefacts.halo_fields(*fields), attributes)
