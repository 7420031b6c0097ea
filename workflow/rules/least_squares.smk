# The estimator of Paper I, f in bins of δ and ∇²δ, with which networks are compared.


rule least_squares:
    input:
        particles=pattern("particles", box="{train_box}"),
        features=features_of("{train_box}"),
        halo_fields=pattern("halo_fields", box="{train_box}"),
    output:
        pattern("least_squares"),
    log:
        log_of("least_squares", pattern("least_squares")),
    benchmark:
        benchmark_of("least_squares", pattern("least_squares"))
    resources:
        **needs(
            megabytes=lambda wildcards: subsamples(wildcards, len(CONFIG.seeds)),
            seconds=2e-6 * TRAINING_PARTICLES * len(CONFIG.seeds),
        ),
    params:
        code=code("least_squares"),
        least_squares=section("least_squares"),
        training={name: section("training")[name] for name in ("subsample", "sampling")},
        seeds=CONFIG.seeds,
    message:
        "least squares for {wildcards.smoothing_set} on {wildcards.train_box}"
    script:
        "../scripts/least_squares.py"


rule predict_least_squares:
    input:
        particles=pattern("particles"),
        features=features_of("{box}"),
        least_squares=pattern("least_squares"),
        halo_fields=pattern("halo_fields"),
    output:
        pattern("spectra", inputs="least_squares"),
    log:
        log_of("predict_least_squares", pattern("spectra", inputs="least_squares")),
    benchmark:
        benchmark_of(
            "predict_least_squares", pattern("spectra", inputs="least_squares")
        )
    threads: threads_for(BOX_PARTICLES)
    resources:
        **needs(megabytes=evaluation, seconds=1e-6 * BOX_PARTICLES),
    params:
        code=code("predict_least_squares"),
    message:
        "evaluating least squares for {wildcards.smoothing_set} of {wildcards.train_box} on {wildcards.box}"
    script:
        "../scripts/predict_least_squares.py"


rule bin_networks:
    input:
        features=features_of("{train_box}"),
        whitening=pattern("whitening", box="{train_box}"),
        least_squares=pattern("least_squares"),
        networks=networks_of,
    output:
        pattern("binned_f"),
    log:
        log_of("bin_networks", pattern("binned_f")),
    benchmark:
        benchmark_of("bin_networks", pattern("binned_f"))
    resources:
        **needs(
            megabytes=500 + 16e-6 * BOX_PARTICLES,
            seconds=4e-7 * network_cost() * BOX_PARTICLES * len(CONFIG.seeds),
        ),
    params:
        code=code("bin_networks"),
        device=CONFIG.training.device,
    message:
        "f of {wildcards.smoothing_set} ({wildcards.inputs}) in bins, on {wildcards.train_box}"
    script:
        "../scripts/bin_networks.py"
