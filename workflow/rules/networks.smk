# Training: one job for each ensemble, whose networks differ in their seeds, and an artefact for each network.
# `update` leaves those that are current in place, so that another seed trains one network more and no other
# again. As many networks are trained at once as the job has threads.


rule train_networks:
    input:
        particles=of_training_boxes("particles"),
        features=of_training_boxes("features"),
        whitening=pattern("whitening", box="{train_box}"),
        components=components_of,
        halo_fields=of_training_boxes("halo_fields"),
        initial=initial_of,
        validation_particles=pattern("particles", box=VALIDATION_BOX),
        validation_features=features_of(VALIDATION_BOX),
        validation_halo_fields=pattern("halo_fields", box=VALIDATION_BOX),
    output:
        update(expand(pattern("networks"), seed=CONFIG.seeds, allow_missing=True)),
    log:
        log_of("train_networks", pattern("ensembles")),
    benchmark:
        benchmark_of("train_networks", pattern("ensembles"))
    resources:
        **needs(
            # those of all networks at once, and the positions of all boxes
            megabytes=lambda wildcards: subsamples(wildcards, 1 + NETWORKS_AT_ONCE)
            + 16e-6 * BOX_PARTICLES * (n_training_boxes(wildcards) - 1),
            seconds=lambda wildcards: 1e-5
            * network_cost(wildcards.inputs)
            * particles_seen(wildcards)
            * len(CONFIG.seeds),
        ),
    params:
        code=code("train_networks"),
        training=lambda wildcards: CONFIG.training_of(wildcards.inputs).model_dump(),
        input_map=input_map_of,
        eigenvalue_cut=eigenvalue_cut_of,
        validation_box=VALIDATION_BOX,
    message:
        "training {wildcards.smoothing_set} ({wildcards.inputs}) on {wildcards.train_box}, {wildcards.sample}"
    script:
        "../scripts/train_networks.py"
