"""Model power after retraining with two inputs (Wu, Muñoz & Eisenstein 2023, Fig. 6)."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lagbias.bias.spectra import Spectra
from lagbias.figures.common import (
    BLACK,
    VERMILION,
    Inputs,
    LineStyle,
    legend_above,
    load_all,
    panel_grid,
    set_label,
    style,
)
from lagbias.figures.curves import (
    K_LABEL,
    RATIO_LABEL,
    check_same_order,
    finish_axes,
    plot_curves,
    ratio_curve,
)

__all__ = ["LABELS", "LOOKS", "draw", "load"]

#: Style and name of the ensembles of all inputs, and of two components of ∇f.
LOOKS = (LineStyle(BLACK), LineStyle(VERMILION))
LABELS = ("all inputs", r"first two components of $\nabla f$")

WIDTH = 7.1  # inches: the full text width
NARROW = 3.6  # inches: one panel
MAX_COLUMNS = 3


def load(inputs: Inputs, *, smoothing_sets: Mapping[str, Sequence[float]]) -> dict:
    """Read the spectra ``original`` and ``retrained``; the radii [Mpc/h] label the sets."""
    spectra = {name: load_all(inputs[name], Spectra) for name in ("original", "retrained")}
    return spectra | {"smoothing_sets": smoothing_sets}


def draw(
    original: Sequence[Spectra],
    retrained: Sequence[Spectra],
    *,
    smoothing_sets: Mapping[str, Sequence[float]] | None = None,
    k_max: float = 1.0,
) -> Figure:
    """Draw P_model / P_h of all inputs and of two components, a panel for each smoothing set."""
    check_same_order(
        original,
        retrained,
        keys=("smoothing_set", "train_box", "target_box"),
        requirement="power_ratio_retrained needs at least one smoothing set, and the same sets and "
        "boxes before and after retraining",
    )
    count = len(original)
    columns = 2 if count == 4 else min(count, MAX_COLUMNS)
    with style():
        figure, panels = panel_grid(
            count,
            columns,
            width=NARROW if count == 1 else WIDTH,
            height=0.5 + -(-count // columns) * (3.0 if columns < MAX_COLUMNS else 2.6),
            labels=(K_LABEL, RATIO_LABEL),
        )
        pairs = [
            [ratio_curve(entry, k_max=k_max) for entry in pair]
            for pair in zip(original, retrained, strict=True)
        ]
        everything = [curve for pair in pairs for curve in pair]
        for axes, entry, pair in zip(panels, original, pairs, strict=True):
            plot_curves(axes, pair, LOOKS, LABELS)
            finish_axes(axes, everything, reference=1.0)
            axes.set_title(set_label(entry.smoothing_set, smoothing_sets))
        legend_above(figure, panels[0], 2)
    return figure
