"""Model power on the training box and on others (Wu, Muñoz & Eisenstein 2023, Fig. 3)."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lagbias.figures.common import (
    BLACK,
    DASHES,
    K_LABEL,
    SEQUENCE,
    LineStyle,
    finish_axes,
    new_figure,
    plot_curve,
    set_label,
    set_style,
    style,
)
from lagbias.figures.curves import RatioCurve, Spectra, ratio_curve, rebin, residual_curve

__all__ = ["draw"]

WIDTH, HEIGHT = 7.1, 6.0  # inches: the full text width


def draw(
    on_training_box: Sequence[Spectra],
    on_validation_boxes: Sequence[Spectra],
    by_training_box: Sequence[Spectra],
    *,
    k_max: float = 1.0,
) -> Figure:
    """Draw the four panels.

    Parameters
    ----------
    on_training_box : sequence of Spectra
        Nets applied to the box that trained them, one entry for each smoothing set: first the
        single scale (dashed), then the several scales (solid). Left column.
    on_validation_boxes : sequence of Spectra
        Nets of the same sets applied to the validation boxes. Top right.
    by_training_box : sequence of Spectra
        The second set, trained on different boxes and applied to one validation box. Bottom
        right.
    k_max : float
        Largest wavenumber shown [h/Mpc].

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If a list is empty, or the first list holds spectra of other than the training box.
    """
    _check(on_training_box, on_validation_boxes, by_training_box)
    dashes = {
        spectra.attribute("smoothing_set"): pattern
        for spectra, pattern in zip(on_training_box, (DASHES, "solid"), strict=False)
    }
    with style():
        figure = new_figure(WIDTH, HEIGHT)
        (top_left, top_right), (bottom_left, bottom_right) = figure.subplots(2, 2, sharex=True)
        _training_panels(top_left, bottom_left, on_training_box, dashes, k_max)
        colours = _box_colours(on_validation_boxes, by_training_box)
        _boxes_panel(top_right, on_validation_boxes, "target_box", dashes, colours, k_max)
        _boxes_panel(bottom_right, by_training_box, "train_box", dashes, colours, k_max)
        top_left.set_title("Applied to the training box")
        top_right.set_title("Applied to validation boxes")
        name = by_training_box[0].attribute("smoothing_set")
        bottom_right.set_title(f"Trained on different boxes ({set_label(name)})")
        for axes in (bottom_left, bottom_right):
            axes.set_xlabel(K_LABEL)
    return figure


def _check(on_training_box, on_validation_boxes, by_training_box) -> None:
    """Raise ValueError where the lists cannot make the figure."""
    if not (len(on_training_box) in (1, 2) and on_validation_boxes and by_training_box):
        raise ValueError(
            "power_ratio_boxes needs one or two smoothing sets on the training box and at least "
            f"one spectrum for each right-hand panel; got {len(on_training_box)}, "
            f"{len(on_validation_boxes)} and {len(by_training_box)}."
        )
    for spectra in on_training_box:
        train, target = spectra.attribute("train_box"), spectra.attribute("target_box")
        if train != target:
            raise ValueError(
                "power_ratio_boxes: the left column shows nets on their own training box, but "
                f"one was trained on `{train}` and applied to `{target}`."
            )


def _training_panels(top: Axes, bottom: Axes, spectra, dashes: dict, k_max: float) -> None:
    """P_model / P_h above, P_uncorr / P_h below."""
    bottom.set_yscale("log")
    names = [entry.attribute("smoothing_set") for entry in spectra]
    for axes, function, quantity in (
        (top, ratio_curve, r"$P_{\rm model}\,/\,P_{\rm h}$"),
        (bottom, residual_curve, r"$P_{\rm uncorr}\,/\,P_{\rm h}$"),
    ):
        curves = [function(rebin(entry), k_max=k_max) for entry in spectra]
        for name, curve in zip(names, curves, strict=True):
            look = LineStyle(set_style(name, names).colour, dashes[name])
            plot_curve(axes, curve, look, label=set_label(name))
        finish_axes(axes, curves, reference=1.0 if axes is top else None, legend_rows=1)
        axes.set_ylabel(quantity)
        axes.legend(loc="upper left", ncols=2)


def _box_colours(on_validation_boxes, by_training_box) -> dict[str, str]:
    """One colour for each box, the same in both right-hand panels."""
    boxes = [entry.attribute("target_box") for entry in on_validation_boxes]
    boxes += [entry.attribute("train_box") for entry in by_training_box]
    return {box: SEQUENCE[i % len(SEQUENCE)] for i, box in enumerate(dict.fromkeys(boxes))}


def _boxes_panel(axes: Axes, spectra, role: str, dashes: dict, colours: dict, k_max: float) -> None:
    """P_model / P_h with the colour of the box in the given role."""
    boxes = list(dict.fromkeys(entry.attribute(role) for entry in spectra))
    sets = list(dict.fromkeys(entry.attribute("smoothing_set") for entry in spectra))
    curves: list[RatioCurve] = []
    for entry in spectra:
        curves.append(ratio_curve(rebin(entry), k_max=k_max))
        pattern = dashes.get(entry.attribute("smoothing_set"), "solid")
        plot_curve(axes, curves[-1], LineStyle(colours[entry.attribute(role)], pattern))
    handles = [Line2D([], [], color=colours[box], label=box) for box in boxes]
    if len(sets) > 1:
        patterns = ((set_label(name), dashes.get(name, "solid")) for name in sets)
        keys = [Line2D([], [], color=BLACK, ls=pattern, label=name) for name, pattern in patterns]
        handles = keys + handles
    rows = -(-len(handles) // 2)
    finish_axes(axes, curves, reference=1.0, legend_rows=rows)
    axes.legend(handles=_in_rows(handles), loc="upper left", ncols=2)
    axes.set_ylabel(r"$P_{\rm model}\,/\,P_{\rm h}$")


def _in_rows(handles: list[Line2D]) -> list[Line2D]:
    """Reorder legend entries to read along rows of two: matplotlib fills columns first."""
    padding = [Line2D([], [], linestyle="none", label=" ")] * (len(handles) % 2)
    return handles[0::2] + (handles + padding)[1::2]
