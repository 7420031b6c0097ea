"""What all figures share: colours, axes, bands, labels and saving.

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

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from lagbias.artefacts import store
from lagbias.figures.curves import RatioCurve, Spectra, load_spectra

__all__ = [
    "K_LABEL",
    "LineStyle",
    "Spectra",
    "finish_axes",
    "load_spectra",
    "new_figure",
    "panel_grid",
    "plot_curve",
    "sample_label",
    "save",
    "set_label",
    "set_style",
    "style",
]

K_LABEL = r"$k\ \, [h\,\mathrm{Mpc}^{-1}]$"

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


# One look for each smoothing set of the paper's table 1, the same in every figure; the colours
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


@contextmanager
def style() -> Iterator[None]:
    """Apply the package's style sheet inside a ``with`` block and restore what was set before."""
    sheet = resources.files(__package__) / "style.mplstyle"
    with resources.as_file(sheet) as path, matplotlib.rc_context(fname=path):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of `width` x `height` inches; call inside `style`."""
    return Figure(figsize=(width, height), layout="constrained")


def panel_grid(
    count: int, columns: int, *, width: float, height: float, labels: tuple[str, str]
) -> tuple[Figure, list[Axes]]:
    """Make a figure of equal panels on common scales, labelled along its left and lower sides.

    Parameters
    ----------
    count : int
        Panels; the last row may be incomplete.
    columns : int
        Panels in a full row.
    width, height : float, keyword-only
        Of the figure [inches].
    labels : tuple of str, keyword-only
        Of the horizontal and of the vertical axis.

    Returns
    -------
    Figure
        Made inside `style`.
    list of Axes
        The panels, row after row.
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
        axes.tick_params(labelbottom=True)  # where the place below is empty
    for axes in panels[columns * (rows - 1) :]:
        axes.set_xlabel(labels[0])
    return figure, panels


def set_label(name: str, smoothing_sets: Mapping[str, Sequence[float]] | None = None) -> str:
    """Label of a smoothing set, for example ``3Rf_fine`` -> "3 R_f fine (2, 2.83, 4)".

    Parameters
    ----------
    name : str
        Name in the configuration.
    smoothing_sets : Mapping of str to sequence of float, optional
        Radii of every set [Mpc/h]; without it the label has no radii.

    Returns
    -------
    str
        With mathtext.
    """
    match = re.fullmatch(r"(\d+)Rf(.*)", name)
    label = rf"${match[1]}\,R_f${_spaced(match[2])}" if match else name.replace("_", " ")
    radii = (smoothing_sets or {}).get(name)
    return f"{label} ({', '.join(f'{radius:g}' for radius in radii)})" if radii else label


def sample_label(
    *,
    min_particles: int | None = None,
    max_particles: int | None = None,
    min_mass: float | None = None,
    max_mass: float | None = None,
) -> str:
    """Label of a halo sample, for example "20 to 63 particles".

    Parameters
    ----------
    min_particles, max_particles : int, optional, keyword-only
        Fewest and most particles of a halo.
    min_mass, max_mass : float, optional, keyword-only
        Lowest and highest mass of a halo [Msun/h].

    Returns
    -------
    str
        With mathtext.
    """
    if min_mass is None and max_mass is None:
        low, high, unit = min_particles, max_particles, " particles"
    else:
        low, high = (_power_of_ten(mass) for mass in (min_mass, max_mass))
        unit = r"$\,h^{-1}\,\mathrm{M}_\odot$"
    if low is None or high is None:
        return f"at least {low}{unit}" if high is None else f"at most {high}{unit}"
    return f"{low} to {high}{unit}"


def _power_of_ten(value: float | None) -> str | None:
    """Write a mass in mathtext, with at most three digits."""
    if value is None:
        return None
    mantissa, exponent = f"{value:.2e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".")
    return rf"${mantissa}\times 10^{{{int(exponent)}}}$"


def _spaced(suffix: str) -> str:
    """Turn ``_coarse`` into " coarse" and ``+11.3`` into " + 11.3"."""
    return re.sub(r"[_+]", lambda found: " " if found[0] == "_" else " + ", suffix)


