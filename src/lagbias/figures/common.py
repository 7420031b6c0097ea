"""What all figures share: reading artefacts, colours, labels and saving.

Figures are built from `matplotlib.figure.Figure` objects inside a style context, so importing or
calling this package changes no global state of matplotlib.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure

from lagbias.artefacts import figure_files, store
from lagbias.runtime.atomic import replacing

__all__ = [
    "DATA_FILES",
    "Inputs",
    "LineStyle",
    "legend_above",
    "load_all",
    "load_array",
    "load_one",
    "new_figure",
    "panel_grid",
    "sample_label",
    "save",
    "set_label",
    "set_style",
    "style",
]

#: Files beside this module that it reads; they count for the code hash.
DATA_FILES = ("style.mplstyle",)

Paths = str | os.PathLike | Sequence[str | os.PathLike]
#: One or several paths of artefacts for each name.
Inputs = Mapping[str, Paths]

_Kind = TypeVar("_Kind")

# Okabe & Ito's colours, which remain distinct under the common colour-vision deficiencies.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#7F7F7F"
SEQUENCE = (BLUE, VERMILION, GREEN, PURPLE, BLACK, ORANGE, SKY, GREY)
DASHES, DASH_DOT = (0, (4.0, 1.6)), (0, (5.0, 1.4, 1.2, 1.4))

BAND_OPACITY = 0.22
# Height of a legend, as a fraction of a panel at least 2.4 inches high: padding and each row.
LEGEND_PADDING, LEGEND_ROW = 0.04, 0.068


@dataclass(frozen=True)
class LineStyle:
    """Colour and dash pattern of a line."""

    colour: str
    dashes: str | tuple = "solid"


# One style for each smoothing set of the paper's table 1, the same in every figure; the colours
# follow the paper's Fig. 4 (black, blue, red; magenta, green) as closely as Okabe & Ito allow.
SET_STYLES: Mapping[str, LineStyle] = {
    "1Rf": LineStyle(ORANGE, DASHES),
    "3Rf": LineStyle(BLACK),
    "3Rf_coarse": LineStyle(BLUE),
    "3Rf+11.3": LineStyle(VERMILION),
    "3Rf_fine": LineStyle(PURPLE, DASH_DOT),
    "5Rf_fine": LineStyle(GREEN, DASH_DOT),
    "thin": LineStyle(SKY, DASHES),
}


def load_all(paths: Paths, kind: type[_Kind]) -> list[_Kind]:
    """Read artefacts of one kind, in the order of `paths`."""
    return [store.read(path, kind) for path in _as_list(paths)]


def load_one(paths: Paths, kind: type[_Kind]) -> _Kind:
    """Read a single artefact, whose path may be the only one of a sequence (see `load_all`)."""
    (path,) = _as_list(paths)
    return store.read(path, kind)


def load_array(paths: Paths, kind: type, name: str) -> np.ndarray:
    """Read one array of a single artefact (see `load_one`)."""
    (path,) = _as_list(paths)
    return store.read_array(path, kind, name)


def _as_list(paths: Paths) -> Sequence[str | os.PathLike]:
    """Return paths as a sequence."""
    return [paths] if isinstance(paths, str | os.PathLike) else paths


@contextmanager
def style() -> Iterator[None]:
    """Apply the package's style sheet inside a ``with`` block."""
    sheet = resources.files(__package__) / DATA_FILES[0]
    with resources.as_file(sheet) as path, matplotlib.rc_context(fname=path):
        yield


class _StyledFigure(Figure):
    """A figure that is drawn in the style wherever it is shown: fonts are chosen that late."""

    def draw(self, renderer: RendererBase) -> None:
        with style():
            super().draw(renderer)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of `width` x `height` inches; call inside `style`."""
    return _StyledFigure(figsize=(width, height), layout="constrained")


def panel_grid(
    count: int, columns: int, *, width: float, height: float, labels: tuple[str, str]
) -> tuple[Figure, list[Axes]]:
    """Make `count` equal panels on common scales, row by row; call inside `style`.

    `labels` are those of the horizontal and the vertical axes, on the outer panels; the last row
    may be incomplete. The size is in inches.
    """
    rows = -(-count // columns)
    figure = new_figure(width, height)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    panels = list(grid.ravel()[:count])
    for axes in grid.ravel()[count:]:
        axes.remove()
    for axes in grid[:, 0]:
        axes.set_ylabel(labels[1])
    for axes in panels[-columns:]:
        axes.tick_params(labelbottom=True)  # also above an empty place
    for axes in panels[columns * (rows - 1) :]:
        axes.set_xlabel(labels[0])
    return figure, panels


def legend_above(figure: Figure, axes: Axes, columns: int) -> None:
    """Put the legend of one panel above all panels."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=columns)


def set_label(name: str, smoothing_sets: Mapping[str, Sequence[float]] | None = None) -> str:
    """Label a smoothing set: ``3Rf_fine`` and its radii [Mpc/h] -> "3 R_f fine (2, 2.83, 4)"."""
    match = re.fullmatch(r"(\d+)Rf(.*)", name)
    suffix = match[2].replace("_", " ").replace("+", " + ") if match else ""
    label = rf"${match[1]}\,R_f${suffix}" if match else name.replace("_", " ")
    radii = (smoothing_sets or {}).get(name)
    return f"{label} ({', '.join(f'{radius:g}' for radius in radii)})" if radii else label


def sample_label(
    *,
    min_particles: int | None = None,
    max_particles: int | None = None,
    min_mass: float | None = None,
    max_mass: float | None = None,
) -> str:
    """Label a halo sample by its limits, for example "20 to 63 particles"; masses are in Msun/h."""
    if min_mass is None and max_mass is None:
        low, high, unit = min_particles, max_particles, " particles"
    else:
        low, high = (_power_of_ten(mass) for mass in (min_mass, max_mass))
        unit = r"$\,h^{-1}\,\mathrm{M}_\odot$"
    if low is None or high is None:
        return f"at least {low}{unit}" if high is None else f"at most {high}{unit}"
    return f"{low} to {high}{unit}"


def _power_of_ten(value: float | None) -> str | None:
    """Write a mass in mathtext with at most three digits."""
    if value is None:
        return None
    mantissa, exponent = f"{value:.2e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".")
    return rf"${mantissa}\times 10^{{{int(exponent)}}}$"


def set_style(name: str, names: Sequence[str]) -> LineStyle:
    """Return the line style of a smoothing set in a figure of all `names`.

    Sets that are not the paper's take the colours left by the others, in this order, and are dotted
    beside them.
    """
    if name in SET_STYLES:
        return SET_STYLES[name]
    used = {SET_STYLES[other].colour for other in names if other in SET_STYLES}
    free = [colour for colour in SEQUENCE if colour not in used] or list(SEQUENCE)
    unknown = [other for other in names if other not in SET_STYLES]
    return LineStyle(free[unknown.index(name) % len(free)], "dotted" if used else "solid")


def save(figure: Figure, stem: str | os.PathLike, description: Mapping | None = None) -> list[Path]:
    """Write ``<stem>.pdf`` and ``<stem>.png`` atomically and return their paths.

    The files hold no dates: equal figures with equal descriptions (see
    `lagbias.artefacts.figure_files.metadata`) give equal files with the same version of matplotlib.
    """
    stem = Path(stem)
    metadata = figure_files.metadata(description)
    written = [stem.with_name(f"{stem.name}.{suffix}") for suffix in metadata]
    for target, (suffix, entries) in zip(written, metadata.items(), strict=True):
        with replacing(target) as temporary, style():
            figure.savefig(temporary, format=suffix, metadata=entries)
    return written
