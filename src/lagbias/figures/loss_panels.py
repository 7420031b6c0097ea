"""Validation loss beside the power ratio, for some ensembles: what two figures share."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from lagbias.figures.common import (
    BAND_OPACITY,
    K_LABEL,
    LineStyle,
    finish_axes,
    new_figure,
    plot_curve,
    style,
)
from lagbias.figures.curves import Spectra, check_same_order, ratio_curve, rebin
from lagbias.figures.histories import LossHistories

__all__ = ["draw_loss_and_power", "loss_range"]

WIDTH, HEIGHT, LEGEND_ROW_HEIGHT = 7.1, 3.2, 0.2  # inches: the full text width
# Parts of the training that the vertical range leaves out: the mean falls steeply at first, and
# single networks can be slower than that by some epochs.
LEFT_OUT_OF_MEANS, LEFT_OUT_OF_BANDS = 1 / 3, 1 / 2
# Bands of more than two ensembles lie on top of each other: fainter, with edges to follow.
FAINT, EDGE_OPACITY, EDGE_WIDTH = 0.08, 0.55, 0.6
MOST_TICKS = 8


def draw_loss_and_power(
    histories: Sequence[LossHistories],
    spectra: Sequence[Spectra],
    looks: Sequence[LineStyle],
    labels: Sequence[str],
    *,
    k_max: float = 1.0,
) -> Figure:
    """Draw validation loss against epoch on the left, P_model / P_h on the right.

    Parameters
    ----------
    histories : sequence of LossHistories
        One entry for each ensemble.
    spectra : sequence of Spectra
        The same ensembles in the same order, on one target box.
    looks : sequence of LineStyle
        Colour and dashes of each.
    labels : sequence of str
        Legend entry of each.
    k_max : float
        Largest wavenumber shown [h/Mpc].

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If there are no ensembles, or the two lists do not hold the same ones.
    """
    check_same_order(
        histories,
        spectra,
        keys=("train_box", "smoothing_set", "inputs"),
        requirement="Losses and spectra must be of the same ensembles, in the same order, and at "
        "least one",
    )
    columns = 3 if len(labels) > 4 else 2
    rows = -(-len(labels) // columns)
    with style():
        figure = new_figure(WIDTH, HEIGHT + LEGEND_ROW_HEIGHT * rows)
        left, right = figure.subplots(1, 2)
        for entry, look in zip(histories, looks, strict=True):
            _plot_loss(left, entry, look, faint=len(histories) > 2)
        _finish_loss(left, histories)
        curves = [ratio_curve(rebin(entry), k_max=k_max) for entry in spectra]
        for curve, look, label in zip(curves, looks, labels, strict=True):
            plot_curve(right, curve, look, label=label)
        finish_axes(right, curves, reference=1.0)
        right.set_xlabel(K_LABEL)
        right.set_ylabel(r"$P_{\rm model}\,/\,P_{\rm h}$")
        handles, names = right.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=columns)
    return figure


def loss_range(histories: Sequence[LossHistories]) -> tuple[float, float]:
    """Range of validation losses that shows how ensembles differ at the end of the training.

    It holds the mean over the networks from a third of the training on, and every network in the
    second half; the first epochs, far above, are left out.

    Parameters
    ----------
    histories : sequence of LossHistories
        At least one.

    Returns
    -------
    tuple of float
        Smallest and largest loss per cell, dimensionless.

    Raises
    ------
    ValueError
        If a loss in that range of epochs is not a finite number.
    """
    values = []
    for entry in histories:
        n_epochs, losses = len(entry.epochs), entry.validation
        values.append(losses.mean(axis=0)[int(LEFT_OUT_OF_MEANS * n_epochs) :])
        values.append(losses[:, int(LEFT_OUT_OF_BANDS * n_epochs) :].ravel())
    values = np.concatenate(values)
    if not np.all(np.isfinite(values)):
        raise ValueError(
            "A validation loss is not a finite number, so it cannot be drawn. Name a validation "
            "box in `boxes.validation` and train the networks again."
        )
    return float(values.min()), float(values.max())


def _plot_loss(axes: Axes, history: LossHistories, look: LineStyle, *, faint: bool) -> None:
    """Mean over the networks, their range, and a point where there is but one epoch."""
    losses = history.validation
    if len(losses) > 1:
        low, high = losses.min(axis=0), losses.max(axis=0)
        opacity = FAINT if faint else BAND_OPACITY
        axes.fill_between(history.epochs, low, high, color=look.colour, alpha=opacity, linewidth=0)
        if faint:
            edge = {"color": look.colour, "alpha": EDGE_OPACITY, "linewidth": EDGE_WIDTH}
            axes.plot(history.epochs, np.transpose([low, high]), **edge)
    marker = "o" if len(history.epochs) == 1 else None
    mean = losses.mean(axis=0)
    axes.plot(history.epochs, mean, color=look.colour, linestyle=look.dashes, marker=marker)


def _finish_loss(axes: Axes, histories: Sequence[LossHistories]) -> None:
    """Set limits, whole numbers on the epoch axis, and labels."""
    low, high = loss_range(histories)
    margin = 0.06 * max(high - low, 1e-3 * abs(high))
    axes.set_ylim(low - margin, high + margin)
    last = max(int(entry.epochs[-1]) for entry in histories)
    room = min(0.03 * (last - 1), 0.9) or 0.5  # less than one: there is no epoch 0
    axes.set_xlim(1 - room, last + room)
    steps = (digit * 10**power for power in range(9) for digit in (1, 2, 5))
    step = next(step for step in steps if last <= MOST_TICKS * step)
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.xaxis.set_minor_locator(MultipleLocator(1 if step < 20 else step // 5))
    axes.set_xlabel("epoch")
    axes.set_ylabel("validation loss per cell")
