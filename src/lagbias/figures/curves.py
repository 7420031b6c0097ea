"""Curves against wavenumber: ratios of spectra, and panels of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from lagbias.bias.spectra import Spectra, rebin
from lagbias.figures.common import BAND_OPACITY, LEGEND_PADDING, LEGEND_ROW, LineStyle
from lagbias.grids import power

__all__ = [
    "K_LABEL",
    "RATIO_LABEL",
    "RatioCurve",
    "check_same_order",
    "decorrelation_curve",
    "finish_axes",
    "plot_curve",
    "plot_curves",
    "ratio_curve",
    "residual_curve",
]

K_LABEL = r"$k\ \, [h\,\mathrm{Mpc}^{-1}]$"
RATIO_LABEL = r"$P_{\rm model}\,/\,P_{\rm h}$"


@dataclass(frozen=True)
class RatioCurve:
    """Values of the average f (line) and their range among the networks, for every k [h/Mpc]."""

    k: np.ndarray
    line: np.ndarray
    low: np.ndarray
    high: np.ndarray


def ratio_curve(spectra: Spectra, *, k_max: float = 1.0) -> RatioCurve:
    """P_model / P_h in merged bins (see `lagbias.bias.spectra.rebin`) up to `k_max` [h/Mpc]."""
    return _curve(spectra, lambda model, cross, halo: model / halo, k_max)


def residual_curve(spectra: Spectra, *, k_max: float = 1.0) -> RatioCurve:
    """P_uncorr / P_h (Wu, Muñoz & Eisenstein 2023, eq. 3.1), as `ratio_curve`."""
    return _curve(
        spectra,
        lambda model, cross, halo: power.uncorrelated_power(model, cross, halo) / halo,
        k_max,
    )


def decorrelation_curve(spectra: Spectra, *, k_max: float = 1.0) -> RatioCurve:
    """1 - r with r = P_hm / sqrt(P_model P_h), as `ratio_curve`."""
    return _curve(
        spectra,
        lambda model, cross, halo: 1.0 - power.correlation_coefficient(model, cross, halo),
        k_max,
    )


def _curve(spectra: Spectra, function: Callable, k_max: float) -> RatioCurve:
    """Apply `function(model, cross, halo)` to the average f and to every network."""
    spectra = rebin(spectra)
    shown = spectra.k <= k_max
    halo = spectra.halo_power[shown]
    line = function(spectra.average_model_power[shown], spectra.average_cross_power[shown], halo)
    networks = function(spectra.model_power[:, shown], spectra.cross_power[:, shown], halo)
    return RatioCurve(spectra.k[shown], line, networks.min(axis=0), networks.max(axis=0))


def check_same_order(
    first: Sequence[Any], second: Sequence[Any], *, keys: Sequence[str], requirement: str
) -> None:
    """Raise ValueError unless two sequences hold ensembles with the same labels, and at least one.

    `keys` name the labels; `requirement` begins the message.
    """
    found = [
        [tuple(getattr(entry, key) for key in keys) for entry in entries]
        for entries in (first, second)
    ]
    if not found[0] or found[0] != found[1]:
        raise ValueError(f"{requirement}; got {found[0]} and {found[1]} as {tuple(keys)}.")


def plot_curve(axes: Axes, curve: RatioCurve, look: LineStyle, *, label: str | None = None) -> None:
    """Draw a curve and, if there are several networks, its band."""
    if np.any(curve.high > curve.low):
        axes.fill_between(
            curve.k, curve.low, curve.high, color=look.colour, alpha=BAND_OPACITY, linewidth=0
        )
    axes.plot(curve.k, curve.line, color=look.colour, linestyle=look.dashes, label=label)


def plot_curves(
    axes: Axes,
    curves: Sequence[RatioCurve],
    looks: Sequence[LineStyle],
    labels: Sequence[str],
) -> None:
    """Draw several curves, see `plot_curve`."""
    for curve, look, label in zip(curves, looks, labels, strict=True):
        plot_curve(axes, curve, look, label=label)


def finish_axes(
    axes: Axes,
    curves: Sequence[RatioCurve],
    *,
    reference: float | None = None,
    legend_rows: int = 0,
) -> None:
    """Set limits that hold all curves, with room for a legend at the top, and format the axes.

    The vertical scale must be set before. `reference` is the value of a dashed horizontal line.
    """
    logarithmic = axes.get_yscale() == "log"
    values = np.concatenate([v for c in curves for v in (c.line, c.low, c.high)])
    values = values[np.isfinite(values) & ((values > 0) | (not logarithmic))]
    if values.size == 0:
        raise ValueError(
            "Nothing to draw: the spectra have no finite value in the figure's range of k. Use a "
            "larger box, or check the spectra."
        )
    if reference is not None:
        axes.axhline(reference, color="black", linestyle=(0, (3, 2)), linewidth=0.8, zorder=1)
        values = np.append(values, reference)
    if logarithmic:
        values = np.log10(values)
    low, high = values.min(), values.max()
    span = max(high - low, 1e-3)
    low, high = low - 0.06 * span, high + 0.06 * span
    if legend_rows:
        share = LEGEND_PADDING + LEGEND_ROW * legend_rows
        high += (high - low) * share / (1 - share)
    axes.set_ylim(*((10**low, 10**high) if logarithmic else (low, high)))
    if logarithmic:
        _label_decades(axes.yaxis, decades=high - low)
    _format_k_axis(axes, np.concatenate([curve.k for curve in curves]))


def _format_k_axis(axes: Axes, k: np.ndarray) -> None:
    """Make a logarithmic axis from the smallest k to the largest, or a round number near it."""
    axes.set_xscale("log")
    low, high = k.min(), k.max()
    margin = 1.03 if high > low else 1.5
    low, high = low / margin, high * margin
    rounded = [step * 10.0 ** np.floor(np.log10(high)) for step in (1, 2, 5, 10)]
    high = next((value for value in rounded if high <= value < 1.25 * high), high)
    axes.set_xlim(low, high)
    _label_decades(axes.xaxis, decades=min(np.log10(high / low), 1.0))


def _label_decades(axis: Axis, *, decades: float) -> None:
    """Label a logarithmic axis with plain numbers, more densely if it spans few decades."""
    steps = (1.0,) if decades > 1.3 else (1.0, 2.0, 5.0) if decades > 0.5 else np.arange(1.0, 10.0)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_minor_locator(LogLocator(subs=np.arange(2.0, 10.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
