# Training: one job per network, so that another seed trains one network more and no other again.


rule train_network:
    input:
        particles="results/{run}/boxes/{train_box}/particles.h5",
        features=lambda wildcards: features_of(
            wildcards.train_box, wildcards.smoothing_set
        ),
        whitening="results/{run}/whitening/{train_box}/{smoothing_set}.h5",
        components=components_of,
        halo_fields="results/{run}/halo_fields/{train_box}/{sample}.h5",
        validation_particles=f"results/{{run}}/boxes/{VALIDATION_BOX}/particles.h5",
        validation_features=lambda wildcards: features_of(
            VALIDATION_BOX, wildcards.smoothing_set
        ),
        validation_halo_fields=f"results/{{run}}/halo_fields/{VALIDATION_BOX}/{{sample}}.h5",
    output:
        "results/{run}/networks/{train_box}/{sample}/{smoothing_set}/{inputs}/seed{seed}.h5",
    log:
        "logs/{run}/train_network/{train_box}.{sample}.{smoothing_set}.{inputs}.seed{seed}.log",
    benchmark:
        "benchmarks/{run}/train_network/{train_box}.{sample}.{smoothing_set}.{inputs}.seed{seed}.tsv"
    conda:
        "../../environment.yml"
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
