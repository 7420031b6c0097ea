"""Slices of the halo field and of what networks miss (Wu, Muñoz & Eisenstein 2023, Fig. 10)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lagbias.figures.common import panel_grid, set_label, style

__all__ = ["Field", "draw", "slice_mean", "slice_weights"]

WIDTH, ROW_HEIGHT = 7.1, 2.95  # inches: the full text width
COLUMNS = 2
# Part of the cells of a difference that its colours resolve; the few beyond are saturated.
RESOLVED = 0.98
DENSITY_MAP, DIFFERENCE_MAP = "cividis", "RdBu_r"


@dataclass(frozen=True)
class Field:
    """Field of the average f of one ensemble.

    Attributes
    ----------
    smoothing_set : str
        Name of the ensemble's smoothing set.
    overdensity : ndarray (c, c, c)
        NGP overdensity on the training grid, dimensionless.
    """

    smoothing_set: str
    overdensity: np.ndarray


@dataclass(frozen=True)
class _Panel:
    """An image with its colours and texts."""

    image: np.ndarray
    title: str
    label: str
    norm: Normalize
    colours: str = DIFFERENCE_MAP
    ticks: Sequence[float] = ()


def draw(
    halo_field: np.ndarray,
    reference: Field,
    others: Sequence[Field],
    *,
    box_size: float,
    thickness: float = 10.0,
    start: float | None = None,
) -> Figure:
    """Draw the halos, the reference minus the halos, and the others minus the reference.

    Parameters
    ----------
    halo_field : ndarray (c, c, c)
        NGP overdensity of the halos on the training grid, dimensionless.
    reference : Field
        The ensemble that is compared with the halos.
    others : sequence of Field
        Ensembles that are compared with the reference, on one colour scale.
    box_size : float
        Side of the box [Mpc/h].
    thickness : float
        Depth of the slice along z [Mpc/h].
    start : float, optional
        Where the slice begins [Mpc/h]; by default at the lower face of the box's middle cell.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If a field is no cube of the halos' size, or the slice does not fit in the box.
    """
    _check(halo_field, [reference, *others])
    n_cells = len(halo_field)
    if start is None:
        start = (n_cells // 2 - 0.5) * box_size / n_cells
    fields = (halo_field, *(field.overdensity for field in (reference, *others)))
    halos, *models = (slice_mean(field, box_size, start, thickness) for field in fields)
    names = [set_label(field.smoothing_set) for field in (reference, *others)]
    panels = [_halos(halos), *_differences(halos, models, names)]
    with style():
        rows = -(-len(panels) // COLUMNS)
        figure, grid = panel_grid(
            len(panels),
            COLUMNS,
            width=WIDTH,
            height=ROW_HEIGHT * rows,
            labels=tuple(rf"${axis}\ \, [h^{{-1}}\,\mathrm{{Mpc}}]$" for axis in "xy"),
        )
        for axes, panel in zip(grid, panels, strict=True):
            _show(axes, panel, box_size)
    return figure


def slice_weights(n_cells: int, box_size: float, start: float, thickness: float) -> np.ndarray:
    """Share of a slice that lies in each layer of cells.

    Parameters
    ----------
    n_cells : int
        Cells N on a side; cell i covers [(i - 1/2) Δ, (i + 1/2) Δ) with Δ = L / N, periodically.
    box_size : float
        Side L of the box [Mpc/h].
    start, thickness : float
        The slice is [start, start + thickness) [Mpc/h].

    Returns
    -------
    ndarray (N,) float64
        Weights that add up to one, dimensionless.

    Raises
    ------
    ValueError
        If the thickness is not positive or exceeds the box.
    """
    if not 0 < thickness <= box_size:
        raise ValueError(
            f"A slice of {thickness:g} Mpc/h does not fit in a box of {box_size:g} Mpc/h; choose a "
            "positive thickness up to the side of the box."
        )
    cell = box_size / n_cells
    lower = ((np.arange(n_cells) - 0.5) * cell - start) % box_size
    # a cell that reaches over the end of the period also lies at the beginning of the slice
    inside = np.minimum(lower + cell, thickness) - lower
    wrapped = np.minimum(lower + cell - box_size, thickness)
    return (np.maximum(inside, 0.0) + np.maximum(wrapped, 0.0)) / thickness


def slice_mean(field: np.ndarray, box_size: float, start: float, thickness: float) -> np.ndarray:
    """Average a field over a slice in z, cells that are cut counting by their part inside.

    Parameters
    ----------
    field : ndarray (c, c, c)
        Values of node-centred cells.
    box_size, start, thickness : float
        As in `slice_weights` [Mpc/h].

    Returns
    -------
    ndarray (c, c) float64
        The average, in the field's units; axes x, y.

    Raises
    ------
    ValueError
        As `slice_weights`.
    """
    return field @ slice_weights(field.shape[-1], box_size, start, thickness)


def _check(halo_field: np.ndarray, fields: Sequence[Field]) -> None:
    """Raise ValueError unless all fields are cubes of one size."""
    shape = np.shape(halo_field)
    if len(shape) != 3 or len(set(shape)) != 1:
        raise ValueError(f"residual_slices: the halo field has shape {shape}, which is no cube.")
    for field in fields:
        if np.shape(field.overdensity) != shape:
            raise ValueError(
                f"residual_slices: the field of `{field.smoothing_set}` has shape "
                f"{np.shape(field.overdensity)} and that of the halos {shape}. Both must be on "
                "the training grid; make them again with one `training.cell_size`."
            )


def _halos(halos: np.ndarray) -> _Panel:
    """Mass over its mean, linear in voids and logarithmic in halos."""
    density = 1.0 + halos
    norm = AsinhNorm(linear_width=1.0, vmin=0.0, vmax=max(density.max(), 1.0))
    ticks = [tick for tick in (0, 1, 2, 5, 10, 20, 50, 100, 200, 500) if tick <= norm.vmax]
    return _Panel(density, "halos", r"$1 + \delta_{\rm h}$", norm, DENSITY_MAP, ticks)


def _differences(
    halos: np.ndarray, models: Sequence[np.ndarray], names: Sequence[str]
) -> list[_Panel]:
    """First model minus halos, and the other models minus the first."""
    missed, changes = models[0] - halos, [model - models[0] for model in models[1:]]
    label, norm = r"$\delta_{\rm model} - \delta_{\rm h}$", _symmetric([missed])
    panels = [_Panel(missed, f"{names[0]} $-$ halos", label, norm)]
    for name, change in zip(names[1:], changes, strict=True):
        title = f"{name} $-$ {names[0]}"
        panels.append(_Panel(change, title, r"$\Delta\delta_{\rm model}$", _symmetric(changes)))
    return panels


def _symmetric(images: Sequence[np.ndarray]) -> Normalize:
    """Scale about zero that all images share."""
    largest = np.quantile(np.abs(images), RESOLVED) or 1.0
    return Normalize(-largest, largest)


def _show(axes: Axes, panel: _Panel, box_size: float) -> None:
    """Draw an image whose cells are centred on the nodes, with x to the right."""
    half = 0.5 * box_size / len(panel.image)
    limits = (-half, box_size - half)
    image = axes.imshow(
        panel.image.T,
        origin="lower",
        extent=(*limits, *limits),
        norm=panel.norm,
        cmap=panel.colours,
        interpolation="none",
    )
    axes.set_title(panel.title)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=(1, 2, 5, 10)))
    saturated = {"extend": "both", "extendfrac": 0.03} if panel.colours == DIFFERENCE_MAP else {}
    bar = axes.figure.colorbar(image, ax=axes, label=panel.label, pad=0.02, **saturated)
    if panel.ticks:
        bar.set_ticks(panel.ticks, labels=[f"{tick:g}" for tick in panel.ticks], minor=False)
    bar.ax.minorticks_off()
