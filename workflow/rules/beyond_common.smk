# Which models the comparison beyond the paper has, and the paths of their artefacts.

from lagbias.config.checks import BASELINES, BEYOND_FIGURES
from lagbias.schema.labels import WITH_TRANSFER

BEYOND = CONFIG.beyond
MULTI_SCALE = CONFIG.figure_sets.multi_scale
# networks with transfer functions
TRANSFERRED_NETWORKS = {
    f"{name}{WITH_TRANSFER}": sets for name, sets in BEYOND.transfer.items()
}
# the best networks of several scales, also with transfer functions if these are chosen
BEST = [BEYOND.best]
if MULTI_SCALE in BEYOND.transfer.get(BEYOND.best, []):
    BEST.append(f"{BEYOND.best}{WITH_TRANSFER}")
# what models are named by in paths, and the sets of each
COMPARED_NETWORKS = {
    "full": CONFIG.threshold_sets(),
    "pc2": [MULTI_SCALE],
    **{name: variant.sets for name, variant in BEYOND.variants.items()},
    **TRANSFERRED_NETWORKS,
}
COMPARED_BASELINES = dict.fromkeys(BASELINES, [BEYOND.baseline_set])
COMPARED_FORMULA = {"formula": [MULTI_SCALE]}
# those in the figures of all models
DRAWN_MODELS = {
    "full": [MULTI_SCALE],
    BEYOND.best: [MULTI_SCALE],
    f"full{WITH_TRANSFER}": [
        name
        for name in (MULTI_SCALE, CONFIG.figure_sets.single_scale)
        if name in BEYOND.transfer.get("full", [])
    ],
    **COMPARED_BASELINES,
}
# a figure of two losses needs networks trained otherwise
DRAWN_FIGURES = [
    name
    for name in BEYOND_FIGURES
    if name != "loss_comparison" or BEYOND.best in BEYOND.variants
]


def on_comparison_boxes(kind, models):
    """Paths of artefacts of models on the boxes of the comparison."""
    return [
        each
        for inputs, sets in models.items()
        for each in paths(
            kind, inputs=inputs, smoothing_set=sets, box=BEYOND.validation
        )
    ]


def of_best(kind, samples, inputs=BEST):
    """Paths of artefacts of the best networks of several scales on these boxes."""
    return paths(
        kind,
        inputs=inputs,
        smoothing_set=MULTI_SCALE,
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


def of_fit_boxes(kind):
    """Input function: artefacts of the boxes that baselines are fitted to, box after box."""
    return lambda wildcards: of_boxes(kind, BEYOND.fit_boxes, wildcards)
