"""f along the components of its gradient: the panels that two figures share."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.ticker import MaxNLocator, MultipleLocator

from lagbias.bias.components import GradientPCA
from lagbias.figures.common import BLACK

__all__ = [
    "add_component_bar",
    "add_f_bar",
    "component_label",
    "component_range",
    "draw_mean",
    "draw_plane",
    "draw_scatter",
    "f_scale",
    "sums_in_bins",
    "thinned",
]

#: Colour maps of f, dark at 0, and of components, dark in the middle.
F_COLOURS, COMPONENT_COLOURS = "viridis", "managua"
#: Components have unit variance; colours saturate beyond this many standard deviations.
COMPONENT_SPAN = 2.0
#: Exponent of the colour scale of f; it distinguishes 0 from 0.1 and resolves the largest values.
F_POWER = 0.4
# Possible ticks of a colour bar of f, and their minimum distance as a fraction of its length.
F_TICKS = tuple(digit * 10.0**power for power in range(-3, 5) for digit in (1, 2, 5))
MIN_GAP = 0.08
BAR_PAD = 0.02
# The axes end where fewer than this fraction of the particles lie beyond.
TAIL = 1e-4
# Bins per axis, with PER_BIN particles in each bin of a plane on average.
MIN_BINS, MAX_BINS, PER_BIN = 10, 60, 40
# Bins with fewer particles are left empty.
MIN_PARTICLES = 3
# Particles shown in each of SCATTER_BINS bins of PC0, so that the tails keep all of theirs.
SCATTER_BINS, SCATTER_PER_BIN = 80, 120


def component_label(component: int) -> str:
    """Return the name of a component, counted from 0 as in the paper."""
    return f"PC{component}"


def component_range(pca: GradientPCA, component: int) -> tuple[float, float]:
    """Return the limits of an axis, never equal; one particle in 10,000 lies beyond each."""
    low, high = np.quantile(pca.components[:, component], [TAIL, 1 - TAIL])
    margin = 0.5 if high == low else 0.0
    return float(low - margin), float(high + margin)


def f_scale(pca: GradientPCA) -> PowerNorm:
    """Return the colour scale of f, from 0 to the largest mean f in bins of PC0 and PC1."""
    largest = sums_in_bins(pca, [0, 1])[1].max()
    # masked if no bin holds enough particles
    largest = pca.f.max() if np.ma.is_masked(largest) else largest
    return PowerNorm(F_POWER, vmin=0.0, vmax=float(largest))


def sums_in_bins(
    pca: GradientPCA, components: list[int]
) -> tuple[list[np.ndarray], np.ma.MaskedArray]:
    """Average f in equally wide bins of one or more components.

    Returns the edges of each axis, and the mean f, masked in bins of fewer than three particles.
    """
    number = int(np.clip(np.sqrt(len(pca.f) / PER_BIN), MIN_BINS, MAX_BINS))
    where = pca.components[:, components]
    ranges = [component_range(pca, component) for component in components]
    counts, edges = np.histogramdd(where, number, ranges)
    sums, _ = np.histogramdd(where, number, ranges, weights=pca.f)
    few = counts < MIN_PARTICLES
    return edges, np.ma.array(sums / np.maximum(counts, 1), mask=few)


def thinned(pca: GradientPCA) -> np.ndarray:
    """Return the first 120 particles in each of 80 equally wide bins of PC0, ascending indices."""
    low, high = component_range(pca, 0)
    pc0 = pca.components[:, 0]
    shown = np.flatnonzero((pc0 >= low) & (pc0 <= high))
    bins = np.floor((pc0[shown] - low) / (high - low) * SCATTER_BINS).astype(np.int64)
    order = np.argsort(bins, kind="stable")
    _, first, counts = np.unique(bins[order], return_index=True, return_counts=True)
    rank = np.arange(order.size) - np.repeat(first, counts)
    return np.sort(shown[order[rank < SCATTER_PER_BIN]])


def draw_plane(axes: Axes, pca: GradientPCA, component: int, scale: Normalize) -> QuadMesh:
    """Draw the mean f in bins of PC0 and, on the vertical axis, another component."""
    (x, y), mean = sums_in_bins(pca, [0, component])
    mesh = axes.pcolormesh(x, y, mean.T, norm=scale, cmap=F_COLOURS, rasterized=True)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])
    _unit_ticks(axes.xaxis)
    _unit_ticks(axes.yaxis)
    axes.set_ylabel(component_label(component), labelpad=1)
    return mesh


def draw_scatter(axes: Axes, pca: GradientPCA, component: int) -> PathCollection:
    """Draw f of single particles against PC0, coloured by another component.

    The particles of `pca` must be in random order, because only the first of each bin are shown.
    """
    shown = thinned(pca)
    points = axes.scatter(
        pca.components[shown, 0],
        pca.f[shown],
        c=pca.components[shown, component],
        s=2.5,
        linewidths=0,
        cmap=COMPONENT_COLOURS,
        norm=Normalize(-COMPONENT_SPAN, COMPONENT_SPAN),
        rasterized=True,
    )
    axes.set_xlim(*component_range(pca, 0))
    top = float(pca.f[shown].max())
    axes.set_ylim(-0.03 * top, 1.04 * top)
    _unit_ticks(axes.xaxis)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.set_xlabel(component_label(0))
    return points


def draw_mean(axes: Axes, pca: GradientPCA) -> None:
    """Draw the mean f in bins of PC0 as a line."""
    (edges,), mean = sums_in_bins(pca, [0])
    axes.plot(0.5 * (edges[1:] + edges[:-1]), mean, color=BLACK, linewidth=1.2)


def add_f_bar(
    mesh: QuadMesh, panels: Axes | Sequence[Axes], *, location: str, aspect: float
) -> None:
    """Add a colour bar of f for planes that share it, labelled with plain numbers."""
    bar = mesh.figure.colorbar(
        mesh, ax=panels, location=location, aspect=aspect, pad=BAR_PAD, label="mean $f$"
    )
    ticks = [np.inf]
    for tick in sorted(F_TICKS, reverse=True):
        if MIN_GAP <= mesh.norm(tick) <= min(1.0, mesh.norm(ticks[-1]) - MIN_GAP):
            ticks.append(tick)
    ticks = [0.0, *ticks[1:]]
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    bar.minorticks_off()


def add_component_bar(points: PathCollection, component: int, *, location: str) -> None:
    """Add a colour bar of a component at the "bottom" or "right" of a panel of `draw_scatter`."""
    points.figure.colorbar(
        points,
        ax=points.axes,
        location=location,
        aspect=22,
        pad=BAR_PAD,
        label=component_label(component),
        extend="both",
    )


def _unit_ticks(axis: Axis) -> None:
    """Set major ticks at every second standard deviation, minor ones at every half."""
    axis.set_major_locator(MultipleLocator(2.0))
    axis.set_minor_locator(MultipleLocator(0.5))
