"""f and model power, least squares against networks (Wu, Muñoz & Eisenstein 2023, Fig. 2)."""

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.special import ndtr

from lagbias.bias.binned import BinnedF
from lagbias.bias.least_squares import LeastSquares
from lagbias.bias.spectra import Spectra
from lagbias.figures.common import (
    BLACK,
    BLUE,
    DASHES,
    GREEN,
    LEGEND_PADDING,
    LEGEND_ROW,
    ORANGE,
    SKY,
    VERMILION,
    Inputs,
    LineStyle,
    load_one,
    new_figure,
    style,
)
from lagbias.figures.curves import K_LABEL, RATIO_LABEL, finish_axes, plot_curves, ratio_curve

__all__ = ["draw", "load"]

WIDTH, HEIGHT = 7.1, 3.4  # inches: the full text width
# Colours of the bins of ∇²δ, from cold to warm; other numbers of bins interpolate.
SPECTRUM = (BLUE, SKY, GREEN, ORANGE, VERMILION)
F_BAND_OPACITY = 0.14
# Fraction of the panel's width that the legend of f takes, in the upper left.
LEGEND_WIDTH = 0.5


def load(inputs: Inputs) -> dict:
    """Read ``least_squares``, ``networks_binned`` and their spectra on one box."""
    return {
        "least_squares": load_one(inputs["least_squares"], LeastSquares),
        "networks": load_one(inputs["networks_binned"], BinnedF),
        "spectra_least_squares": load_one(inputs["spectra_least_squares"], Spectra),
        "spectra_networks": load_one(inputs["spectra_networks"], Spectra),
    }


def draw(
    least_squares: BinnedF,
    networks: BinnedF,
    spectra_least_squares: Spectra,
    spectra_networks: Spectra,
    *,
    min_share: float = 1e-4,
    k_max: float = 1.0,
) -> Figure:
    """Draw f against δ for each bin of ∇²δ, and the power of both model fields on one box.

    Bins with a share of all particles below `min_share`, whose least-squares f is mostly noise,
    are left out.
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
    """Raise ValueError unless the inputs can be compared."""
    for name in ("delta_edges", "lap_delta_edges"):
        if not np.array_equal(getattr(least_squares, name), getattr(networks, name)):
            raise ValueError(
                f"least_squares_comparison: least squares and networks have different `{name}`; "
                "bin the networks' f again."
            )
    if not (least_squares.share >= min_share).any():
        raise ValueError(
            f"least_squares_comparison: no bin holds {min_share:g} of the particles or more (the "
            f"largest has {least_squares.share.max():g}); use fewer bins or lower min_share."
        )
    boxes = [entry.target_box for entry in (spectra_least_squares, spectra_networks)]
    if boxes[0] != boxes[1]:
        raise ValueError(
            f"least_squares_comparison: the spectra are of `{boxes[0]}` and `{boxes[1]}`, but must "
            "be of one box."
        )


def _f_panel(axes: Axes, least_squares: BinnedF, networks: BinnedF, min_share: float) -> None:
    """Draw f against δ in the colours of the bins of ∇²δ: least squares solid, networks dashed."""
    delta = _mean_delta(least_squares.delta_edges)
    populated = least_squares.share >= min_share
    spectrum = LinearSegmentedColormap.from_list("bins", SPECTRUM)
    colours = list(spectrum(np.linspace(0, 1, populated.shape[1])))
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
            # clipped, because a single noisy bin would set the scale
            low, high = (np.minimum(edge, top) for edge in (f.min(axis=0), f.max(axis=0)))
            axes.fill_between(x, low, high, color=colour, alpha=F_BAND_OPACITY, linewidth=0)
        for entry, pattern in zip(average, ("solid", DASHES), strict=True):
            axes.plot(x, entry[rows, column], color=colour, linestyle=pattern)
    axes.legend(handles=handles, loc="upper left")
    axes.set_xlabel(r"$\delta\,/\,\sigma_\delta$")
    axes.set_ylabel(r"$f$")


def _power_panel(axes: Axes, least_squares: Spectra, networks: Spectra, k_max: float) -> None:
    """Draw P_model / P_h of both, on one box."""
    curves = [ratio_curve(entry, k_max=k_max) for entry in (least_squares, networks)]
    looks = (LineStyle(BLUE), LineStyle(VERMILION, DASHES))
    plot_curves(axes, curves, looks, ("least squares", "networks"))
    finish_axes(axes, curves, reference=1.0, legend_rows=1)
    axes.legend(loc="upper left", ncols=2)
    axes.set_xlabel(K_LABEL)
    axes.set_ylabel(RATIO_LABEL)


def _mean_delta(edges: np.ndarray) -> np.ndarray:
    """Return the mean δ/σ in each bin, for a normal distribution; it matters in wide outer bins."""
    bounds = np.concatenate([[-np.inf], edges[1:-1], [np.inf]])
    density = np.exp(-0.5 * bounds**2) / np.sqrt(2 * np.pi)
    return -np.diff(density) / np.diff(ndtr(bounds))


def _percentile_names(share: np.ndarray) -> list[str]:
    """Return the range of percentiles of each bin of ∇²δ, from its share of the particles."""
    edges = np.concatenate([[0.0], np.cumsum(share.sum(axis=0)) / share.sum()])
    bounds = [f"{100 * edge:.0f}" for edge in edges]
    return [f"{low}–{high}" for low, high in pairwise(bounds)]


def _set_limits(axes: Axes, delta: np.ndarray, f: np.ndarray, *, legend_rows: int) -> float:
    """Set limits that hold zero and all lines, clear of the legend; return the largest f shown.

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
