"""Reduced bispectrum of the halos, and bispectra of models over theirs."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lagbias.bias.comparison import Comparison
from lagbias.figures.common import BAND_OPACITY as HALO_OPACITY
from lagbias.figures.common import GREY, Inputs, legend_above, load_all, new_figure, style
from lagbias.figures.curves import RatioCurve, finish_axes
from lagbias.figures.models import BAND_OPACITY, by_model, limit_range, model_labels, model_looks
from lagbias.grids.bispectrum import equilateral, reduced_bispectrum, squeezed

__all__ = ["draw", "load"]

WIDTH, HEIGHT = 7.1, 5.2  # inches: the full text width
LEGEND_COLUMNS = 2
HEIGHTS = (1.0, 1.4)  # of Q and ratios
RATIO_RANGE = (0.5, 1.5)
#: Title, k of the horizontal axis and choice of the triangles of each column.
_COLUMNS: Sequence[tuple[str, str, Callable[[np.ndarray], np.ndarray]]] = (
    ("Equilateral triangles", r"$k\ \, [h\,\mathrm{Mpc}^{-1}]$", equilateral),
    ("Squeezed triangles", r"$k_1 = k_2\ \, [h\,\mathrm{Mpc}^{-1}]$", squeezed),
)


def load(inputs: Inputs, *, smoothing_sets: Mapping[str, Sequence[float]]) -> dict:
    """Read ``comparisons`` of all models; the radii of the sets are in Mpc/h."""
    return {
        "comparisons": load_all(inputs["comparisons"], Comparison),
        "smoothing_sets": smoothing_sets,
    }


def draw(
    comparisons: Sequence[Comparison], *, smoothing_sets: Mapping[str, Sequence[float]]
) -> Figure:
    """Draw Q of the halos above and B_model / B_h below, averaged over boxes, with their range.

    Boxes too small for squeezed triangles have equilateral ones only.
    """
    models = by_model(comparisons)
    looks, labels = model_looks(models, smoothing_sets), model_labels(models)
    triangles = models[0][0].triangles
    columns = [column for column in _COLUMNS if column[2](triangles).any()]
    with style():
        figure = new_figure(WIDTH, HEIGHT)
        panels = figure.subplots(
            2, len(columns), sharex="col", sharey="row", squeeze=False, height_ratios=HEIGHTS
        )
        ratios, reduced = [], []
        for (top, bottom), (title, k_label, choose) in zip(panels.T, columns, strict=True):
            chosen = choose(triangles)
            reduced.append(_halo_curve(models[0], chosen))
            _plot(top, reduced[-1], {"color": GREY, "marker": "o"}, HALO_OPACITY)
            for boxes, look, label in zip(models, looks, labels, strict=True):
                ratios.append(_ratio_curve(boxes, chosen))
                line = {"color": look.colour, "linestyle": look.dashes, "label": label}
                _plot(bottom, ratios[-1], line, BAND_OPACITY)
            top.set_title(title)
            bottom.set_xlabel(k_label)
        _finish(panels, reduced, ratios)
        legend_above(figure, panels[1, 0], LEGEND_COLUMNS)
    return figure


def _plot(axes: Axes, curve: RatioCurve, line: Mapping, opacity: float) -> None:
    axes.fill_between(curve.k, curve.low, curve.high, color=line["color"], alpha=opacity, lw=0)
    axes.plot(curve.k, curve.line, markersize=3, **line)


def _finish(panels: np.ndarray, reduced: list[RatioCurve], ratios: list[RatioCurve]) -> None:
    """Set limits, vertical ones for both columns, and labels."""
    for (top, bottom), curve in zip(panels.T, reduced, strict=True):
        finish_axes(top, reduced)
        finish_axes(bottom, ratios, reference=1.0)
        limit_range(bottom, *RATIO_RANGE)
        bottom.set_xlim(curve.k.min() / 1.1, curve.k.max() * 1.1)
    panels[0, 0].set_ylabel(r"$Q_{\rm h}$")
    panels[1, 0].set_ylabel(r"$B_{\rm model}\,/\,B_{\rm h}$")


def _halo_curve(boxes: Sequence[Comparison], chosen: np.ndarray) -> RatioCurve:
    """Return Q of the halos, of bispectra and powers averaged over boxes."""
    triangles = boxes[0].triangles
    means = [
        np.mean([getattr(one, name) for one in boxes], axis=0)
        for name in ("halo_bispectrum", "halo_shell_power")
    ]
    each = [one.halo_reduced_bispectrum[chosen] for one in boxes]
    return _curve(boxes[0], chosen, reduced_bispectrum(*means, triangles)[chosen], each)


def _ratio_curve(boxes: Sequence[Comparison], chosen: np.ndarray) -> RatioCurve:
    """Return B_model / B_h of bispectra averaged over boxes."""
    model = np.array([one.model_bispectrum[chosen] for one in boxes])
    halo = np.array([one.halo_bispectrum[chosen] for one in boxes])
    return _curve(boxes[0], chosen, model.mean(axis=0) / halo.mean(axis=0), model / halo)


def _curve(one: Comparison, chosen: np.ndarray, line: np.ndarray, each) -> RatioCurve:
    k = one.shell_k[one.triangles[chosen, 0]]
    return RatioCurve(k, line, np.min(each, axis=0), np.max(each, axis=0))
