# The estimator of Paper I, f in bins of δ and ∇²δ, with which networks are compared.


rule least_squares:
    input:
        particles="results/{run}/boxes/{train_box}/particles.h5",
        features=lambda wildcards: features_of(
            wildcards.train_box, wildcards.smoothing_set
        ),
        halo_fields="results/{run}/halo_fields/{train_box}/{sample}.h5",
    output:
        "results/{run}/least_squares/{train_box}/{sample}/{smoothing_set}.h5",
    log:
        "logs/{run}/least_squares/{train_box}.{sample}.{smoothing_set}.log",
    benchmark:
        "benchmarks/{run}/least_squares/{train_box}.{sample}.{smoothing_set}.tsv"
    conda:
        "../../environment.yml"
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
        particles="results/{run}/boxes/{box}/particles.h5",
        features=lambda wildcards: features_of(wildcards.box, wildcards.smoothing_set),
        least_squares="results/{run}/least_squares/{train_box}/{sample}/{smoothing_set}.h5",
        halo_fields="results/{run}/halo_fields/{box}/{sample}.h5",
    output:
        "results/{run}/spectra/{train_box}/{sample}/{smoothing_set}/least_squares/on_{box}.h5",
    log:
        "logs/{run}/predict_least_squares/{train_box}.{sample}.{smoothing_set}.on_{box}.log",
    benchmark:
        "benchmarks/{run}/predict_least_squares/{train_box}.{sample}.{smoothing_set}.on_{box}.tsv"
    conda:
        "../../environment.yml"
    threads: threads_for(BOX_PARTICLES)
    resources:
        **needs(
            megabytes=evaluation,
            seconds=1e-6 * BOX_PARTICLES,
        ),
    params:
        code=code("predict_least_squares"),
    message:
        "evaluating least squares for {wildcards.smoothing_set} of {wildcards.train_box} on {wildcards.box}"
    script:
        "../scripts/predict_least_squares.py"


rule bin_networks:
    input:
        particles="results/{run}/boxes/{train_box}/particles.h5",
        features=lambda wildcards: features_of(
            wildcards.train_box, wildcards.smoothing_set
        ),
        whitening="results/{run}/whitening/{train_box}/{smoothing_set}.h5",
        least_squares="results/{run}/least_squares/{train_box}/{sample}/{smoothing_set}.h5",
        networks=networks_of,
    output:
        "results/{run}/binned_f/{train_box}/{sample}/{smoothing_set}/{inputs}.h5",
    log:
        "logs/{run}/bin_networks/{train_box}.{sample}.{smoothing_set}.{inputs}.log",
    benchmark:
        "benchmarks/{run}/bin_networks/{train_box}.{sample}.{smoothing_set}.{inputs}.tsv"
    conda:
        "../../environment.yml"
    resources:
        **needs(
            megabytes=500 + 16e-6 * BOX_PARTICLES,
            seconds=4e-7 * NETWORK * BOX_PARTICLES * len(CONFIG.seeds),
        ),
    params:
        code=code("bin_networks"),
        device=CONFIG.training.device,
    message:
        "f of {wildcards.smoothing_set} ({wildcards.inputs}) in bins, on {wildcards.train_box}"
    script:
        "../scripts/bin_networks.py"
