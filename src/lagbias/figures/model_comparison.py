"""Power, cross power and error of models beyond the paper."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from lagbias.bias.comparison import Comparison
from lagbias.figures.common import Inputs, legend_above, load_all, new_figure, style
from lagbias.figures.curves import K_LABEL, RATIO_LABEL, finish_axes
from lagbias.figures.models import (
    BAND_OPACITY,
    Powers,
    box_curve,
    by_model,
    limit_range,
    model_labels,
    model_looks,
)
from lagbias.grids.power import uncorrelated_power

__all__ = ["draw", "load"]

WIDTH, HEIGHT = 7.1, 6.6  # inches: the full text width
LEGEND_COLUMNS = 2
#: Vertical range of the ratios of powers at most.
RATIO_RANGE = (0.5, 1.5)

_Panel = tuple[str, Callable[[Powers], np.ndarray], float | None]
#: Label, function and reference line of each panel; those without one are logarithmic.
_PANELS: Sequence[_Panel] = (
    (RATIO_LABEL, lambda p: p.model / p.halo, 1.0),
    (r"$P_{\rm hm}\,/\,P_{\rm h}$", lambda p: p.cross / p.halo, 1.0),
    (
        r"$P_{\rm err}\,/\,$shot noise",
        lambda p: (p.model + p.halo - 2.0 * p.cross) / p.shot_noise,
        None,
    ),
    (
        r"$P_{\rm uncorr}\,/\,P_{\rm h}$",
        lambda p: uncorrelated_power(p.model, p.cross, p.halo) / p.halo,
        None,
    ),
)


def load(inputs: Inputs, *, smoothing_sets: Mapping[str, Sequence[float]]) -> dict:
    """Read ``comparisons`` of all models; the radii of the sets are in Mpc/h."""
    return {
        "comparisons": load_all(inputs["comparisons"], Comparison),
        "smoothing_sets": smoothing_sets,
    }


def draw(
    comparisons: Sequence[Comparison],
    *,
    smoothing_sets: Mapping[str, Sequence[float]],
    k_max: float = 1.0,
) -> Figure:
    """Draw four functions of k: lines of the spectra averaged over boxes, bands of the boxes."""
    models = by_model(comparisons)
    looks, labels = model_looks(models, smoothing_sets), model_labels(models)
    with style():
        figure = new_figure(WIDTH, HEIGHT)
        panels = figure.subplots(2, 2, sharex=True).ravel()
        for axes, (quantity, function, reference) in zip(panels, _PANELS, strict=True):
            axes.set_yscale("linear" if reference else "log")
            curves = [box_curve(boxes, function, k_max=k_max) for boxes in models]
            for curve, look, label in zip(curves, looks, labels, strict=True):
                band = {"color": look.colour, "alpha": BAND_OPACITY, "linewidth": 0}
                axes.fill_between(curve.k, curve.low, curve.high, **band)
                axes.plot(curve.k, curve.line, color=look.colour, ls=look.dashes, label=label)
            finish_axes(axes, curves, reference=reference)
            if reference:
                limit_range(axes, *RATIO_RANGE)
            else:
                axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.set_ylabel(quantity)
        for axes in panels[2:]:
            axes.set_xlabel(K_LABEL)
        legend_above(figure, panels[0], LEGEND_COLUMNS)
    return figure
