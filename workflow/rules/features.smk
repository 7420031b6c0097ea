# Features of the initial density, once per box and radius, and their whitening per set.


rule make_features:
    input:
        "results/{run}/boxes/{box}/linear_density.h5",
    output:
        "results/{run}/features/{box}/rf{rf}.h5",
    log:
        "logs/{run}/make_features/{box}.rf{rf}.log",
    benchmark:
        "benchmarks/{run}/make_features/{box}.rf{rf}.tsv"
    conda:
        "../../environment.yml"
    threads: threads_for(NODES)
    resources:
        **needs(
            megabytes=200 + 28e-6 * NODES,
            seconds=2e-7 * NODES,
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
        particles="results/{run}/boxes/{box}/particles.h5",
        features=lambda wildcards: features_of(wildcards.box, wildcards.smoothing_set),
    output:
        "results/{run}/whitening/{box}/{smoothing_set}.h5",
    log:
        "logs/{run}/fit_whitening/{box}.{smoothing_set}.log",
    benchmark:
        "benchmarks/{run}/fit_whitening/{box}.{smoothing_set}.tsv"
    conda:
        "../../environment.yml"
    resources:
        **needs(
            megabytes=lambda wildcards: 300
            + 1e-6 * BOX_PARTICLES
            + 130 * n_radii(wildcards),
            seconds=lambda wildcards: 5e-8 * BOX_PARTICLES * n_radii(wildcards),
        ),
    params:
        code=code("fit_whitening"),
        radii=lambda wildcards: CONFIG.smoothing_sets[wildcards.smoothing_set],
    message:
        "whitening {wildcards.smoothing_set} on {wildcards.box}"
    script:
        "../scripts/fit_whitening.py"
