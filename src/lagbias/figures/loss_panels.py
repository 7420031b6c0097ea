"""Validation loss beside the power ratio of some ensembles: what two figures share."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from lagbias.bias.spectra import Spectra
from lagbias.figures.common import (
    BAND_OPACITY,
    Inputs,
    LineStyle,
    legend_above,
    load_all,
    new_figure,
    style,
)
from lagbias.figures.curves import (
    K_LABEL,
    RATIO_LABEL,
    check_same_order,
    finish_axes,
    plot_curves,
    ratio_curve,
)
from lagbias.training.network import Network

__all__ = ["draw_loss_and_power", "group", "load_losses_and_spectra", "loss_range"]

WIDTH, HEIGHT, LEGEND_ROW_HEIGHT = 7.1, 3.2, 0.2  # inches: the full text width
# Parts of the training that the vertical range leaves out: the mean falls steeply at first, and
# single networks can be slower than that by some epochs.
LEFT_OUT_OF_MEANS, LEFT_OUT_OF_BANDS = 1 / 3, 1 / 2
# Bands of more than two ensembles overlap: fainter, with edges.
FAINT, EDGE_OPACITY, EDGE_WIDTH = 0.08, 0.55, 0.6
MAX_TICKS = 8
_LABELS = ("train_box", "validation_box", "sample", "smoothing_set", "inputs")


def load_losses_and_spectra(inputs: Inputs) -> dict:
    """Read ``networks``, in ensembles, and ``spectra``."""
    return {
        "ensembles": group(load_all(inputs["networks"], Network)),
        "spectra": load_all(inputs["spectra"], Spectra),
    }


def group(networks: Iterable[Network]) -> list[list[Network]]:
    """Group networks into ensembles by smoothing set and inputs; refuse mixed ones."""
    groups: dict[tuple[str, str], list[Network]] = {}
    for network in networks:
        groups.setdefault((network.smoothing_set, network.inputs), []).append(network)
    for members in groups.values():
        kinds = {
            (*(getattr(network, name) for name in _LABELS), len(network.validation_losses))
            for network in members
        }
        if len(kinds) > 1:
            raise ValueError(
                f"Networks of one ensemble differ in {', '.join(_LABELS)} or epochs: "
                f"{sorted(kinds)}. Train them again with one configuration."
            )
    return list(groups.values())


def draw_loss_and_power(
    ensembles: Sequence[Sequence[Network]],
    spectra: Sequence[Spectra],
    looks: Sequence[LineStyle],
    labels: Sequence[str],
    *,
    k_max: float = 1.0,
) -> Figure:
    """Draw validation loss against epoch on the left, P_model / P_h on the right.

    Ensembles (see `group`), spectra, looks and labels are in the same order.
    """
    check_same_order(
        [ensemble[0] for ensemble in ensembles],
        spectra,
        keys=("train_box", "smoothing_set", "inputs"),
        requirement="Losses and spectra must be of the same ensembles, in the same order, and at "
        "least one",
    )
    losses = [np.stack([network.validation_losses for network in each]) for each in ensembles]
    columns = 3 if len(labels) > 4 else 2
    rows = -(-len(labels) // columns)
    with style():
        figure = new_figure(WIDTH, HEIGHT + LEGEND_ROW_HEIGHT * rows)
        left, right = figure.subplots(1, 2)
        for of_ensemble, look in zip(losses, looks, strict=True):
            _plot_loss(left, of_ensemble, look, faint=len(losses) > 2)
        _finish_loss(left, losses)
        curves = [ratio_curve(entry, k_max=k_max) for entry in spectra]
        plot_curves(right, curves, looks, labels)
        finish_axes(right, curves, reference=1.0)
        right.set_xlabel(K_LABEL)
        right.set_ylabel(RATIO_LABEL)
        legend_above(figure, right, columns)
    return figure


def loss_range(losses: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the range of losses (networks, epochs) that shows the end of the training.

    It holds the mean over the networks from a third of the training on, and every network in the
    second half; the first epochs, far above, are left out, and those without a measurement (NaN).
    """
    values = []
    for of_ensemble in losses:
        n_epochs = of_ensemble.shape[1]
        for part, counted in (
            (of_ensemble.mean(axis=0, keepdims=True), LEFT_OUT_OF_MEANS),
            (of_ensemble, LEFT_OUT_OF_BANDS),
        ):
            later = part[:, int(counted * n_epochs) :]
            values.append(later[:, _measured(later)].ravel())
    values = np.concatenate(values)
    if not (len(values) and np.all(np.isfinite(values))):
        raise ValueError(
            "Validation losses are not finite. Name a box in `boxes.validation` and train the "
            "networks again."
        )
    return float(values.min()), float(values.max())


def _measured(losses: np.ndarray) -> np.ndarray:
    """Return in which epochs losses (networks, epochs) were measured."""
    return np.isfinite(losses).any(axis=0)


def _plot_loss(axes: Axes, losses: np.ndarray, look: LineStyle, *, faint: bool) -> None:
    """Draw the mean over the networks and their range, with points where epochs are left out."""
    epochs = 1 + np.flatnonzero(_measured(losses))
    marker = "o" if len(epochs) == 1 or len(epochs) < losses.shape[1] else None
    losses = losses[:, epochs - 1]
    if len(losses) > 1:
        low, high = losses.min(axis=0), losses.max(axis=0)
        opacity = FAINT if faint else BAND_OPACITY
        axes.fill_between(epochs, low, high, color=look.colour, alpha=opacity, linewidth=0)
        if faint:
            edge = {"color": look.colour, "alpha": EDGE_OPACITY, "linewidth": EDGE_WIDTH}
            axes.plot(epochs, np.transpose([low, high]), **edge)
    mean = losses.mean(axis=0)
    axes.plot(epochs, mean, color=look.colour, linestyle=look.dashes, marker=marker, markersize=3)


def _finish_loss(axes: Axes, losses: Sequence[np.ndarray]) -> None:
    """Set limits, whole numbers on the epoch axis, and labels."""
    low, high = loss_range(losses)
    margin = 0.06 * max(high - low, 1e-3 * abs(high))
    axes.set_ylim(low - margin, high + margin)
    last = max(of_ensemble.shape[1] for of_ensemble in losses)
    room = min(0.03 * (last - 1), 0.9) or 0.5  # less than one: there is no epoch 0
    axes.set_xlim(1 - room, last + room)
    steps = (digit * 10**power for power in range(9) for digit in (1, 2, 5))
    step = next(step for step in steps if last <= MAX_TICKS * step)
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.xaxis.set_minor_locator(MultipleLocator(1 if step < 20 else step // 5))
    axes.set_xlabel("epoch")
    axes.set_ylabel("validation loss per cell")
