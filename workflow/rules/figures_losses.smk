# Figures 9 to 11 of the paper: each has a module in lagbias.figures, a rule, a script and a caption of the same name.


rule validation_loss_smoothing_sets:
    input:
        networks=networks(CONFIG.figure_sets.compared()),
        spectra=on_boxes("spectra", CONFIG.figure_sets.compared()),
    output:
        report(
            "results/{run}/figures/validation_loss_smoothing_sets.png",
            caption="../report/validation_loss_smoothing_sets.rst",
            category="Appendix A Losses and fields",
            labels={"figure": "Fig. 9: losses of smoothing sets"},
        ),
        "results/{run}/figures/validation_loss_smoothing_sets.pdf",
    log:
        "logs/{run}/figures/validation_loss_smoothing_sets.log",
    benchmark:
        "benchmarks/{run}/figures/validation_loss_smoothing_sets.tsv"
    conda:
        "../../environment.yml"
    resources:
        **needs(300),
    params:
        code=code("validation_loss_smoothing_sets"),
        smoothing_sets=radii_of(CONFIG.figure_sets.compared()),
    message:
        "drawing validation_loss_smoothing_sets"
    script:
        "../scripts/validation_loss_smoothing_sets.py"


rule residual_slices:
    input:
        halo_fields=f"results/{CONFIG.run}/halo_fields/{VALIDATION_BOX}/{CONFIG.sample}.h5",
        model_fields=on_boxes(
            "model_fields",
            dict.fromkeys(
                [CONFIG.figure_sets.multi_scale, *CONFIG.figure_sets.coarse]
            ),
        ),
    output:
        report(
            "results/{run}/figures/residual_slices.png",
            caption="../report/residual_slices.rst",
            category="Appendix A Losses and fields",
            labels={"figure": "Fig. 10: slices of the fields"},
        ),
        "results/{run}/figures/residual_slices.pdf",
    log:
        "logs/{run}/figures/residual_slices.log",
    benchmark:
        "benchmarks/{run}/figures/residual_slices.tsv"
    conda:
        "../../environment.yml"
    resources:
        **needs(300 + 60e-6 * EVALUATION_CELLS),
    params:
        code=code("residual_slices"),
    message:
        "drawing residual_slices"
    script:
        "../scripts/residual_slices.py"


rule validation_loss_retrained:
    input:
        networks=[
            *networks([CONFIG.figure_sets.retrained_losses]),
            *networks([CONFIG.figure_sets.retrained_losses], "pc2"),
        ],
        spectra=[
            *on_boxes("spectra", CONFIG.figure_sets.retrained_losses),
            *on_boxes("spectra", CONFIG.figure_sets.retrained_losses, inputs="pc2"),
        ],
    output:
        report(
            "results/{run}/figures/validation_loss_retrained.png",
            caption="../report/validation_loss_retrained.rst",
            category="Appendix A Losses and fields",
            labels={"figure": "Fig. 11: losses after retraining"},
        ),
        "results/{run}/figures/validation_loss_retrained.pdf",
    log:
        "logs/{run}/figures/validation_loss_retrained.log",
    benchmark:
        "benchmarks/{run}/figures/validation_loss_retrained.tsv"
    conda:
        "../../environment.yml"
    resources:
        **needs(300),
    params:
        code=code("validation_loss_retrained"),
        smoothing_sets=radii_of([CONFIG.figure_sets.retrained_losses]),
    message:
        "drawing validation_loss_retrained"
    script:
        "../scripts/validation_loss_retrained.py"
