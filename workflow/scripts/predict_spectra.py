"""Spectra of an ensemble's halo field on one box."""

import torch

from lagbias import artefacts, features, job, predict, store, whitening
from lagbias.device import choose_device
from lagbias.ensemble import Ensemble
from lagbias.network import TrainedNetwork

with job.start(snakemake) as task:
    torch.set_num_threads(snakemake.threads)
    trained, seeds = artefacts.networks(snakemake.input.networks)
    networks = [TrainedNetwork(**arguments) for arguments in trained]
    ensemble = Ensemble(networks, device=choose_device(snakemake.params.device))
    grids = list(artefacts.feature_columns(snakemake.input.features))
    fitted = whitening.Whitening(**artefacts.whitening_of(snakemake.input.whitening))
    particles = store.read(snakemake.input.particles, "particles")
    sites, box_size = particles["lagrangian_site"], particles.attributes["box_size"]
    halo_field = store.read(snakemake.input.halo_fields, "halo_fields", ["evaluation"])
    measured = predict.predict_spectra(
        ensemble,
        lambda rows: fitted.transform(features.values_at_sites(grids, sites[rows])),
        particles["position"],
        halo_field["evaluation"],
        box_size=box_size,
        seeds=seeds,
        threads=snakemake.threads,
    )
    names = ("train_box", "sample", "smoothing_set", "inputs")
    attributes = {name: snakemake.wildcards[name] for name in names}
    attributes |= {"target_box": snakemake.wildcards.box, "box_size": box_size}
    attributes |= {"n_grid": len(halo_field["evaluation"])}
    task.write(snakemake.output[0], "spectra", artefacts.spectra(measured), attributes)
