# Figures 1 and 2 of the paper: each has a module in lagbias.figures, a rule, a script and a caption of the same name.


rule cut_slab:
    input:
        particles="results/{run}/boxes/{box}/particles.h5",
        halos="results/{run}/boxes/{box}/halos.h5",
        features=lambda wildcards: features_of(wildcards.box, wildcards.smoothing_set),
        whitening="results/{run}/whitening/{train_box}/{smoothing_set}.h5",
        components=components_of,
        networks=networks_of,
    output:
        "results/{run}/slabs/{train_box}/{sample}/{smoothing_set}/{inputs}/on_{box}.h5",
    log:
        "logs/{run}/cut_slab/{train_box}.{sample}.{smoothing_set}.{inputs}.on_{box}.log",
    benchmark:
        "benchmarks/{run}/cut_slab/{train_box}.{sample}.{smoothing_set}.{inputs}.on_{box}.tsv"
    conda:
        "../../environment.yml"
    resources:
        **needs(
            megabytes=500 + 40e-6 * BOX_PARTICLES + 12e-6 * NODES,
            seconds=1e-6 * BOX_PARTICLES,
        ),
    params:
        code=code("cut_slab"),
        device=CONFIG.training.device,
        sample=lambda wildcards: section("halo_samples", wildcards.sample),
        radii=lambda wildcards: CONFIG.smoothing_sets[wildcards.smoothing_set],
    message:
        "cutting a slab from {wildcards.box}"
    script:
        "../scripts/cut_slab.py"


rule method_overview:
    input:
        on_boxes("slabs", CONFIG.figure_sets.multi_scale),
    output:
        report(
            "results/{run}/figures/method_overview.png",
            caption="../report/method_overview.rst",
            category="2 Method",
            labels={"figure": "Fig. 1: the method on a thin slab"},
        ),
        "results/{run}/figures/method_overview.pdf",
    log:
        "logs/{run}/figures/method_overview.log",
    benchmark:
        "benchmarks/{run}/figures/method_overview.tsv"
    conda:
        "../../environment.yml"
    resources:
        **needs(300),
    params:
        code=code("method_overview"),
    message:
        "drawing method_overview"
    script:
        "../scripts/method_overview.py"


rule least_squares_comparison:
    input:
        least_squares=of_training_box(
            "least_squares", [CONFIG.figure_sets.single_scale]
        )[0],
        networks_binned=f"results/{CONFIG.run}/binned_f/{TRAINING_BOX}/{CONFIG.sample}/{CONFIG.figure_sets.single_scale}/density.h5",
        spectra_least_squares=on_boxes(
            "spectra", CONFIG.figure_sets.single_scale, inputs="least_squares"
        )[0],
        spectra_networks=on_boxes(
            "spectra", CONFIG.figure_sets.single_scale, inputs="density"
        )[0],
    output:
        report(
            "results/{run}/figures/least_squares_comparison.png",
            caption="../report/least_squares_comparison.rst",
            category="3.1 Least squares and networks",
            labels={"figure": "Fig. 2: least squares and networks"},
        ),
        "results/{run}/figures/least_squares_comparison.pdf",
    log:
        "logs/{run}/figures/least_squares_comparison.log",
    benchmark:
        "benchmarks/{run}/figures/least_squares_comparison.tsv"
    conda:
        "../../environment.yml"
    resources:
        **needs(300),
    params:
        code=code("least_squares_comparison"),
    message:
        "drawing least_squares_comparison"
    script:
        "../scripts/least_squares_comparison.py"
