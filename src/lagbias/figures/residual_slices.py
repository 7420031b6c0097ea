"""Slices of the halo field and of what networks miss (Wu, Muñoz & Eisenstein 2023, Fig. 10)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lagbias.bias.prediction import ModelField
from lagbias.figures.common import Inputs, load_all, load_array, panel_grid, set_label, style
from lagbias.grids.halo_field import HaloFields

__all__ = ["draw", "load", "slice_mean", "slice_weights"]

WIDTH, ROW_HEIGHT = 7.1, 2.95  # inches: the full text width
COLUMNS = 2
# Fraction of the cells of a difference within the range of its colours; the rest saturate.
RESOLVED = 0.98
DENSITY_MAP, DIFFERENCE_MAP = "cividis", "RdBu_r"


@dataclass(frozen=True)
class _Panel:
    """Image with its colours and labels."""

    image: np.ndarray
    title: str
    label: str
    norm: Normalize
    colours: str = DIFFERENCE_MAP
    ticks: Sequence[float] = ()


def load(inputs: Inputs) -> dict:
    """Read ``halo_fields`` of one box, and ``model_fields`` there of the reference and others."""
    return {
        "halo_field": load_array(inputs["halo_fields"], HaloFields, "training"),
        "model_fields": load_all(inputs["model_fields"], ModelField),
    }


def draw(
    halo_field: np.ndarray, model_fields: Sequence[ModelField], *, thickness: float = 10.0
) -> Figure:
    """Draw the halos, the first model minus the halos, and the other models minus the first.

    The slice begins at the lower face of the box's middle cell and is `thickness` [Mpc/h] thick.
    """
    _check(halo_field, model_fields)
    n_cells, box_size = len(halo_field), model_fields[0].box_size
    start = (n_cells // 2 - 0.5) * box_size / n_cells
    fields = (halo_field, *(field.average for field in model_fields))
    halos, *models = (slice_mean(field, box_size, start, thickness) for field in fields)
    names = [set_label(field.smoothing_set) for field in model_fields]
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
    """Return the fraction of the slice [start, start + thickness) in each layer of cells.

    Cell i covers [(i - 1/2) Δ, (i + 1/2) Δ) with Δ = L / N, periodically. Lengths are in Mpc/h.
    """
    if not 0 < thickness <= box_size:
        raise ValueError(
            f"A slice of {thickness:g} Mpc/h does not fit in a box of {box_size:g} Mpc/h; its "
            "thickness must be positive and at most the side of the box."
        )
    cell = box_size / n_cells
    lower = ((np.arange(n_cells) - 0.5) * cell - start) % box_size
    # a cell that crosses the end of the period is also at the beginning of the slice
    inside = np.minimum(lower + cell, thickness) - lower
    wrapped = np.minimum(lower + cell - box_size, thickness)
    return (np.maximum(inside, 0.0) + np.maximum(wrapped, 0.0)) / thickness


def slice_mean(field: np.ndarray, box_size: float, start: float, thickness: float) -> np.ndarray:
    """Average a field (N, N, N) over a slice in z; see `slice_weights`."""
    return field @ slice_weights(field.shape[-1], box_size, start, thickness)


def _check(halo_field: np.ndarray, model_fields: Sequence[ModelField]) -> None:
    """Raise ValueError unless all fields have one shape."""
    for field in model_fields:
        if field.average.shape != halo_field.shape:
            raise ValueError(
                f"residual_slices: the field of `{field.smoothing_set}` has shape "
                f"{field.average.shape} and that of the halos {halo_field.shape}; make both again "
                "with one `training.cell_size`."
            )


def _halos(halos: np.ndarray) -> _Panel:
    """Make the panel of mass over its mean; colours are linear in voids, logarithmic in halos."""
    density = 1.0 + halos
    norm = AsinhNorm(linear_width=1.0, vmin=0.0, vmax=max(density.max(), 1.0))
    ticks = [tick for tick in (0, 1, 2, 5, 10, 20, 50, 100, 200, 500) if tick <= norm.vmax]
    return _Panel(density, "halos", r"$1 + \delta_{\rm h}$", norm, DENSITY_MAP, ticks)


def _differences(
    halos: np.ndarray, models: Sequence[np.ndarray], names: Sequence[str]
) -> list[_Panel]:
    """Make the panels of the first model minus the halos, and of the others minus the first."""
    missed, changes = models[0] - halos, [model - models[0] for model in models[1:]]
    label, norm = r"$\delta_{\rm model} - \delta_{\rm h}$", _symmetric([missed])
    panels = [_Panel(missed, f"{names[0]} $-$ halos", label, norm)]
    for name, change in zip(names[1:], changes, strict=True):
        title = f"{name} $-$ {names[0]}"
        panels.append(_Panel(change, title, r"$\Delta\delta_{\rm model}$", _symmetric(changes)))
    return panels


def _symmetric(images: Sequence[np.ndarray]) -> Normalize:
    """Return a scale that is symmetric about zero and common to all images."""
    largest = np.quantile(np.abs(images), RESOLVED) or 1.0
    return Normalize(-largest, largest)


def _show(axes: Axes, panel: _Panel, box_size: float) -> None:
    """Draw an image of node-centred cells, x to the right."""
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
