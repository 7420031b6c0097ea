"""What PC0 is made of, scale by scale (Wu, Muñoz & Eisenstein 2023, Fig. 7)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from lagbias.bias.components import GradientPCA
from lagbias.figures.common import (
    BLUE,
    GREEN,
    ORANGE,
    Inputs,
    legend_above,
    load_all,
    new_figure,
    set_label,
    style,
)

__all__ = ["draw", "load"]

WIDTH, ROW_HEIGHT, LEGEND_HEIGHT = 7.1, 2.5, 0.3  # inches: the full text width
MAX_COLUMNS = 3
# Label, colour, marker and its size for each feature, in the order of the columns of M; crosses
# are larger, so that they show on top of dots.
FEATURES = (
    (r"$\delta$", BLUE, "o", 4.5),
    (r"$\nabla^2\delta$", ORANGE, "^", 5.0),
    (r"$\mathcal{G}_2$", GREEN, "x", 6.5),
)


def load(inputs: Inputs) -> dict:
    """Read ``components`` of every smoothing set."""
    return {"pcas": load_all(inputs["components"], GradientPCA)}


def draw(pcas: Sequence[GradientPCA]) -> Figure:
    """Draw the first row of M (eq. 4.1) against R_f for δ, ∇²δ and G2, a panel for each set."""
    if not pcas:
        raise ValueError(
            "component_coefficients needs the components of at least one smoothing set; name "
            "some in `figure_sets.components`."
        )
    columns = min(len(pcas), MAX_COLUMNS)
    rows = -(-len(pcas) // columns)
    with style():
        figure = new_figure(WIDTH, ROW_HEIGHT * rows + LEGEND_HEIGHT)
        panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for axes, pca in zip(panels.flat, pcas, strict=False):
            _plot_coefficients(axes, pca)
            axes.set_title(set_label(pca.smoothing_set))
        for axes in panels.flat[len(pcas) :]:
            axes.remove()
        _set_limits(panels.flat[: len(pcas)], pcas)
        for axes in panels[:, 0]:
            axes.set_ylabel("coefficient in PC0")
        legend_above(figure, panels[0, 0], len(FEATURES))
    return figure


def _plot_coefficients(axes: Axes, pca: GradientPCA) -> None:
    """Draw markers joined by thin lines, with ticks at the radii."""
    order = np.argsort(pca.smoothing_radii)
    radii, coefficients = pca.smoothing_radii[order], pca.first[order]
    for (label, colour, marker, size), values in zip(FEATURES, coefficients.T, strict=True):
        look = {"color": colour, "marker": marker, "markersize": size, "label": label}
        axes.plot(radii, values, linewidth=0.7, markeredgewidth=1.4, **look)
    axes.axhline(0.0, color="black", linestyle=(0, (3, 2)), linewidth=0.8, zorder=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(radii))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda radius, _: f"{radius:g}"))
    axes.set_xlabel(r"$R_f\ \,[h^{-1}\,\mathrm{Mpc}]$")


def _set_limits(panels: Sequence[Axes], pcas: Sequence[GradientPCA]) -> None:
    """Show all sets over the same radii, with room for the markers."""
    radii = np.concatenate([pca.smoothing_radii for pca in pcas])
    values = np.concatenate([pca.matrix[0] for pca in pcas])
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    margin = 0.08 * max(high - low, 1e-3)
    panels[0].set_ylim(low - margin, high + margin)
    for axes in panels:
        axes.set_xlim(radii.min() / 1.25, radii.max() * 1.25)
