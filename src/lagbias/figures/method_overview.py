"""How the method works, on a thin slab of a box (Wu, Muñoz & Eisenstein 2023, Fig. 1)."""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MultipleLocator

from lagbias.figures.common import Inputs, load_one, new_figure, style
from lagbias.figures.slab import MAP_SMOOTHING, Slab

__all__ = ["circle_areas", "draw", "load"]

WIDTH, HEIGHT = 7.1, 6.9  # inches: the full text width
KEY = (1.0, 5.0, 20.0)  # f of the circles in the key
# Diameter of the circle of f = 1, over the distance of neighbouring particles in the layer.
_UNIT_DIAMETER = 0.5
_PANEL = 2.75  # side of a panel [inches], as the layout below makes it
# without the darkest ends, on which outlines of circles would not show
_DELTA_COLOURS = LinearSegmentedColormap.from_list(
    "delta", colormaps["RdBu_r"](np.linspace(0.1, 0.9, 256))
)
_MAP_COLOURS = "magma"
_DELTA_RANGE = (-3.0, 3.0)  # rarer peaks saturate
_MAP_RANGE = (0.1, 200.0)  # of 1 + δ: voids are black, clusters saturate
_INK, _EDGE = "#1A1A1A", 0.3


def load(inputs: Inputs) -> dict:
    """Read ``slab``."""
    return {"slab": load_one(inputs["slab"], Slab)}


def circle_areas(f: np.ndarray, slab: Slab) -> np.ndarray:
    """Return sizes of circles with areas proportional to f [points²], for `Axes.scatter`."""
    spacing = 72.0 * _PANEL * slab.layer_thickness / slab.region_size
    return np.asarray(f) * (_UNIT_DIAMETER * spacing) ** 2


def draw(slab: Slab) -> Figure:
    """Draw the layer's particles at their initial and final places, and both halo fields."""
    if not len(slab.f):
        raise ValueError(
            "The slab's layer holds no particles. Cut a region that is larger than the distance of "
            "neighbouring particles."
        )
    with style():
        figure = new_figure(WIDTH, HEIGHT)
        figure.get_layout_engine().set(w_pad=0.04, h_pad=0.04, wspace=0.02, hspace=0.02)
        (initial, final), (model, halos) = figure.subplots(2, 2, sharex=True, sharey=True)
        colours = ScalarMappable(Normalize(*_DELTA_RANGE), _DELTA_COLOURS)
        _image(initial, slab, slab.initial_delta, colours)
        _circles(initial, slab, slab.origin, colours)
        # every particle is a dot, so that those of zero weight show
        final.scatter(*slab.position.T, s=0.6, color="#A8A8A8", linewidth=0)
        _circles(final, slab, slab.position, colours)
        maps = ScalarMappable(LogNorm(*_MAP_RANGE), _MAP_COLOURS)
        for axes, values in ((model, slab.model_map), (halos, slab.halo_map)):
            _image(axes, slab, np.maximum(values, _MAP_RANGE[0]), maps)
            axes.tick_params(which="both", color="white")  # to show on the dark map
            axes.set_xlabel(r"$x\ \, [h^{-1}\,\mathrm{Mpc}]$")
        titles = (
            "(a) Initial density and weights of particles",
            "(b) The same particles at their final places",
            "(c) Model halo field, from all weights",
            "(d) True halo field",
        )
        for axes, title in zip((initial, final, model, halos), titles, strict=True):
            axes.set_title(title, loc="left")
            axes.set_aspect("equal")
            axes.set_xlim(0.0, slab.region_size)
            axes.set_ylim(0.0, slab.region_size)
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_locator(MultipleLocator(20.0))
                axis.set_minor_locator(MultipleLocator(5.0))
        for axes in (initial, model):
            axes.set_ylabel(r"$y\ \, [h^{-1}\,\mathrm{Mpc}]$")
        _colour_bars(figure, (initial, final), (model, halos), colours, maps, slab)
        _key(figure, slab)
    return figure


def _circles(axes: Axes, slab: Slab, places: np.ndarray, colours: ScalarMappable) -> None:
    """Draw circles at `places` (p, 2), with area for f and colour for δ, the largest on top."""
    order = np.argsort(slab.f, kind="stable")
    areas = circle_areas(slab.f[order], slab)
    axes.scatter(
        *places[order].T,
        s=areas,
        c=colours.to_rgba(slab.delta[order]),
        edgecolor=_INK,
        linewidth=np.minimum(_EDGE, 0.25 * np.sqrt(areas)),  # small circles keep their colour
    )


def _image(axes: Axes, slab: Slab, values: np.ndarray, colours: ScalarMappable) -> None:
    """Draw values that fill the region, x to the right."""
    axes.imshow(
        values.T,
        origin="lower",
        extent=(0.0, slab.region_size, 0.0, slab.region_size),
        norm=colours.norm,
        cmap=colours.cmap,
        interpolation="bilinear",
    )


def _colour_bars(figure, top, bottom, colours, maps, slab) -> None:
    """Add the colour bars of δ beside the upper panels and of 1 + δ beside the lower ones."""
    label = rf"$\delta\,/\,\sigma$ at $R_f = {slab.rf:g}\,h^{{-1}}\,\mathrm{{Mpc}}$"
    figure.colorbar(colours, ax=top, label=label, extend="both", aspect=28, pad=0.015)
    bar = figure.colorbar(maps, ax=bottom, extend="both", aspect=28, pad=0.015)
    bar.set_label(
        rf"$1+\delta$ over ${slab.depth:g}\,h^{{-1}}\,\mathrm{{Mpc}}$, "
        rf"smoothed by ${MAP_SMOOTHING:g}\,h^{{-1}}\,\mathrm{{Mpc}}$"
    )
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _key(figure: Figure, slab: Slab) -> None:
    """Explain the circles above the panels."""
    look = {"markerfacecolor": "white", "markeredgecolor": _INK, "markeredgewidth": _EDGE}
    blank = Line2D([], [], linestyle="none", label=r"area of a circle $\,\propto\, f$:")
    circles = [
        Line2D([], [], linestyle="none", marker="o", markersize=size, label=rf"$f={f:g}$", **look)
        for f, size in zip(KEY, np.sqrt(circle_areas(np.array(KEY), slab)), strict=True)
    ]
    figure.legend(
        handles=[blank, *circles],
        loc="outside upper center",
        ncols=1 + len(KEY),
        handlelength=1.0,
        borderaxespad=0.0,
    )
