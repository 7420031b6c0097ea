# Paths of groups of artefacts, for the inputs of rules.


def radii(smoothing_set):
    """Smoothing radii of a set, as they appear in paths."""
    return [format_radius(radius) for radius in CONFIG.smoothing_sets[smoothing_set]]


def features_of(box, smoothing_set):
    """Feature grids of a box, one per radius of the set."""
    return expand(
        "results/{run}/features/{box}/rf{rf}.h5",
        run=CONFIG.run,
        box=box,
        rf=radii(smoothing_set),
    )


def components_of(wildcards):
    """Components of ∇f, on which a network is retrained, or nothing for a first training."""
    pattern = "results/{run}/gradient_pca/{train_box}/{sample}/{smoothing_set}.h5"
    return pattern.format(**wildcards) if wildcards.inputs == "pc2" else []


def networks(
    smoothing_sets, inputs="full", sample=CONFIG.sample, train_box=TRAINING_BOX
):
    """Networks of the ensembles of some sets: one per seed, set after set."""
    return [
        f"results/{CONFIG.run}/networks/{train_box}/{sample}/{smoothing_set}/{inputs}/seed{seed}.h5"
        for smoothing_set in smoothing_sets
        for seed in CONFIG.seeds
    ]


def networks_of(wildcards):
    """The ensemble that the wildcards name, of all features where they name no inputs."""
    inputs = wildcards.get("inputs", "full")
    return networks(
        [wildcards.smoothing_set], inputs, wildcards.sample, wildcards.train_box
    )


def on_boxes(
    kind, smoothing_sets, boxes=VALIDATION_BOX, train_boxes=TRAINING_BOX, inputs="full"
):
    """Spectra or model fields of some sets, trained on some boxes, evaluated on some boxes."""
    return expand(
        "results/{run}/{kind}/{train_box}/{sample}/{smoothing_set}/{inputs}/on_{box}.h5",
        run=CONFIG.run,
        kind=kind,
        sample=CONFIG.sample,
        smoothing_set=smoothing_sets,
        inputs=inputs,
        train_box=train_boxes,
        box=boxes,
    )


def of_training_box(kind, smoothing_sets, sample=CONFIG.sample):
    """Artefacts of the main training box, one per set, such as its gradient PCA."""
    return [
        f"results/{CONFIG.run}/{kind}/{TRAINING_BOX}/{sample}/{smoothing_set}.h5"
        for smoothing_set in smoothing_sets
    ]


def all_figures():
    """Every figure that the configuration asks for."""
    return expand(
        "results/{run}/figures/{name}.{extension}",
        run=CONFIG.run,
        name=CONFIG.figures,
        extension=["pdf", "png"],
    )


def all_tables():
    """The claims of the paper, and the configuration."""
    names = ["claims.json", "claims.md", "claims.html", "configuration.html"]
    return [f"results/{CONFIG.run}/{name}" for name in names]


def evidence():
    """Every artefact that a claim is checked with."""
    chosen = CONFIG.figure_sets
    sets = chosen.of_the_paper()
    scales = [chosen.single_scale, chosen.multi_scale]
    return {
        "networks": [
            *networks(sets),
            *networks(chosen.retrained, "pc2"),
        ],
        "spectra": [
            *on_boxes("spectra", sets),
            *on_boxes("spectra", scales, TRAINING_BOX),
            *on_boxes("spectra", scales, CONFIG.boxes.validation[1:]),
            *on_boxes(
                "spectra", chosen.multi_scale, train_boxes=CONFIG.boxes.train[1:]
            ),
            *on_boxes("spectra", chosen.single_scale, inputs="density"),
            *on_boxes("spectra", chosen.single_scale, inputs="least_squares"),
            *on_boxes("spectra", chosen.nested, inputs="nested"),
            *on_boxes("spectra", chosen.retrained, inputs="pc2"),
        ],
        "components": [
            *of_training_box("gradient_pca", sets),
            *(
                path
                for sample in CONFIG.thin_samples
                for path in of_training_box("gradient_pca", [chosen.thin], sample)
            ),
        ],
        "least_squares": of_training_box("least_squares", [chosen.single_scale]),
        "binned": f"results/{CONFIG.run}/binned_f/{TRAINING_BOX}/{CONFIG.sample}/{chosen.single_scale}/density.h5",
        "whitening": expand(
            "results/{run}/whitening/{box}/{smoothing_set}.h5",
            run=CONFIG.run,
            box=TRAINING_BOX,
            smoothing_set=[*sets, chosen.thin],
        ),
        "halo_fields": expand(
            "results/{run}/halo_fields/{box}/{sample}.h5",
            run=CONFIG.run,
            box=[TRAINING_BOX, VALIDATION_BOX],
            sample=[CONFIG.sample, *CONFIG.thin_samples],
        ),
        "model_fields": on_boxes("model_fields", chosen.compared()),
    }
