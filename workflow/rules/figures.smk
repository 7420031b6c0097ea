# Figures: each has a module in lagbias.figures, a rule, a script and a caption of the same name.


rule power_ratio_boxes:
    input:
        on_training_box=lambda wildcards: spectra(
            [CONFIG.figure_sets.single_scale, CONFIG.figure_sets.multi_scale],
            CONFIG.boxes.train[0],
            CONFIG.boxes.train[0],
        ),
        on_validation_boxes=lambda wildcards: spectra(
            [CONFIG.figure_sets.single_scale, CONFIG.figure_sets.multi_scale],
            CONFIG.boxes.train[0],
            CONFIG.boxes.validation,
        ),
        by_training_box=lambda wildcards: spectra(
            CONFIG.figure_sets.multi_scale,
            CONFIG.boxes.train,
            CONFIG.boxes.validation[0],
        ),
    output:
        report(
            "results/{run}/figures/power_ratio_boxes.png",
            caption="../report/power_ratio_boxes.rst",
            category="Power spectra",
            labels={"figure": "Training and validation boxes"},
        ),
        "results/{run}/figures/power_ratio_boxes.pdf",
    log:
        "logs/{run}/figures/power_ratio_boxes.log",
    conda:
        "../../environment.yml"
    params:
        code=code("power_ratio_boxes"),
    message:
        "drawing power_ratio_boxes"
    script:
        "../scripts/power_ratio_boxes.py"


rule power_ratio_smoothing_sets:
    input:
        coarse=lambda wildcards: spectra(
            CONFIG.figure_sets.coarse,
            CONFIG.boxes.train[0],
            CONFIG.boxes.validation[0],
        ),
        fine=lambda wildcards: spectra(
            CONFIG.figure_sets.fine, CONFIG.boxes.train[0], CONFIG.boxes.validation[0]
        ),
    output:
        report(
            "results/{run}/figures/power_ratio_smoothing_sets.png",
            caption="../report/power_ratio_smoothing_sets.rst",
            category="Power spectra",
            labels={"figure": "Coarse and fine smoothing sets"},
        ),
        "results/{run}/figures/power_ratio_smoothing_sets.pdf",
    log:
        "logs/{run}/figures/power_ratio_smoothing_sets.log",
    conda:
        "../../environment.yml"
    params:
        code=code("power_ratio_smoothing_sets"),
        smoothing_sets={
            name: CONFIG.smoothing_sets[name]
            for name in [*CONFIG.figure_sets.coarse, *CONFIG.figure_sets.fine]
        },
    message:
        "drawing power_ratio_smoothing_sets"
    script:
        "../scripts/power_ratio_smoothing_sets.py"


rule power_ratio_all_sets:
    input:
        lambda wildcards: spectra(
            CONFIG.smoothing_sets, CONFIG.boxes.train[0], CONFIG.boxes.validation[0]
        ),
    output:
        report(
            "results/{run}/figures/power_ratio_all_sets.png",
            caption="../report/power_ratio_all_sets.rst",
            category="Power spectra",
            labels={"figure": "Every smoothing set"},
        ),
        "results/{run}/figures/power_ratio_all_sets.pdf",
    log:
        "logs/{run}/figures/power_ratio_all_sets.log",
    conda:
        "../../environment.yml"
    params:
        code=code("power_ratio_all_sets"),
        smoothing_sets=CONFIG.smoothing_sets,
    message:
        "drawing power_ratio_all_sets"
    script:
        "../scripts/power_ratio_all_sets.py"
