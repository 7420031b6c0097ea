"""Halo field of the least-squares f on one box, and its spectra."""

from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store
from lagbias.bias import prediction as predict
from lagbias.bias.binned import BinnedBias, FeatureBins
from lagbias.features import grids as features
from lagbias.stages import job

with job.start(snakemake) as task:
    stored = artefacts.binned_bias_of(snakemake.input.least_squares)
    bins = FeatureBins(stored["delta_edges"], stored["lap_delta_edges"])
    files = snakemake.input.features
    particles = store.read(snakemake.input.particles, "particles")
    halo_fields = store.read(snakemake.input.halo_fields, "halo_fields")
    _, measured = predict.evaluate(
        BinnedBias(bins, stored["f"]),
        lambda nodes: features.stored_values(files, nodes, columns=2),
        particles,
        halo_fields,
        seeds=stored["seeds"],
        threads=snakemake.threads,
    )
    attributes = {name: snakemake.wildcards[name] for name in ("train_box", "sample")}
    attributes |= {"smoothing_set": snakemake.wildcards.smoothing_set, "inputs": "least_squares"}
    attributes |= {"target_box": snakemake.wildcards.box}
    attributes |= {"box_size": particles.attributes["box_size"]}
    attributes |= {"n_grid": len(halo_fields["evaluation"])}
    task.write(snakemake.output[0], "spectra", artefacts.spectra(measured), attributes)
