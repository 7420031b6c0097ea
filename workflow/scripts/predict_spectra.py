"""Halo field of an ensemble on one box, and its spectra."""

import torch

from lagbias import artefacts, features, inputs, job, predict, store, whitening
from lagbias.ensemble import load_ensemble
from lagbias.paint import overdensity

with job.start(snakemake) as task:
    torch.set_num_threads(1)
    ensemble, seeds = load_ensemble(snakemake.input.networks, device=snakemake.params.device)
    grids = list(artefacts.feature_columns(snakemake.input.features))
    matrix = inputs.load_input_matrix(
        snakemake.wildcards.inputs, snakemake.input.whitening, snakemake.input.get("components")
    )
    particles = store.read(snakemake.input.particles, "particles")
    sites, box_size = particles["lagrangian_site"], particles.attributes["box_size"]
    halo_fields = store.read(snakemake.input.halo_fields, "halo_fields")
    painted = predict.model_fields(
        ensemble,
        lambda rows: whitening.apply_map(features.values_at_sites(grids, sites[rows]), matrix),
        particles["position"],
        box_size=box_size,
        n_grid=len(halo_fields["evaluation"]),
        n_cells=len(halo_fields["training"]),
        threads=snakemake.threads,
    )
    measured = predict.measure_spectra(
        painted,
        halo_fields["evaluation"],
        box_size=box_size,
        seeds=seeds,
        threads=snakemake.threads,
    )
    names = ("train_box", "sample", "smoothing_set", "inputs")
    attributes = {name: snakemake.wildcards[name] for name in names}
    attributes |= {"target_box": snakemake.wildcards.box, "box_size": box_size}
    attributes |= {"n_grid": len(halo_fields["evaluation"])}
    task.write(snakemake.output.spectra, "spectra", artefacts.spectra(measured), attributes)
    field = artefacts.model_field(overdensity(painted.in_cells).astype("float32"))
    task.write(snakemake.output.field, "model_field", field, attributes)
