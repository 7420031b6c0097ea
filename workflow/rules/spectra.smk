# Evaluation on a box: its particles at their final positions, weighted with f of an ensemble.


rule predict_spectra:
    input:
        particles=pattern("particles"),
        features=features_of("{box}"),
        whitening=pattern("whitening", box="{train_box}"),
        components=components_of,
        halo_fields=pattern("halo_fields"),
        networks=networks_of,
    output:
        spectra=pattern("spectra"),
        field=pattern("model_fields"),
    log:
        log_of("predict_spectra", pattern("spectra")),
    benchmark:
        benchmark_of("predict_spectra", pattern("spectra"))
    threads: threads_for(BOX_PARTICLES)
    resources:
        **needs(
            megabytes=evaluation,
            seconds=lambda wildcards: 1e-6
            * network_cost(wildcards.inputs)
            * BOX_PARTICLES
            * len(CONFIG.seeds),
        ),
    params:
        code=code("predict_spectra"),
        input_map=input_map_of,
        eigenvalue_cut=eigenvalue_cut_of,
        device=CONFIG.training.device,
    message:
        "evaluating {wildcards.smoothing_set} ({wildcards.inputs}) of {wildcards.train_box} on {wildcards.box}"
    script:
        "../scripts/predict_spectra.py"


rule predict_multipoles:
    input:
        particles=pattern("particles"),
        halos=pattern("halos"),
        features=features_of("{box}"),
        whitening=pattern("whitening", box="{train_box}"),
        components=components_of,
        networks=networks_of,
    output:
        pattern("multipoles"),
    log:
        log_of("predict_multipoles", pattern("multipoles")),
    benchmark:
        benchmark_of("predict_multipoles", pattern("multipoles"))
    threads: threads_for(BOX_PARTICLES)
    resources:
        **needs(
            # positions in both spaces and velocities; grids of sums and transforms
            megabytes=600 + 40e-6 * BOX_PARTICLES + 24e-6 * EVALUATION_CELLS,
            seconds=lambda wildcards: 1e-6
            * network_cost(wildcards.inputs)
            * BOX_PARTICLES
            * len(CONFIG.seeds),
        ),
    params:
        code=code("predict_multipoles"),
        sample=lambda wildcards: section("halo_samples", wildcards.sample),
        input_map=input_map_of,
        eigenvalue_cut=eigenvalue_cut_of,
        evaluation_grid=CONFIG.evaluation.grid,
        device=CONFIG.training.device,
    message:
        "multipoles of {wildcards.smoothing_set} ({wildcards.inputs}) of {wildcards.train_box} on {wildcards.box}"
    script:
        "../scripts/predict_multipoles.py"


rule cut_slab:
    input:
        linear_density=pattern("linear_density"),
        particles=pattern("particles"),
        halos=pattern("halos"),
        features=features_of("{box}"),
        whitening=pattern("whitening", box="{train_box}"),
        components=components_of,
        networks=networks_of,
    output:
        pattern("slabs"),
    log:
        log_of("cut_slab", pattern("slabs")),
    benchmark:
        benchmark_of("cut_slab", pattern("slabs"))
    # as many as make_features has, for the same δ
    threads: threads_for(NODES)
    resources:
        **needs(
            megabytes=500 + 40e-6 * BOX_PARTICLES + 12e-6 * NODES,
            seconds=1e-6 * BOX_PARTICLES,
        ),
    params:
        code=code("cut_slab"),
        input_map=input_map_of,
        eigenvalue_cut=eigenvalue_cut_of,
        device=CONFIG.training.device,
        sample=lambda wildcards: section("halo_samples", wildcards.sample),
        radii=lambda wildcards: CONFIG.smoothing_sets[wildcards.smoothing_set],
    message:
        "cutting a slab from {wildcards.box}"
    script:
        "../scripts/cut_slab.py"
