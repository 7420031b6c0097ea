"""Multipoles in redshift space of the halos and of networks, and their ratios."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lagbias.bias.comparison_summary import check_boxes, model_name
from lagbias.bias.multipoles import Multipoles
from lagbias.figures.common import (
    BLUE,
    DASHES,
    VERMILION,
    Inputs,
    legend_above,
    load_all,
    new_figure,
    style,
)
from lagbias.figures.curves import K_LABEL, RatioCurve, finish_axes
from lagbias.figures.models import limit_range

__all__ = ["draw", "load"]

WIDTH, HEIGHT = 4.6, 5.4  # inches
HEIGHTS = (1.2, 1.0)  # of multipoles and ratios
MARKER_SIZE = 3.5
#: P_2 of the model turns negative at high k; single boxes go beyond where that of halos is small.
RATIO_RANGE = (-1.5, 1.6)
#: Colour and marker of each order drawn. P_4 of the halos is noise in boxes of 250 Mpc/h.
_LOOKS = {0: (BLUE, "o"), 2: (VERMILION, "s")}


def load(inputs: Inputs) -> dict:
    """Read ``multipoles`` of one ensemble."""
    return {"multipoles": load_all(inputs["multipoles"], Multipoles)}


def draw(multipoles: Sequence[Multipoles], *, k_max: float = 0.4) -> Figure:
    """Draw k P_ℓ averaged over boxes, and below the ratios P_ℓ,model / P_ℓ,h with those of each.

    Bins up to `k_max` [h/Mpc] are drawn as they are.

    Raises
    ------
    ValueError
        If there are none, or they are of several models or in different bins.
    """
    check_boxes(multipoles, ["k"])
    with style():
        figure = new_figure(WIDTH, HEIGHT)
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=HEIGHTS)
        powers, ratios = [], []
        for ell in _LOOKS:
            k, halo, model = _powers(multipoles, ell, k_max)
            powers += _plot_powers(top, ell, k, halo, model, model_name(multipoles[0].inputs))
            ratios.append(_plot_ratios(bottom, ell, k, halo, model))
        finish_axes(top, powers, reference=0.0)
        finish_axes(bottom, ratios, reference=1.0)
        limit_range(bottom, *RATIO_RANGE)
        top.set_ylabel(r"$k\,P_\ell\ \, [h^{-2}\,\mathrm{Mpc}^2]$")
        bottom.set_ylabel(r"$P_{\ell,\rm model}\,/\,P_{\ell,\rm h}$")
        bottom.set_xlabel(K_LABEL)
        legend_above(figure, top, len(_LOOKS))
    return figure


def _powers(
    multipoles: Sequence[Multipoles], ell: int, k_max: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return k [h/Mpc], and P_ℓ of halos and model [(Mpc/h)³] as arrays of shape (boxes, k)."""
    k = multipoles[0].k
    halo, model = (
        np.stack([getattr(one, name)[list(one.ells).index(ell)] for one in multipoles])
        for name in ("halo_power", "model_power")
    )
    return k[k <= k_max], halo[:, k <= k_max], model[:, k <= k_max]


def _plot_powers(
    axes: Axes, ell: int, k: np.ndarray, halo: np.ndarray, model: np.ndarray, name: str
) -> list[RatioCurve]:
    """Draw k P_ℓ, halos as symbols, and return both means."""
    colour, marker = _LOOKS[ell]
    means = [k * power.mean(axis=0) for power in (halo, model)]
    (symbols,) = axes.plot(k, means[0], marker, color=colour, markersize=MARKER_SIZE)
    symbols.set_label(rf"$P_{ell}$, halos")
    axes.plot(k, means[1], color=colour, linestyle=DASHES, label=rf"$P_{ell}$, {name}")
    return [RatioCurve(k, mean, mean, mean) for mean in means]


def _plot_ratios(
    axes: Axes, ell: int, k: np.ndarray, halo: np.ndarray, model: np.ndarray
) -> RatioCurve:
    """Draw the ratio of the means, and thinly those of each box; return it with their range."""
    colour, marker = _LOOKS[ell]
    each, mean = model / halo, model.mean(axis=0) / halo.mean(axis=0)
    for ratio in each:
        axes.plot(k, ratio, color=colour, linewidth=0.6, alpha=0.6)
    axes.plot(k, mean, color=colour, marker=marker, markersize=MARKER_SIZE)
    return RatioCurve(k, mean, each.min(axis=0), each.max(axis=0))
