# Which models the comparison beyond the paper has, and the paths of their artefacts.

from lagbias.config.checks import BASELINES, BEYOND_FIGURES
from lagbias.schema.labels import WITH_TRANSFER

BEYOND = CONFIG.beyond
# networks times a transfer function
TRANSFERRED_NETWORKS = {
    f"{name}{WITH_TRANSFER}": sets for name, sets in BEYOND.transfer.items()
}
# what models are named by in paths, and the sets of each
COMPARED_NETWORKS = {
    "full": CONFIG.threshold_sets(),
    "pc2": [CONFIG.figure_sets.multi_scale],
    **{name: variant.sets for name, variant in BEYOND.variants.items()},
    **TRANSFERRED_NETWORKS,
}
COMPARED_BASELINES = dict.fromkeys(BASELINES, [BEYOND.baseline_set])
COMPARED_FORMULA = {"formula": [CONFIG.figure_sets.multi_scale]}
# those in the figures of all models
DRAWN_MODELS = {
    "full": [CONFIG.figure_sets.multi_scale],
    BEYOND.best: [CONFIG.figure_sets.multi_scale, CONFIG.figure_sets.single_scale],
    **COMPARED_BASELINES,
}


def on_comparison_boxes(kind, models):
    """Paths of artefacts of models on the boxes of the comparison."""
    return [
        each
        for inputs, sets in models.items()
        for each in paths(
            kind, inputs=inputs, smoothing_set=sets, box=BEYOND.validation
        )
    ]


def of_best(kind, samples):
    """Paths of artefacts of the best networks of several scales on these boxes."""
    return paths(
        kind,
        inputs=BEYOND.best,
        smoothing_set=CONFIG.figure_sets.multi_scale,
        sample=samples,
        box=BEYOND.validation,
    )


def comparisons():
    """Comparisons of all models with the halos, and with other tracers."""
    models = COMPARED_NETWORKS | COMPARED_BASELINES | COMPARED_FORMULA
    return [
        *on_comparison_boxes("comparisons", models),
        *of_best("comparisons", BEYOND.samples),
    ]


def spectra_of_comparison():
    """Spectra of the networks, which have those of each one and not only of their average f."""
    return [
        *on_comparison_boxes("spectra", COMPARED_NETWORKS),
        *of_best("spectra", BEYOND.samples),
    ]


def of_best_boxes(kind):
    """Input function: artefacts of the boxes that train the best networks, box after box."""
    return lambda wildcards: of_training_boxes(kind)(
        SimpleNamespace(**wildcards, inputs=BEYOND.best)
    )


def n_best_boxes(wildcards):
    """Number of boxes that train the best networks."""
    return len(CONFIG.training_boxes(wildcards.train_box, BEYOND.best))
