"""What figures of several models share: order, colours and names, and means over boxes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from lagbias.bias.comparison import Comparison
from lagbias.bias.comparison_summary import check_boxes, group_by_model, model_name
from lagbias.bias.spectra import Spectra, rebin
from lagbias.figures.common import (
    BLACK,
    BLUE,
    DASH_DOT,
    DASHES,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    LineStyle,
    set_label,
)
from lagbias.figures.curves import RatioCurve
from lagbias.schema.labels import WITH_TRANSFER

__all__ = [
    "BAND_OPACITY",
    "NETWORKS",
    "OTHERS",
    "TRANSFERRED",
    "Powers",
    "box_curve",
    "by_model",
    "limit_range",
    "mean_of_boxes",
    "model_labels",
    "model_looks",
]

#: Bands of many models overlap: fainter than those of `lagbias.figures.common`.
BAND_OPACITY = 0.12
#: Networks as in the paper, those trained otherwise, and networks with transfer functions.
NETWORKS, OTHERS, TRANSFERRED = LineStyle(BLACK), LineStyle(VERMILION), LineStyle(ORANGE)
_STYLES: Mapping[str, LineStyle] = {
    "full": NETWORKS,
    "polynomial": LineStyle(BLUE, DASH_DOT),
    "transfer": LineStyle(SKY, (0, (1.0, 1.0))),
    "gaussian": LineStyle(GREEN, (0, (2.5, 1.2))),
    "filtered_least_squares": LineStyle(PURPLE, (0, (5.0, 1.2, 1.0, 1.2, 1.0, 1.2))),
}


class Powers(NamedTuple):
    """Spectra in merged bins [(Mpc/h)³], each of shape (b,), and the shot noise."""

    k: np.ndarray
    model: np.ndarray
    cross: np.ndarray
    halo: np.ndarray
    shot_noise: np.ndarray


def by_model(comparisons: Sequence[Comparison]) -> list[list[Comparison]]:
    """Group comparisons by model, with those on all boxes in each group.

    Raises
    ------
    ValueError
        If there are none, or a model was not compared on the boxes of the others.
    """
    groups = list(group_by_model(comparisons).values())
    boxes = {tuple(one.target_box for one in group) for group in groups}
    if len(boxes) != 1:
        raise ValueError(
            f"Models were compared on the boxes {sorted(boxes)}; at least one model is needed, and "
            "the same boxes for all, in the same order."
        )
    for group in groups:
        check_boxes(group)
    return groups


def model_looks(
    models: Sequence[Sequence[Comparison]], smoothing_sets: Mapping[str, Sequence[float]]
) -> list[LineStyle]:
    """Return the line style of each model: networks on one radius are dashed."""
    looks = []
    for one, *_ in models:
        otherwise = TRANSFERRED if one.inputs.endswith(WITH_TRANSFER) else OTHERS
        look = _STYLES.get(one.inputs, otherwise)
        dashed = look.dashes == "solid" and len(smoothing_sets[one.smoothing_set]) == 1
        looks.append(replace(look, dashes=DASHES) if dashed else look)
    return looks


def model_labels(models: Sequence[Sequence[Comparison]]) -> list[str]:
    """Name each model, networks with their smoothing set."""
    baselines = _STYLES.keys() - {"full"}
    return [
        model_name(one.inputs)
        + ("" if one.inputs in baselines else f", {set_label(one.smoothing_set)}")
        for one, *_ in models
    ]


def box_curve(
    comparisons: Sequence[Comparison],
    function: Callable[[Powers], np.ndarray],
    *,
    k_max: float = 1.0,
) -> RatioCurve:
    """Return a function of the spectra averaged over boxes, and its range among the boxes.

    Bins are merged as in `lagbias.bias.spectra.rebin`, up to `k_max` [h/Mpc].
    """
    boxes = [_merged(one) for one in comparisons]
    mean = Powers(*(np.mean(values, axis=0) for values in zip(*boxes, strict=True)))
    shown = mean.k <= k_max
    each = np.stack([function(powers)[shown] for powers in boxes])
    return RatioCurve(mean.k[shown], function(mean)[shown], each.min(axis=0), each.max(axis=0))


def _merged(comparison: Comparison) -> Powers:
    """Merge bins; for this, a model is an ensemble of one."""
    model, cross = comparison.model_power, comparison.cross_power
    merged = rebin(
        Spectra(
            k=comparison.k,
            n_modes=comparison.n_modes,
            halo_power=comparison.halo_power,
            model_power=model[None],
            cross_power=cross[None],
            average_model_power=model,
            average_cross_power=cross,
            mean_f=np.ones(1),
            average_mean_f=np.ones(1),
            seeds=np.zeros(1, dtype=np.int64),
        )
    )
    return Powers(
        merged.k,
        merged.average_model_power,
        merged.average_cross_power,
        merged.halo_power,
        np.array(comparison.shot_noise),
    )


def mean_of_boxes(spectra: Sequence[Spectra]) -> Spectra:
    """Average the powers of one ensemble over boxes.

    Raises
    ------
    ValueError
        If the spectra are of several ensembles, or their bins differ.
    """
    first = spectra[0]
    labels = group_by_model(spectra)
    if len(labels) > 1 or not all(np.array_equal(s.n_modes, first.n_modes) for s in spectra):
        raise ValueError(
            f"Spectra of {sorted(labels)}: give those of one ensemble, on boxes of one size and "
            "with one grid."
        )
    powers = ("halo_power", "model_power", "cross_power")
    powers += ("average_model_power", "average_cross_power")
    means = {name: np.mean([getattr(s, name) for s in spectra], axis=0) for name in powers}
    return replace(first, target_box="", second_order={}, **means)


def limit_range(axes: Axes, low: float, high: float) -> None:
    """Leave out what is below `low` or above `high`, where models are simply wrong."""
    bottom, top = axes.get_ylim()
    axes.set_ylim(max(bottom, low), min(top, high))
