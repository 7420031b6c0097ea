# Principal components of the gradient of f: what the halos depend on.


rule gradient_pca:
    input:
        particles="results/{run}/boxes/{train_box}/particles.h5",
        features=lambda wildcards: features_of(
            wildcards.train_box, wildcards.smoothing_set
        ),
        whitening="results/{run}/whitening/{train_box}/{smoothing_set}.h5",
        networks=networks_of,
    output:
        "results/{run}/gradient_pca/{train_box}/{sample}/{smoothing_set}.h5",
    log:
        "logs/{run}/gradient_pca/{train_box}.{sample}.{smoothing_set}.log",
    benchmark:
        "benchmarks/{run}/gradient_pca/{train_box}.{sample}.{smoothing_set}.tsv"
    conda:
        "../../environment.yml"
    resources:
        **needs(
            megabytes=lambda wildcards: 350
            + 10e-6 * BOX_PARTICLES
            + 60e-6 * n_radii(wildcards) * CONFIG.gradient_pca.particles,
            seconds=1e-5 * NETWORK * CONFIG.gradient_pca.particles
            + 1e-7 * BOX_PARTICLES,
        ),
    params:
        code=code("gradient_pca"),
        device=CONFIG.training.device,
        particles=CONFIG.gradient_pca.particles,
    message:
        "components of ∇f of {wildcards.smoothing_set} on {wildcards.train_box}, {wildcards.sample}"
    script:
        "../scripts/gradient_pca.py"
