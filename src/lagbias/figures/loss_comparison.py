"""Model power of every smoothing set: networks as in the paper, and those of another loss."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lagbias.bias.comparison_summary import group_by_model, model_name
from lagbias.bias.spectra import Spectra
from lagbias.figures.common import (
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
from lagbias.figures.models import NETWORKS, OTHERS, mean_of_boxes

__all__ = ["draw", "draw_pairs", "load"]

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
    sets = group_by_model(original).values()
    return draw_pairs(
        list(zip(sets, group_by_model(best).values(), strict=True)),
        titles=[set_label(boxes[0].smoothing_set, smoothing_sets) for boxes in sets],
        labels=[model_name(some[0].inputs) for some in (original, best)],
        looks=(NETWORKS, OTHERS),
        k_max=k_max,
    )


def draw_pairs(
    pairs: Sequence[tuple[Sequence[Spectra], Sequence[Spectra]]],
    *,
    titles: Sequence[str],
    labels: Sequence[str],
    looks: Sequence[LineStyle],
    k_max: float,
) -> Figure:
    """Draw P_model / P_h of two ensembles in each panel, averaged over the boxes of each."""
    columns = min(len(pairs), MAX_COLUMNS)
    rows = -(-len(pairs) // columns)
    with style():
        figure, panels = panel_grid(
            len(pairs),
            columns,
            width=WIDTH,
            height=LEGEND_HEIGHT + PANEL_HEIGHT * rows,
            labels=(K_LABEL, RATIO_LABEL),
        )
        curves = [
            [ratio_curve(mean_of_boxes(boxes), k_max=k_max) for boxes in pair] for pair in pairs
        ]
        everything = [curve for pair in curves for curve in pair]
        for axes, title, pair in zip(panels, titles, curves, strict=True):
            plot_curves(axes, pair, looks, labels)
            finish_axes(axes, everything, reference=1.0)
            axes.set_title(title)
        legend_above(figure, panels[0], 2)
    return figure
