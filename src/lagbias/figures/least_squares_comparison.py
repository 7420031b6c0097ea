"""f and model power, least squares against networks (Wu, Muñoz & Eisenstein 2023, Fig. 2)."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.special import ndtr

from lagbias.figures.common import (
    BLACK,
    BLUE,
    DASHES,
    GREEN,
    K_LABEL,
    LEGEND_PADDING,
    LEGEND_ROW,
    ORANGE,
    SKY,
    VERMILION,
    LineStyle,
    finish_axes,
    new_figure,
    plot_curve,
    style,
)
from lagbias.figures.curves import Spectra, ratio_curve, rebin

__all__ = ["BinnedF", "draw"]

WIDTH, HEIGHT = 7.1, 3.4  # inches: the full text width
# Of the bins of ∇²δ, from cold to warm; other numbers of bins take colours between these.
SPECTRUM = (BLUE, SKY, GREEN, ORANGE, VERMILION)
F_BAND_OPACITY = 0.14
# The legend of f takes the upper left of its panel, this fraction of the width.
LEGEND_WIDTH = 0.5


@dataclass(frozen=True)
class BinnedF:
    """f in bins of δ, and in bins of ∇²δ within each of these.

    Attributes
    ----------
    delta_edges : ndarray, float64, shape (D + 1,)
        Edges in δ/σ, dimensionless; the outermost bins also hold what lies beyond.
    lap_delta_edges : ndarray, float64, shape (D, L + 1)
        Edges in ∇²δ/σ of each bin of δ, dimensionless.
    f : ndarray, shape (s, D, L)
        One table for each sub-sample or network, dimensionless.
    share : ndarray, shape (D, L)
        Fraction of all particles in each bin, dimensionless.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """

    delta_edges: np.ndarray
    lap_delta_edges: np.ndarray
    f: np.ndarray
    share: np.ndarray

    def __post_init__(self) -> None:
        bins = np.shape(self.share)
        shapes = {name: np.shape(getattr(self, name)) for name in self.__dataclass_fields__}
        fits = len(bins) == 2 and shapes["f"][1:] == bins and shapes["f"][0] > 0
        fits = fits and shapes["delta_edges"] == (bins[0] + 1,)
        if not fits or shapes["lap_delta_edges"] != (bins[0], bins[1] + 1):
            raise ValueError(
                f"BinnedF: the arrays have shapes {shapes}; with D bins of δ and L of ∇²δ they "
                "must be (D + 1,), (D, L + 1), (s, D, L) and (D, L)."
            )


def draw(
    least_squares: BinnedF,
    networks: BinnedF,
    spectra_least_squares: Spectra,
    spectra_networks: Spectra,
    *,
    min_share: float = 1e-4,
    k_max: float = 1.0,
) -> Figure:
    """Draw f against δ for each bin of ∇²δ, and the power of both model fields.

    Parameters
    ----------
    least_squares, networks : BinnedF
        f of the least squares, one table for each sub-sample, and mean f of each network's
        particles in the same bins.
    spectra_least_squares, spectra_networks : Spectra
        Of both, on one target box.
    min_share : float
        Bins with a smaller fraction of the particles are left out, dimensionless: their
        least-squares f is mostly noise.
    k_max : float
        Largest wavenumber shown [h/Mpc].

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If the two f are in different bins, none holds enough particles, or the spectra are of
        different boxes.
    """
    _check(least_squares, networks, spectra_least_squares, spectra_networks, min_share)
    with style():
        figure = new_figure(WIDTH, HEIGHT)
        figure.get_layout_engine().set(wspace=0.06)
        left, right = figure.subplots(1, 2)
        _f_panel(left, least_squares, networks, min_share)
        _power_panel(right, spectra_least_squares, spectra_networks, k_max)
    return figure


def _check(least_squares, networks, spectra_least_squares, spectra_networks, min_share) -> None:
    """Raise ValueError where the inputs cannot be compared."""
    for name in ("delta_edges", "lap_delta_edges"):
        if not np.array_equal(getattr(least_squares, name), getattr(networks, name)):
            raise ValueError(
                f"least_squares_comparison: the two f differ in `{name}`, so they are not in the "
                "same bins; bin the networks' f again."
            )
    if not (least_squares.share >= min_share).any():
        raise ValueError(
            f"least_squares_comparison: no bin holds {min_share:g} of the particles or more (the "
            f"largest has {least_squares.share.max():g}); use fewer bins or lower min_share."
        )
    boxes = [entry.attribute("target_box") for entry in (spectra_least_squares, spectra_networks)]
    if boxes[0] != boxes[1]:
        raise ValueError(
            f"least_squares_comparison: the spectra are of `{boxes[0]}` and `{boxes[1]}`; the "
            "right-hand panel compares both f on one box."
        )


def _f_panel(axes: Axes, least_squares: BinnedF, networks: BinnedF, min_share: float) -> None:
    """F against δ: colours are bins of ∇²δ, solid least squares with its band, dashed networks."""
    delta = _mean_delta(least_squares.delta_edges)
    populated = least_squares.share >= min_share
    colours = _ordered_colours(populated.shape[1])
    names = _percentile_names(least_squares.share)
    handles = [
        Line2D([], [], color=BLACK, label="least squares"),
        Line2D([], [], color=BLACK, linestyle=DASHES, label="networks"),
        Line2D([], [], linestyle="none", label=r"$\nabla^2\delta$ percentile:"),
    ]
    handles += [Line2D([], [], color=c, label=n) for c, n in zip(colours, names, strict=True)]
    average = [
        np.where(populated, entry.f.mean(axis=0), 0.0) for entry in (least_squares, networks)
    ]
    highest = np.max(average, axis=(0, 2))
    shown = populated.any(axis=1)
    top = _set_limits(axes, delta[shown], highest[shown], legend_rows=len(handles))
    for column, colour in enumerate(colours):
        rows = populated[:, column]
        x, f = delta[rows], least_squares.f[:, rows, column]
        if len(f) > 1:
            # cut, because one noisy bin would set the scale
            low, high = (np.minimum(edge, top) for edge in (f.min(axis=0), f.max(axis=0)))
            axes.fill_between(x, low, high, color=colour, alpha=F_BAND_OPACITY, linewidth=0)
        for entry, pattern in zip(average, ("solid", DASHES), strict=True):
            axes.plot(x, entry[rows, column], color=colour, linestyle=pattern)
    axes.legend(handles=handles, loc="upper left")
    axes.set_xlabel(r"$\delta\,/\,\sigma_\delta$")
    axes.set_ylabel(r"$f$")


def _power_panel(axes: Axes, least_squares: Spectra, networks: Spectra, k_max: float) -> None:
    """P_model / P_h of both, on one box."""
    curves = [ratio_curve(rebin(entry), k_max=k_max) for entry in (least_squares, networks)]
    looks = (LineStyle(BLUE), LineStyle(VERMILION, DASHES))
    for curve, look, label in zip(curves, looks, ("least squares", "networks"), strict=True):
        plot_curve(axes, curve, look, label=label)
    finish_axes(axes, curves, reference=1.0, legend_rows=1)
    axes.legend(loc="upper left", ncols=2)
    axes.set_xlabel(K_LABEL)
    axes.set_ylabel(r"$P_{\rm model}\,/\,P_{\rm h}$")


def _mean_delta(edges: np.ndarray) -> np.ndarray:
    """Mean of a unit normal variable in each bin, which δ/σ is; wide outer bins need it."""
    bounds = np.concatenate([[-np.inf], edges[1:-1], [np.inf]])
    density = np.exp(-0.5 * bounds**2) / np.sqrt(2 * np.pi)
    return -np.diff(density) / np.diff(ndtr(bounds))


def _ordered_colours(number: int) -> list[tuple]:
    """Colours whose hue follows the order of the bins."""
    return list(LinearSegmentedColormap.from_list("bins", SPECTRUM)(np.linspace(0, 1, number)))


def _percentile_names(share: np.ndarray) -> list[str]:
    """Range of percentiles of each bin of ∇²δ, from the particles in them."""
    edges = np.concatenate([[0.0], np.cumsum(share.sum(axis=0)) / share.sum()])
    bounds = [f"{100 * edge:.0f}" for edge in edges]
    return [f"{low}–{high}" for low, high in pairwise(bounds)]


def _set_limits(axes: Axes, delta: np.ndarray, f: np.ndarray, *, legend_rows: int) -> float:
    """Show all lines and zero, those below the legend clear of it; return the largest f shown.

    `f` is the largest of the lines at each `delta`.
    """
    margin = 0.04 * max(np.ptp(delta), 1.0)
    low, high = delta.min() - margin, delta.max() + margin
    axes.set_xlim(low, high)
    below_legend = delta < low + LEGEND_WIDTH * (high - low)
    legend = LEGEND_PADDING + LEGEND_ROW * legend_rows
    needed = np.max(f[below_legend], initial=0.0) / (1 - legend)
    top = 1.06 * max(f.max(), needed, 1e-3)
    axes.set_ylim(-0.03 * top, top)
    return top
