# Figures 5 to 8 of the paper: each has a module in lagbias.figures, a rule, a script and a caption of the same name.


rule principal_components:
    input:
        of_training_box("gradient_pca", [CONFIG.figure_sets.multi_scale]),
    output:
        report(
            "results/{run}/figures/principal_components.png",
            caption="../report/principal_components.rst",
            category="4 Principal components",
            labels={"figure": "Fig. 5: f along the components"},
        ),
        "results/{run}/figures/principal_components.pdf",
    log:
        "logs/{run}/figures/principal_components.log",
    benchmark:
        "benchmarks/{run}/figures/principal_components.tsv"
    conda:
        "../../environment.yml"
    resources:
        **needs(300),
    params:
        code=code("principal_components"),
        smoothing_sets=radii_of([CONFIG.figure_sets.multi_scale]),
    message:
        "drawing principal_components"
    script:
        "../scripts/principal_components.py"


rule power_ratio_retrained:
    input:
        original=on_boxes("spectra", CONFIG.figure_sets.retrained),
        retrained=on_boxes("spectra", CONFIG.figure_sets.retrained, inputs="pc2"),
    output:
        report(
            "results/{run}/figures/power_ratio_retrained.png",
            caption="../report/power_ratio_retrained.rst",
            category="4 Principal components",
            labels={"figure": "Fig. 6: retrained on two components"},
        ),
        "results/{run}/figures/power_ratio_retrained.pdf",
    log:
        "logs/{run}/figures/power_ratio_retrained.log",
    benchmark:
        "benchmarks/{run}/figures/power_ratio_retrained.tsv"
    conda:
        "../../environment.yml"
    resources:
        **needs(300),
    params:
        code=code("power_ratio_retrained"),
        smoothing_sets=radii_of(CONFIG.figure_sets.retrained),
    message:
        "drawing power_ratio_retrained"
    script:
        "../scripts/power_ratio_retrained.py"


rule component_coefficients:
    input:
        of_training_box("gradient_pca", CONFIG.figure_sets.components),
    output:
        report(
            "results/{run}/figures/component_coefficients.png",
            caption="../report/component_coefficients.rst",
            category="4 Principal components",
            labels={"figure": "Fig. 7: coefficients of the first component"},
        ),
        "results/{run}/figures/component_coefficients.pdf",
    log:
        "logs/{run}/figures/component_coefficients.log",
    benchmark:
        "benchmarks/{run}/figures/component_coefficients.tsv"
    conda:
        "../../environment.yml"
    resources:
        **needs(300),
    params:
        code=code("component_coefficients"),
        smoothing_sets=radii_of(CONFIG.figure_sets.components),
    message:
        "drawing component_coefficients"
    script:
        "../scripts/component_coefficients.py"


rule thin_mass_components:
    input:
        [
            of_training_box("gradient_pca", [CONFIG.figure_sets.thin], sample)
            for sample in CONFIG.thin_samples
        ],
    output:
        report(
            "results/{run}/figures/thin_mass_components.png",
            caption="../report/thin_mass_components.rst",
            category="5 Thin mass ranges",
            labels={"figure": "Fig. 8: thin mass ranges"},
        ),
        "results/{run}/figures/thin_mass_components.pdf",
    log:
        "logs/{run}/figures/thin_mass_components.log",
    benchmark:
        "benchmarks/{run}/figures/thin_mass_components.tsv"
    conda:
        "../../environment.yml"
    resources:
        **needs(300),
    params:
        code=code("thin_mass_components"),
        samples={name: section("halo_samples", name) for name in CONFIG.thin_samples},
    message:
        "drawing thin_mass_components"
    script:
        "../scripts/thin_mass_components.py"
