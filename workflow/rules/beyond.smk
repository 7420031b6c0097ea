# Beyond the paper: networks trained otherwise, and other models, compared on boxes of their own. Networks and
# their fields are made by the rules of the paper's.


rule beyond:
    input:
        comparisons(),
        spectra_of_comparison(),
        multipoles(),
        paths("tables", name=["beyond.json", "beyond.md"]),
        paths("tables", name=["two_components.csv", "two_components.md"]),
        [
            f"{path('figures', name=name)}.{suffix}"
            for name in DRAWN_FIGURES
            for suffix in ("pdf", "png")
        ],
    localrule: True


rule tabulate_comparison:
    input:
        comparisons=comparisons(),
        spectra=spectra_of_comparison(),
    output:
        json=pattern("tables", name="beyond.json"),
        markdown=pattern("tables", name="beyond.md"),
    log:
        "logs/{run}/tabulate_comparison.log",
    benchmark:
        "benchmarks/{run}/tabulate_comparison.tsv"
    localrule: True
    resources:
        **needs(200),
    params:
        code=code("tabulate_comparison"),
    message:
        "tabulating the comparison of models"
    script:
        "../scripts/tabulate_comparison.py"


rule fit_baselines:
    input:
        particles=of_fit_boxes("particles"),
        features=of_fit_boxes("features"),
        halo_fields=of_fit_boxes("halo_fields"),
    output:
        **{name: pattern("baselines", baseline=name) for name in BASELINES},
    log:
        log_of("fit_baselines", pattern("baselines", baseline="all")),
    benchmark:
        benchmark_of("fit_baselines", pattern("baselines", baseline="all"))
    threads: threads_for(BOX_PARTICLES)
    resources:
        **needs(
            # sites of one box, positions and sub-samples of all; six fields, their sums and their modes
            megabytes=200
            + (10 + 15 * len(BEYOND.fit_boxes)) * 1e-6 * BOX_PARTICLES
            + 90e-6 * EVALUATION_CELLS,
            seconds=2e-6 * BOX_PARTICLES * len(BEYOND.fit_boxes),
        ),
    params:
        code=code("fit_baselines"),
        least_squares=section("least_squares"),
        training={
            name: section("training")[name]
            for name in ("subsample", "sampling", "fourier_cut")
        },
        rf=lambda wildcards: CONFIG.smoothing_sets[wildcards.smoothing_set][0],
        seed=CONFIG.seeds[0],
    message:
        f"baselines with {{wildcards.smoothing_set}} on {', '.join(BEYOND.fit_boxes)}, {{wildcards.sample}}"
    script:
        "../scripts/fit_baselines.py"


rule predict_baselines:
    input:
        **{name: pattern("baselines", baseline=name) for name in BASELINES},
        particles=pattern("particles"),
        features=features_of("{box}"),
    output:
        **{name: pattern("model_fields", inputs=name) for name in BASELINES},
    log:
        log_of("predict_baselines", pattern("model_fields", inputs="baselines")),
    benchmark:
        benchmark_of("predict_baselines", pattern("model_fields", inputs="baselines"))
    threads: threads_for(BOX_PARTICLES)
    resources:
        **needs(
            # positions; five fields and their sums
            megabytes=300 + 14e-6 * BOX_PARTICLES + 70e-6 * EVALUATION_CELLS,
            seconds=5e-7 * BOX_PARTICLES,
        ),
    params:
        code=code("predict_baselines"),
        evaluation_grid=CONFIG.evaluation.grid,
    message:
        "evaluating baselines with {wildcards.smoothing_set} of {wildcards.train_box} on {wildcards.box}"
    script:
        "../scripts/predict_baselines.py"


rule fit_surface:
    input:
        features=features_of("{train_box}"),
        whitening=pattern("whitening", box="{train_box}"),
        components=pattern("gradient_pca"),
        networks=lambda wildcards: paths("networks", **wildcards, inputs="pc2"),
    output:
        pattern("surfaces"),
    log:
        log_of("fit_surface", pattern("surfaces")),
    benchmark:
        benchmark_of("fit_surface", pattern("surfaces"))
    threads: threads_for(BOX_PARTICLES)
    resources:
        **needs(
            # a third of the particles; the features of a million of these, in columns and rows
            megabytes=lambda wildcards: 500
            + 20e-6 * BOX_PARTICLES
            + 80 * n_radii(wildcards),
            seconds=1e-6 * network_cost("pc2") * BOX_PARTICLES * len(CONFIG.seeds),
        ),
    params:
        code=code("fit_surface"),
        device=CONFIG.training.device,
    message:
        "f of two components of {wildcards.smoothing_set} on {wildcards.train_box}, {wildcards.sample}"
    script:
        "../scripts/fit_surface.py"


