"""Model power on the training box and on others (Wu, Muñoz & Eisenstein 2023, Fig. 3)."""

from collections.abc import Sequence
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lagbias.bias.spectra import Spectra
from lagbias.figures.common import (
    BLACK,
    DASHES,
    SEQUENCE,
    Inputs,
    LineStyle,
    load_all,
    new_figure,
    set_label,
    set_style,
    style,
)
from lagbias.figures.curves import (
    K_LABEL,
    RATIO_LABEL,
    finish_axes,
    plot_curve,
    plot_curves,
    ratio_curve,
    residual_curve,
)

__all__ = ["draw", "load"]

WIDTH, HEIGHT = 7.1, 6.0  # inches: the full text width


def load(inputs: Inputs) -> dict:
    """Read the spectra ``on_training_box``, ``on_validation_boxes`` and ``by_training_box``."""
    names = ("on_training_box", "on_validation_boxes", "by_training_box")
    return {name: load_all(inputs[name], Spectra) for name in names}


def draw(
    on_training_box: Sequence[Spectra],
    on_validation_boxes: Sequence[Spectra],
    by_training_box: Sequence[Spectra],
    *,
    k_max: float = 1.0,
) -> Figure:
    """Draw P_model / P_h and P_uncorr / P_h on the training box, and P_model / P_h on others.

    The single scale is dashed, the several scales are solid. The lower right panel has networks of
    the several scales, trained on different boxes and applied to one validation box.
    """
    _check(on_training_box, on_validation_boxes, by_training_box)
    dashes = {
        spectra.smoothing_set: pattern
        for spectra, pattern in zip(on_training_box, (DASHES, "solid"), strict=False)
    }
    with style():
        figure = new_figure(WIDTH, HEIGHT)
        (top_left, top_right), (bottom_left, bottom_right) = figure.subplots(2, 2, sharex=True)
        _training_panels(top_left, bottom_left, on_training_box, dashes, k_max)
        # a box has one colour in both right-hand panels
        boxes = [entry.target_box for entry in on_validation_boxes]
        boxes += [entry.train_box for entry in by_training_box]
        colours = dict(zip(dict.fromkeys(boxes), cycle(SEQUENCE), strict=False))
        _boxes_panel(top_right, on_validation_boxes, "target_box", dashes, colours, k_max)
        _boxes_panel(bottom_right, by_training_box, "train_box", dashes, colours, k_max)
        top_left.set_title("Applied to the training box")
        top_right.set_title("Applied to validation boxes")
        name = set_label(by_training_box[0].smoothing_set)
        bottom_right.set_title(f"Trained on different boxes ({name})")
        for axes in (bottom_left, bottom_right):
            axes.set_xlabel(K_LABEL)
    return figure


def _check(on_training_box, on_validation_boxes, by_training_box) -> None:
    """Raise ValueError unless the sequences can make the figure."""
    if not (len(on_training_box) in (1, 2) and on_validation_boxes and by_training_box):
        raise ValueError(
            "power_ratio_boxes needs one or two smoothing sets on the training box and at least "
            f"one spectrum for each right-hand panel; got {len(on_training_box)}, "
            f"{len(on_validation_boxes)} and {len(by_training_box)}."
        )
    for spectra in on_training_box:
        if spectra.train_box != spectra.target_box:
            raise ValueError(
                "power_ratio_boxes: the left column shows networks on their own training box, but "
                f"one was trained on `{spectra.train_box}` and applied to `{spectra.target_box}`."
            )


def _training_panels(top: Axes, bottom: Axes, spectra, dashes: dict, k_max: float) -> None:
    """Draw P_model / P_h above, P_uncorr / P_h below."""
    bottom.set_yscale("log")
    names = [entry.smoothing_set for entry in spectra]
    looks = [LineStyle(set_style(name, names).colour, dashes[name]) for name in names]
    for axes, function, quantity in (
        (top, ratio_curve, RATIO_LABEL),
        (bottom, residual_curve, r"$P_{\rm uncorr}\,/\,P_{\rm h}$"),
    ):
        curves = [function(entry, k_max=k_max) for entry in spectra]
        plot_curves(axes, curves, looks, [set_label(name) for name in names])
        finish_axes(axes, curves, reference=1.0 if axes is top else None, legend_rows=1)
        axes.set_ylabel(quantity)
        axes.legend(loc="upper left", ncols=2)


def _boxes_panel(axes: Axes, spectra, role: str, dashes: dict, colours: dict, k_max: float) -> None:
    """Draw P_model / P_h in the colour of the ``train_box`` or ``target_box``, as `role` says."""
    boxes = list(dict.fromkeys(getattr(entry, role) for entry in spectra))
    sets = list(dict.fromkeys(entry.smoothing_set for entry in spectra))
    curves = [ratio_curve(entry, k_max=k_max) for entry in spectra]
    for entry, curve in zip(spectra, curves, strict=True):
        pattern = dashes.get(entry.smoothing_set, "solid")
        plot_curve(axes, curve, LineStyle(colours[getattr(entry, role)], pattern))
    handles = [Line2D([], [], color=colours[box], label=box) for box in boxes]
    if len(sets) > 1:
        patterns = ((set_label(name), dashes.get(name, "solid")) for name in sets)
        keys = [Line2D([], [], color=BLACK, ls=pattern, label=name) for name, pattern in patterns]
        handles = keys + handles
    rows = -(-len(handles) // 2)
    finish_axes(axes, curves, reference=1.0, legend_rows=rows)
    # in rows of two, where matplotlib fills columns first
    padding = [Line2D([], [], linestyle="none", label=" ")] * (len(handles) % 2)
    in_rows = handles[0::2] + (handles + padding)[1::2]
    axes.legend(handles=in_rows, loc="upper left", ncols=2)
    axes.set_ylabel(RATIO_LABEL)
