"""Halo field of the least-squares f on one box, and its spectra."""

from lagbias import artefacts, features, job, least_squares, predict, store

with job.start(snakemake) as task:
    stored = artefacts.binned_bias_of(snakemake.input.least_squares)
    bins = least_squares.FeatureBins(stored["delta_edges"], stored["lap_delta_edges"])
    density, laplacian, _ = artefacts.feature_columns(snakemake.input.features[:1])
    particles = store.read(snakemake.input.particles, "particles")
    sites, box_size = particles["lagrangian_site"], particles.attributes["box_size"]
    halo_fields = store.read(snakemake.input.halo_fields, "halo_fields")
    painted = predict.model_fields(
        least_squares.BinnedBias(bins, stored["f"]),
        lambda rows: features.values_at_sites([density, laplacian], sites[rows]),
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
        seeds=stored["seeds"],
        threads=snakemake.threads,
    )
    attributes = {name: snakemake.wildcards[name] for name in ("train_box", "sample")}
    attributes |= {"smoothing_set": snakemake.wildcards.smoothing_set, "inputs": "least_squares"}
    attributes |= {"target_box": snakemake.wildcards.box, "box_size": box_size}
    attributes |= {"n_grid": len(halo_fields["evaluation"])}
    task.write(snakemake.output[0], "spectra", artefacts.spectra(measured), attributes)