rule predict_formula:
    input:
        surface=pattern("surfaces"),
        particles=pattern("particles"),
        features=features_of("{box}"),
    output:
        pattern("model_fields", inputs="formula"),
    log:
        log_of("predict_formula", pattern("model_fields", inputs="formula")),
    benchmark:
        benchmark_of("predict_formula", pattern("model_fields", inputs="formula"))
    threads: threads_for(BOX_PARTICLES)
    resources:
        **needs(
            megabytes=lambda wildcards: 300
            + 12e-6 * BOX_PARTICLES
            + 20 * n_radii(wildcards)
            + 12e-6 * EVALUATION_CELLS,
            seconds=5e-7 * BOX_PARTICLES,
        ),
    params:
        code=code("predict_formula"),
        evaluation_grid=CONFIG.evaluation.grid,
    message:
        "evaluating the formula with {wildcards.smoothing_set} of {wildcards.train_box} on {wildcards.box}"
    script:
        "../scripts/predict_formula.py"


rule tabulate_surface:
    input:
        surface=path("surfaces"),
    output:
        csv=pattern("tables", name="two_components.csv"),
        markdown=pattern("tables", name="two_components.md"),
    log:
        "logs/{run}/tabulate_surface.log",
    benchmark:
        "benchmarks/{run}/tabulate_surface.tsv"
    localrule: True
    resources:
        **needs(200),
    params:
        code=code("tabulate_surface"),
    message:
        "tabulating f of two components"
    script:
        "../scripts/tabulate_surface.py"


rule apply_transfer:
    input:
        fitted_to=expand(
            pattern("spectra", inputs="{networks}"),
            box=BEYOND.fit_boxes,
            allow_missing=True,
        ),
        spectra=pattern("spectra", inputs="{networks}"),
        field=pattern("model_fields", inputs="{networks}"),
    output:
        spectra=pattern("spectra", inputs=f"{{networks}}{WITH_TRANSFER}"),
        field=pattern("model_fields", inputs=f"{{networks}}{WITH_TRANSFER}"),
    log:
        log_of("apply_transfer", pattern("spectra", inputs="{networks}")),
    benchmark:
        benchmark_of("apply_transfer", pattern("spectra", inputs="{networks}"))
    wildcard_constraints:
        networks=any_of(BEYOND.transfer),
    threads: threads_for(EVALUATION_CELLS)
    resources:
        **needs(
            megabytes=220 + 30e-6 * EVALUATION_CELLS, seconds=1e-7 * EVALUATION_CELLS
        ),
    params:
        code=code("apply_transfer"),
    message:
        "transfer functions of {wildcards.smoothing_set} ({wildcards.networks}) of {wildcards.train_box} on {wildcards.box}"
    script:
        "../scripts/apply_transfer.py"


rule compare_fields:
    input:
        model_field=pattern("model_fields"),
        halo_fields=pattern("halo_fields"),
    output:
        pattern("comparisons"),
    log:
        log_of("compare_fields", pattern("comparisons")),
    benchmark:
        benchmark_of("compare_fields", pattern("comparisons"))
    wildcard_constraints:
        inputs=any_of([*COMPARED_NETWORKS, *BASELINES, "formula"]),
    threads: threads_for(EVALUATION_CELLS)
    resources:
        **needs(
            megabytes=220 + 40e-6 * EVALUATION_CELLS, seconds=5e-7 * EVALUATION_CELLS
        ),
    params:
        code=code("compare_fields"),
        beyond={
            name: section("beyond")[name]
            for name in ("pdf_radii", "bispectrum_width", "bispectrum_k_max")
        },
    message:
        "comparing {wildcards.smoothing_set} ({wildcards.inputs}) of {wildcards.train_box} with halos of {wildcards.box}"
    script:
        "../scripts/compare_fields.py"
