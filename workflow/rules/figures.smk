# Figures, in the order of the paper. Each is a line in this table, a module of that name in
# lagbias.figures and a caption in workflow/report. Which are drawn is `figures` in the configuration.

SETS = CONFIG.figure_sets


def figure(category, label, settings=None, megabytes=300, **inputs):
    """Line of the table: where the report shows a figure, its inputs, and settings of its module."""
    return SimpleNamespace(
        category=category,
        label=label,
        inputs=inputs,
        settings=settings or {},
        megabytes=megabytes,
    )


def radii_of(sets):
    """Setting: smoothing radii of the sets in a figure."""
    return {"smoothing_sets": {name: CONFIG.smoothing_sets[name] for name in sets}}


FIGURES = {
    "method_overview": figure(
        "2 Method",
        "Fig. 1: the method on a thin slab",
        slab=path("slabs"),
    ),
    "least_squares_comparison": figure(
        "3.1 Least squares and networks",
        "Fig. 2: least squares and networks",
        least_squares=path("least_squares", smoothing_set=SETS.single_scale),
        networks_binned=path(
            "binned_f", smoothing_set=SETS.single_scale, inputs="density"
        ),
        spectra_least_squares=path(
            "spectra", smoothing_set=SETS.single_scale, inputs="least_squares"
        ),
        spectra_networks=path(
            "spectra", smoothing_set=SETS.single_scale, inputs="density"
        ),
    ),
    "power_ratio_boxes": figure(
        "3.2 Several scales",
        "Fig. 3: training and validation boxes",
        on_training_box=paths(
            "spectra",
            smoothing_set=[SETS.single_scale, SETS.multi_scale],
            box=TRAINING_BOX,
        ),
        on_validation_boxes=paths(
            "spectra",
            smoothing_set=[SETS.single_scale, SETS.multi_scale],
            box=CONFIG.boxes.validation,
        ),
        by_training_box=paths("spectra", train_box=CONFIG.boxes.train),
    ),
    "power_ratio_smoothing_sets": figure(
        "3.2 Several scales",
        "Fig. 4: coarse and fine smoothing sets",
        settings=radii_of(SETS.compared()),
        coarse=paths("spectra", smoothing_set=SETS.coarse),
        fine=paths("spectra", smoothing_set=SETS.fine),
    ),
    "power_ratio_all_sets": figure(  # not in the paper
        "3.2 Several scales",
        "Every smoothing set, and its correlation",
        settings=radii_of(CONFIG.threshold_sets()),
        spectra=paths("spectra", smoothing_set=CONFIG.threshold_sets()),
    ),
    "principal_components": figure(
        "4 Principal components",
        "Fig. 5: f along the components",
        settings=radii_of([SETS.multi_scale]),
        components=path("gradient_pca"),
    ),
    "power_ratio_retrained": figure(
        "4 Principal components",
        "Fig. 6: retrained on two components",
        settings=radii_of(SETS.retrained),
        original=paths("spectra", smoothing_set=SETS.retrained),
        retrained=paths("spectra", smoothing_set=SETS.retrained, inputs="pc2"),
    ),
    "component_coefficients": figure(
        "4 Principal components",
        "Fig. 7: coefficients of the first component",
        components=paths("gradient_pca", smoothing_set=SETS.components),
    ),
    "thin_mass_components": figure(
        "5 Thin mass ranges",
        "Fig. 8: thin mass ranges",
        settings={
            "samples": {
                name: CONFIG.halo_samples[name].limits() for name in CONFIG.thin_samples
            }
        },
        components=paths(
            "gradient_pca", smoothing_set=SETS.thin, sample=CONFIG.thin_samples
        ),
    ),
    "validation_loss_smoothing_sets": figure(
        "Appendix A Losses and fields",
        "Fig. 9: losses of smoothing sets",
        settings=radii_of(SETS.compared()),
        networks=paths("networks", smoothing_set=SETS.compared()),
        spectra=paths("spectra", smoothing_set=SETS.compared()),
    ),
    "residual_slices": figure(
        "Appendix A Losses and fields",
        "Fig. 10: slices of the fields",
        megabytes=300 + 60e-6 * EVALUATION_CELLS,
        halo_fields=path("halo_fields"),
        model_fields=paths(
            "model_fields",
            smoothing_set=dict.fromkeys([SETS.multi_scale, *SETS.coarse]),
        ),
    ),
    "validation_loss_retrained": figure(
        "Appendix A Losses and fields",
        "Fig. 11: losses after retraining",
        settings=radii_of([SETS.retrained_losses]),
        networks=paths(
            "networks", smoothing_set=SETS.retrained_losses, inputs=["full", "pc2"]
        ),
        spectra=paths(
            "spectra", smoothing_set=SETS.retrained_losses, inputs=["full", "pc2"]
        ),
    ),
}

# drawn by `snakemake beyond`
if CONFIG.beyond:
    for name, label in {
        "model_comparison": "Models: power and errors",
        "one_point_comparison": "Models: densities",
        "bispectrum_comparison": "Models: bispectra",
    }.items():
        FIGURES[name] = figure(
            "Beyond the paper",
            label,
            settings=radii_of(sorted(set().union(*DRAWN_MODELS.values()))),
            comparisons=on_comparison_boxes("comparisons", DRAWN_MODELS),
        )
    if "loss_comparison" in DRAWN_FIGURES:
        SHOWN_SETS = BEYOND.variants[SHOWN].sets
        FIGURES["loss_comparison"] = figure(
            "Beyond the paper",
            "Losses: every smoothing set",
            settings=radii_of(SHOWN_SETS),
            original=on_comparison_boxes("spectra", {"full": SHOWN_SETS}),
            best=on_comparison_boxes("spectra", {SHOWN: SHOWN_SETS}),
        )
    FIGURES["transfer_comparison"] = figure(
        "Beyond the paper",
        "Transfer functions",
        settings=radii_of(sorted(set().union(*BEYOND.transfer.values()))),
        original=on_comparison_boxes("spectra", BEYOND.transfer),
        transferred=on_comparison_boxes("spectra", TRANSFERRED_NETWORKS),
    )
    FIGURES["multipole_comparison"] = figure(
        "Beyond the paper",
        "Redshift space: multipoles",
        multipoles=multipoles(),
    )

for name, drawn in FIGURES.items():

    rule:
        name:
            name
        input:
            **drawn.inputs,
        output:
            png=report(
                f"{pattern('figures', name=name)}.png",
                caption=f"../report/{name}.rst",
                category=drawn.category,
                labels={"figure": drawn.label},
            ),
            pdf=f"{pattern('figures', name=name)}.pdf",
        log:
            f"logs/{{run}}/figures/{name}.log",
        benchmark:
            f"benchmarks/{{run}}/figures/{name}.tsv"
        group:
            "figures"
        resources:
            **needs(drawn.megabytes),
        params:
            code=code("draw_figure", f"lagbias.figures.{name}"),
            figure=name,
            settings=drawn.settings,
            origin=lambda wildcards, output: Origin(output.png),  # for the caption
        message:
            f"drawing {name}"
        script:
            "../scripts/draw_figure.py"