def set_style(name: str, names: Sequence[str]) -> LineStyle:
    """Look of a smoothing set.

    Parameters
    ----------
    name : str
        The set.
    names : sequence of str
        All sets of the figure; sets that the paper does not have take the colours that the
        others leave free, in this order.

    Returns
    -------
    LineStyle
    """
    if name in SET_STYLES:
        return SET_STYLES[name]
    used = {SET_STYLES[other].colour for other in names if other in SET_STYLES}
    free = [colour for colour in SEQUENCE if colour not in used] or list(SEQUENCE)
    unknown = [other for other in names if other not in SET_STYLES]
    return LineStyle(free[unknown.index(name) % len(free)], "dotted")


def plot_curve(axes: Axes, curve: RatioCurve, look: LineStyle, *, label: str | None = None) -> None:
    """Draw a curve and, where there is more than one net, its band."""
    if np.any(curve.high > curve.low):
        axes.fill_between(
            curve.k, curve.low, curve.high, color=look.colour, alpha=BAND_OPACITY, linewidth=0
        )
    axes.plot(curve.k, curve.line, color=look.colour, linestyle=look.dashes, label=label)


def finish_axes(
    axes: Axes,
    curves: Sequence[RatioCurve],
    *,
    reference: float | None = None,
    legend_rows: int = 0,
) -> None:
    """Set limits from the data, leave room for a legend at the top, and format the axes.

    Parameters
    ----------
    axes : Axes
        With its vertical scale ("linear" or "log") already chosen.
    curves : sequence of RatioCurve
        What is drawn; lines and bands all stay inside the limits.
    reference : float, optional
        Value of a dashed horizontal line that stays in view.
    legend_rows : int
        Rows of the legend; the limits leave that much free space above the data.

    Raises
    ------
    ValueError
        If no curve has a finite value.
    """
    logarithmic = axes.get_yscale() == "log"
    values = np.concatenate([v for c in curves for v in (c.line, c.low, c.high)])
    values = values[np.isfinite(values) & ((values > 0) | (not logarithmic))]
    if values.size == 0:
        raise ValueError(
            "Nothing can be drawn: no bin of k has a finite value. Check that the spectra hold "
            "wavenumbers below the figure's largest k."
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
    """Logarithmic, from the fundamental mode to the largest k drawn or a round number near it."""
    axes.set_xscale("log")
    low, high = k.min(), k.max()
    margin = 1.03 if high > low else 1.5
    low, high = low / margin, high * margin
    rounded = [step * 10.0 ** np.floor(np.log10(high)) for step in (1, 2, 5, 10)]
    high = next((value for value in rounded if high <= value < 1.25 * high), high)
    axes.set_xlim(low, high)
    _label_decades(axes.xaxis, decades=min(np.log10(high / low), 1.0))


def _label_decades(axis: Axis, *, decades: float) -> None:
    """Label a logarithmic axis with plain numbers, the more to a decade the fewer decades."""
    steps = (1.0,) if decades > 1.3 else (1.0, 2.0, 5.0) if decades > 0.5 else np.arange(1.0, 10.0)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_minor_locator(LogLocator(subs=np.arange(2.0, 10.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def save(figure: Figure, stem: str | os.PathLike) -> list[Path]:
    """Write ``<stem>.pdf`` and ``<stem>.png``, atomically and without dates.

    Equal figures give equal files with the same version of matplotlib.

    Parameters
    ----------
    figure : Figure
    stem : path-like
        Path without a suffix; its directory is made where needed.

    Returns
    -------
    list of Path
        The two files.
    """
    stem = Path(stem)
    metadata = {"pdf": {"CreationDate": None}, "png": {"Software": None}}
    written = [stem.with_name(f"{stem.name}.{suffix}") for suffix in metadata]
    for target, (suffix, entries) in zip(written, metadata.items(), strict=True):
        with store.replacing(target) as temporary, style():
            figure.savefig(temporary, format=suffix, metadata=entries)
    return written
