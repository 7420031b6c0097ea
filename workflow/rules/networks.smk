# Training: one job per network, so that another seed trains one network more and no other again.


rule train_network:
    input:
        particles=pattern("particles", box="{train_box}"),
        features=features_of("{train_box}"),
        whitening=pattern("whitening", box="{train_box}"),
        components=components_of,
        halo_fields=pattern("halo_fields", box="{train_box}"),
        validation_particles=pattern("particles", box=VALIDATION_BOX),
        validation_features=features_of(VALIDATION_BOX),
        validation_halo_fields=pattern("halo_fields", box=VALIDATION_BOX),
    output:
        pattern("networks"),
    log:
        log_of("train_network", pattern("networks")),
    benchmark:
        benchmark_of("train_network", pattern("networks"))
    resources:
        **needs(
            megabytes=lambda wildcards: subsamples(wildcards, 2),
            seconds=1e-5 * NETWORK * TRAINING_PARTICLES * CONFIG.training.epochs,
        ),
    params:
        code=code("train_network"),
        training=section("training"),
        seed=lambda wildcards: int(wildcards.seed),
        validation_box=VALIDATION_BOX,
    message:
        "training {wildcards.smoothing_set} ({wildcards.inputs}) on {wildcards.train_box}, {wildcards.sample}, seed {wildcards.seed}"
    script:
        "../scripts/train_network.py"
