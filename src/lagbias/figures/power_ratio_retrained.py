"""Model power after retraining with two inputs (Wu, Muñoz & Eisenstein 2023, Fig. 6)."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lagbias.figures.common import (
    BLACK,
    K_LABEL,
    VERMILION,
    LineStyle,
    finish_axes,
    panel_grid,
    plot_curve,
    set_label,
    style,
)
from lagbias.figures.curves import Spectra, check_same_order, ratio_curve, rebin

__all__ = ["LABELS", "LOOKS", "draw"]

#: Look and name of the ensembles of all inputs, and of two components of ∇f.
LOOKS = (LineStyle(BLACK), LineStyle(VERMILION))
LABELS = ("all inputs", r"first two components of $\nabla f$")

WIDTH = 7.1  # inches: the full text width
NARROW = 3.6  # inches: one panel
MOST_COLUMNS = 3


def draw(
    original: Sequence[Spectra],
    retrained: Sequence[Spectra],
    *,
    smoothing_sets: Mapping[str, Sequence[float]] | None = None,
    k_max: float = 1.0,
) -> Figure:
    """Draw one panel for each smoothing set, on common scales.

    Parameters
    ----------
    original, retrained : sequence of Spectra
        One entry for each smoothing set, in the same order: networks of all inputs, and networks
        that see the first two components of ∇f only. All of one training and one target box.
    smoothing_sets : Mapping of str to sequence of float, optional
        Radii of the sets for the titles [Mpc/h].
    k_max : float
        Largest wavenumber shown [h/Mpc].

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If there are no sets, or the two lists are not of the same sets and boxes.
    """
    check_same_order(
        original,
        retrained,
        keys=("smoothing_set", "train_box", "target_box"),
        requirement="power_ratio_retrained needs at least one smoothing set, and the same sets and "
        "boxes before and after retraining",
    )
    with style():
        figure, panels = _panels(len(original))
        pairs = [
            [ratio_curve(rebin(entry), k_max=k_max) for entry in pair]
            for pair in zip(original, retrained, strict=True)
        ]
        everything = [curve for pair in pairs for curve in pair]
        for axes, entry, pair in zip(panels, original, pairs, strict=True):
            for curve, look, label in zip(pair, LOOKS, LABELS, strict=True):
                plot_curve(axes, curve, look, label=label)
            finish_axes(axes, everything, reference=1.0)
            axes.set_title(set_label(entry.attribute("smoothing_set"), smoothing_sets))
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    """Make a figure with `count` panels, two by two where there are four."""
    columns = 2 if count == 4 else min(count, MOST_COLUMNS)
    rows = -(-count // columns)
    return panel_grid(
        count,
        columns,
        width=NARROW if count == 1 else WIDTH,
        height=0.5 + rows * (3.0 if columns < MOST_COLUMNS else 2.6),
        labels=(K_LABEL, r"$P_{\rm model}\,/\,P_{\rm h}$"),
    )
