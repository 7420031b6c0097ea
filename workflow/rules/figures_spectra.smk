# Figures 3 and 4 of the paper: each has a module in lagbias.figures, a rule, a script and a caption of the same name.


rule power_ratio_boxes:
    input:
        on_training_box=on_boxes(
            "spectra",
            [CONFIG.figure_sets.single_scale, CONFIG.figure_sets.multi_scale],
            TRAINING_BOX,
        ),
        on_validation_boxes=on_boxes(
            "spectra",
            [CONFIG.figure_sets.single_scale, CONFIG.figure_sets.multi_scale],
            CONFIG.boxes.validation,
        ),
        by_training_box=on_boxes(
            "spectra", CONFIG.figure_sets.multi_scale, train_boxes=CONFIG.boxes.train
        ),
    output:
        report(
            "results/{run}/figures/power_ratio_boxes.png",
            caption="../report/power_ratio_boxes.rst",
            category="3.2 Several scales",
            labels={"figure": "Fig. 3: training and validation boxes"},
        ),
        "results/{run}/figures/power_ratio_boxes.pdf",
    log:
        "logs/{run}/figures/power_ratio_boxes.log",
    benchmark:
        "benchmarks/{run}/figures/power_ratio_boxes.tsv"
    conda:
        "../../environment.yml"
    resources:
        **needs(300),
    params:
        code=code("power_ratio_boxes"),
    message:
        "drawing power_ratio_boxes"
    script:
        "../scripts/power_ratio_boxes.py"


rule power_ratio_smoothing_sets:
    input:
        coarse=on_boxes("spectra", CONFIG.figure_sets.coarse),
        fine=on_boxes("spectra", CONFIG.figure_sets.fine),
    output:
        report(
            "results/{run}/figures/power_ratio_smoothing_sets.png",
            caption="../report/power_ratio_smoothing_sets.rst",
            category="3.2 Several scales",
            labels={"figure": "Fig. 4: coarse and fine smoothing sets"},
        ),
        "results/{run}/figures/power_ratio_smoothing_sets.pdf",
    log:
        "logs/{run}/figures/power_ratio_smoothing_sets.log",
    benchmark:
        "benchmarks/{run}/figures/power_ratio_smoothing_sets.tsv"
    conda:
        "../../environment.yml"
    resources:
        **needs(300),
    params:
        code=code("power_ratio_smoothing_sets"),
        smoothing_sets=radii_of(CONFIG.figure_sets.compared()),
    message:
        "drawing power_ratio_smoothing_sets"
    script:
        "../scripts/power_ratio_smoothing_sets.py"


rule power_ratio_all_sets:
    input:
        on_boxes("spectra", CONFIG.threshold_sets()),
    output:
        report(
            "results/{run}/figures/power_ratio_all_sets.png",
            caption="../report/power_ratio_all_sets.rst",
            category="3.2 Several scales",
            labels={"figure": "Every smoothing set, and its correlation"},
        ),
        "results/{run}/figures/power_ratio_all_sets.pdf",
    log:
        "logs/{run}/figures/power_ratio_all_sets.log",
    benchmark:
        "benchmarks/{run}/figures/power_ratio_all_sets.tsv"
    conda:
        "../../environment.yml"
    resources:
        **needs(300),
    params:
        code=code("power_ratio_all_sets"),
        smoothing_sets=radii_of(CONFIG.threshold_sets()),
    message:
        "drawing power_ratio_all_sets"
    script:
        "../scripts/power_ratio_all_sets.py"
