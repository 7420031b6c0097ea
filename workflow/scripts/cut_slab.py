"""A thin slab of one box: particles with their weights, and the halo fields around them."""

import torch

from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store
from lagbias.bias.ensemble import load_ensemble
from lagbias.features import grids as features
from lagbias.features import inputs, whitening
from lagbias.figures import region, slab
from lagbias.grids.halo_field import select
from lagbias.stages import job

with job.start(snakemake) as task:
    torch.set_num_threads(1)
    ensemble, _ = load_ensemble(snakemake.input.networks, device=snakemake.params.device)
    files, radii = snakemake.input.features, list(snakemake.params.radii)
    rf = radii[len(radii) // 2]
    density = next(artefacts.feature_columns([files[radii.index(rf)]]))
    matrix = inputs.load_input_matrix(
        snakemake.wildcards.inputs, snakemake.input.whitening, snakemake.input.get("components")
    )
    particles = store.read(snakemake.input.particles, "particles")
    positions, sites = particles["position"], particles["lagrangian_site"]
    halos = store.read(snakemake.input.halos, "halos", ["position", "mass", "particles"])
    chosen = select(halos["particles"], halos["mass"], **snakemake.params.sample)
    halo_positions, mass = halos["position"][chosen], halos["mass"][chosen]

    def average_f(rows):
        """Return the average f of some particles."""
        theta = features.stored_values(files, sites[rows])
        seen = whitening.apply_map(theta, matrix)
        return ensemble.f(seen, threads=snakemake.threads).mean(axis=0)

    box_size = particles.attributes["box_size"]
    where = region.choose_region(
        halo_positions, mass, positions, sites, box_size=box_size, n_side=len(density)
    )
    cut = slab.cut(
        where,
        positions,
        sites,
        halo_positions,
        mass,
        average_f,
        density,
        rf=rf,
    )
    names = ("train_box", "sample", "smoothing_set", "inputs")
    attributes = {name: snakemake.wildcards[name] for name in names}
    attributes |= {"target_box": snakemake.wildcards.box, "box_size": box_size, "rf": rf}
    attributes |= {name: getattr(cut, name) for name in ("region_size", "layer_thickness", "depth")}
    task.write(snakemake.output[0], "slab", artefacts.slab(cut), attributes)
