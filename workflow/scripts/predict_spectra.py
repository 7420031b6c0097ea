"""Halo field of an ensemble on one box, and its spectra."""

import torch

from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store
from lagbias.bias import prediction as predict
from lagbias.bias.ensemble import load_ensemble
from lagbias.features import grids as features
from lagbias.features import inputs, whitening
from lagbias.grids.paint import overdensity
from lagbias.stages import job

with job.start(snakemake) as task:
    torch.set_num_threads(1)
    ensemble, seeds = load_ensemble(snakemake.input.networks, device=snakemake.params.device)
    files = snakemake.input.features
    matrix = inputs.load_input_matrix(
        snakemake.wildcards.inputs, snakemake.input.whitening, snakemake.input.get("components")
    )
    particles = store.read(snakemake.input.particles, "particles")
    halo_fields = store.read(snakemake.input.halo_fields, "halo_fields")
    painted, measured = predict.evaluate(
        ensemble,
        lambda nodes: whitening.apply_map(features.stored_values(files, nodes), matrix),
        particles,
        halo_fields,
        seeds=seeds,
        threads=snakemake.threads,
    )
    names = ("train_box", "sample", "smoothing_set", "inputs")
    attributes = {name: snakemake.wildcards[name] for name in names}
    attributes |= {"target_box": snakemake.wildcards.box}
    attributes |= {"box_size": particles.attributes["box_size"]}
    attributes |= {"n_grid": len(halo_fields["evaluation"])}
    task.write(snakemake.output.spectra, "spectra", artefacts.spectra(measured), attributes)
    field = artefacts.model_field(overdensity(painted.in_cells).astype("float32"))
    task.write(snakemake.output.field, "model_field", field, attributes)
