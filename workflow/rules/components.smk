# Principal components of the gradient of f: what the halos depend on.


rule gradient_pca:
    input:
        features=features_of("{train_box}"),
        whitening=pattern("whitening", box="{train_box}"),
        networks=networks_of,
    output:
        pattern("gradient_pca"),
    log:
        log_of("gradient_pca", pattern("gradient_pca")),
    benchmark:
        benchmark_of("gradient_pca", pattern("gradient_pca"))
    resources:
        **needs(
            megabytes=lambda wildcards: 350
            + 10e-6 * BOX_PARTICLES
            + 60e-6 * n_radii(wildcards) * CONFIG.gradient_pca.particles,
            seconds=1e-5 * network_cost() * CONFIG.gradient_pca.particles
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
