"""Model power of every smoothing set: networks as in the paper, and those of another loss."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lagbias.bias.comparison_summary import model_name
from lagbias.bias.spectra import Spectra
from lagbias.figures.common import Inputs, legend_above, load_all, panel_grid, set_label, style
from lagbias.figures.curves import (
    K_LABEL,
    RATIO_LABEL,
    RatioCurve,
    check_same_order,
    finish_axes,
    plot_curves,
    ratio_curve,
)
from lagbias.figures.models import NETWORKS, OTHERS, mean_of_boxes

__all__ = ["draw", "load"]

WIDTH, PANEL_HEIGHT, LEGEND_HEIGHT = 7.1, 2.5, 0.5  # inches: the full text width
MAX_COLUMNS = 3


def load(inputs: Inputs, *, smoothing_sets: Mapping[str, Sequence[float]]) -> dict:
    """Read the spectra ``original`` and ``best``; the radii [Mpc/h] label the sets."""
    spectra = {name: load_all(inputs[name], Spectra) for name in ("original", "best")}
    return spectra | {"smoothing_sets": smoothing_sets}


def draw(
    original: Sequence[Spectra],
    best: Sequence[Spectra],
    *,
    smoothing_sets: Mapping[str, Sequence[float]] | None = None,
    k_max: float = 1.0,
) -> Figure:
    """Draw P_model / P_h averaged over boxes, with the networks' range, a panel for each set."""
    check_same_order(
        original,
        best,
        keys=("smoothing_set", "train_box", "target_box"),
        requirement="loss_comparison needs at least one smoothing set, and the same sets and boxes "
        "of both kinds of networks",
    )
    names = list(dict.fromkeys(entry.smoothing_set for entry in original))
    columns = min(len(names), MAX_COLUMNS)
    rows = -(-len(names) // columns)
    labels = [model_name(some[0].inputs) for some in (original, best)]
    with style():
        figure, panels = panel_grid(
            len(names),
            columns,
            width=WIDTH,
            height=LEGEND_HEIGHT + PANEL_HEIGHT * rows,
            labels=(K_LABEL, RATIO_LABEL),
        )
        pairs = [[_curve_of_set(some, name, k_max) for some in (original, best)] for name in names]
        everything = [curve for pair in pairs for curve in pair]
        for axes, name, pair in zip(panels, names, pairs, strict=True):
            plot_curves(axes, pair, (NETWORKS, OTHERS), labels)
            finish_axes(axes, everything, reference=1.0)
            axes.set_title(set_label(name, smoothing_sets))
        legend_above(figure, panels[0], 2)
    return figure


def _curve_of_set(spectra: Sequence[Spectra], name: str, k_max: float) -> RatioCurve:
    of_set = [entry for entry in spectra if entry.smoothing_set == name]
    return ratio_curve(mean_of_boxes(of_set), k_max=k_max)
