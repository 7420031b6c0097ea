# Features of the particles of a box, once per radius, and their whitening per set.


rule make_features:
    input:
        linear_density=pattern("linear_density"),
        particles=pattern("particles"),
    output:
        pattern("features"),
    log:
        log_of("make_features", pattern("features")),
    benchmark:
        benchmark_of("make_features", pattern("features"))
    threads: threads_for(NODES)
    resources:
        # five grids while they are computed; then three, which particles replace one by one
        **needs(
            megabytes=200 + max(28e-6 * NODES, 12e-6 * NODES + 16e-6 * BOX_PARTICLES),
            seconds=2e-7 * NODES + 1e-7 * BOX_PARTICLES,
        ),
    params:
        code=code("make_features"),
        rf=lambda wildcards: float(wildcards.rf),
    message:
        "features of {wildcards.box} at R_f = {wildcards.rf} Mpc/h"
    script:
        "../scripts/make_features.py"


rule fit_whitening:
    input:
        features=features_of("{box}"),
    output:
        pattern("whitening"),
    log:
        log_of("fit_whitening", pattern("whitening")),
    benchmark:
        benchmark_of("fit_whitening", pattern("whitening"))
    resources:
        **needs(
            megabytes=lambda wildcards: 300 + 130 * n_radii(wildcards),
            seconds=lambda wildcards: 5e-8 * BOX_PARTICLES * n_radii(wildcards),
        ),
    params:
        code=code("fit_whitening"),
        radii=lambda wildcards: CONFIG.smoothing_sets[wildcards.smoothing_set],
    message:
        "whitening {wildcards.smoothing_set} on {wildcards.box}"
    script:
        "../scripts/fit_whitening.py"
