"""Probability density of the smoothed halo field, and that of models over it."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lagbias.bias.comparison import Comparison
from lagbias.figures.common import GREY, Inputs, legend_above, load_all, new_figure, style
from lagbias.figures.models import by_model, limit_range, model_labels, model_looks

__all__ = ["MIN_SHARE", "draw", "load"]

WIDTH, HEIGHT = 7.1, 5.8  # inches: the full text width
LEGEND_COLUMNS = 2
HEIGHTS = (1.4, 1.0)  # of densities and ratios
#: Fewest points of a bin as a share of all; narrower ones are merged. A box of 250 Mpc/h has about
#: 2800 independent volumes (2 √π R)³ for R = 5 Mpc/h, and 350 for 10 Mpc/h.
MIN_SHARE = 1e-3
RATIO_RANGE = (0.4, 1.6)


def load(inputs: Inputs, *, smoothing_sets: Mapping[str, Sequence[float]]) -> dict:
    """Read ``comparisons`` of all models; the radii of the sets are in Mpc/h."""
    return {
        "comparisons": load_all(inputs["comparisons"], Comparison),
        "smoothing_sets": smoothing_sets,
    }


def draw(
    comparisons: Sequence[Comparison], *, smoothing_sets: Mapping[str, Sequence[float]]
) -> Figure:
    """Draw densities averaged over boxes, a column for each radius, and their ratios below."""
    models = by_model(comparisons)
    looks, labels = model_looks(models, smoothing_sets), model_labels(models)
    radii = models[0][0].radii
    with style():
        figure = new_figure(WIDTH, HEIGHT)
        panels = figure.subplots(
            2, len(radii), sharex="col", sharey="row", squeeze=False, height_ratios=HEIGHTS
        )
        for column, radius in enumerate(radii):
            top, bottom = panels[:, column]
            halos = _shares(models[0], "halo_density", column)
            edges = _merge(halos)
            delta = models[0][0].delta_edges[edges]
            centre, width = 0.5 * (delta[1:] + delta[:-1]), np.diff(delta)
            halos = _sum(halos, edges) / width
            top.plot(centre, halos, color=GREY, alpha=0.45, lw=4.5, label="halos")
            for boxes, look, label in zip(models, looks, labels, strict=True):
                line = {"color": look.colour, "linestyle": look.dashes, "label": label}
                density = _sum(_shares(boxes, "model_density", column), edges) / width
                top.plot(centre[density > 0], density[density > 0], **line)
                bottom.plot(centre, density / halos, **line)
            top.set_title(rf"$R = {radius:g}\,h^{{-1}}\,$Mpc")
            bottom.set_xlabel(r"$\delta$")
        _finish(panels)
        legend_above(figure, panels[0, 0], LEGEND_COLUMNS)
    return figure


def _shares(boxes: Sequence[Comparison], name: str, column: int) -> np.ndarray:
    """Return the share of the points in each bin, averaged over boxes."""
    density = np.mean([getattr(one, name)[column] for one in boxes], axis=0)
    return density * np.diff(boxes[0].delta_edges)


def _merge(shares: np.ndarray) -> np.ndarray:
    """Return the edges, as indices, of bins that hold enough points each, without empty tails."""
    edges = [int(np.argmax(shares > 0))]
    for index in range(edges[0], len(shares)):
        if shares[edges[-1] : index + 1].sum() >= MIN_SHARE:
            edges.append(index + 1)
    if len(edges) == 1:
        raise ValueError("one_point_comparison: the bins of δ hold no points of the halo field.")
    return np.array(edges)


def _sum(shares: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the sums of shares between edges."""
    return np.diff(np.append(0.0, np.cumsum(shares))[edges])


def _finish(panels: np.ndarray) -> None:
    """Set scales, limits and labels."""
    top, bottom = panels[:, 0]
    top.set_yscale("log")
    top.set_ylabel(r"probability density of $\delta$")
    bottom.set_ylabel("model / halos")
    lowest, highest = _range(panels[0])
    top.set_ylim(0.7 * lowest, 1.5 * highest)
    for axes in panels[1]:
        axes.axhline(1.0, color="black", linestyle=(0, (3, 2)), linewidth=0.8, zorder=1)
    low, high = _range(panels[1])
    margin = 0.06 * max(high - low, 1e-3)
    bottom.set_ylim(low - margin, high + margin)
    limit_range(bottom, *RATIO_RANGE)


def _range(panels: Sequence[Axes]) -> tuple[float, float]:
    """Return the smallest and largest value of the lines of some panels."""
    values = np.concatenate([line.get_ydata() for axes in panels for line in axes.lines])
    return float(values.min()), float(values.max())
