# Which models the comparison beyond the paper has, and the paths of their artefacts.

from lagbias.config.checks import BASELINES, BEYOND_FIGURES
from lagbias.schema.labels import WITH_TRANSFER

BEYOND = CONFIG.beyond
MULTI_SCALE = CONFIG.figure_sets.multi_scale
# networks with transfer functions
TRANSFERRED_NETWORKS = {
    f"{name}{WITH_TRANSFER}": sets for name, sets in BEYOND.transfer.items()
}
FULL_TRANSFERRED = f"full{WITH_TRANSFER}"
# the variant that figures show, if there is one
SHOWN = next(iter(BEYOND.variants), "full")
# what models are named by in paths, and the sets of each
COMPARED_NETWORKS = {
    "full": CONFIG.threshold_sets(),
    "pc2": [MULTI_SCALE],
    **{name: variant.sets for name, variant in BEYOND.variants.items()},
    **TRANSFERRED_NETWORKS,
}
# networks for other tracers
OF_TRACERS = [
    name
    for name in ("full", FULL_TRANSFERRED)
    if MULTI_SCALE in COMPARED_NETWORKS.get(name, [])
]
COMPARED_BASELINES = dict.fromkeys(BASELINES, [BEYOND.baseline_set])
COMPARED_FORMULA = {"formula": [MULTI_SCALE]}
# those in the figures of all models
DRAWN_MODELS = {
    "full": [MULTI_SCALE],
    SHOWN: [MULTI_SCALE],
    FULL_TRANSFERRED: [
        name
        for name in (MULTI_SCALE, CONFIG.figure_sets.single_scale)
        if name in COMPARED_NETWORKS.get(FULL_TRANSFERRED, [])
    ],
    **COMPARED_BASELINES,
}
# a figure of two losses needs networks trained otherwise
DRAWN_FIGURES = [
    name for name in BEYOND_FIGURES if name != "loss_comparison" or BEYOND.variants
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


def of_tracers(kind):
    """Paths of artefacts of networks for other tracers on these boxes."""
    return paths(
        kind,
        inputs=OF_TRACERS,
        smoothing_set=MULTI_SCALE,
        sample=BEYOND.samples,
        box=BEYOND.validation,
    )


def multipoles():
    """Paths of multipoles in redshift space on these boxes."""
    return on_comparison_boxes("multipoles", {SHOWN: [MULTI_SCALE]})


def comparisons():
    """Comparisons of all models with the halos, and with other tracers."""
    models = COMPARED_NETWORKS | COMPARED_BASELINES | COMPARED_FORMULA
    return [
        *on_comparison_boxes("comparisons", models),
        *of_tracers("comparisons"),
    ]


def spectra_of_comparison():
    """Spectra of the networks, which have those of each one and not only of their average f."""
    return [
        *on_comparison_boxes("spectra", COMPARED_NETWORKS),
        *of_tracers("spectra"),
    ]


def of_fit_boxes(kind):
    """Input function: artefacts of the boxes that baselines are fitted to, box after box."""
    return lambda wildcards: of_boxes(kind, BEYOND.fit_boxes, wildcards)
