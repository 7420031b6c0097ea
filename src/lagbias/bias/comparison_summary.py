"""Numbers that sum up how well a model describes the halos of several boxes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from lagbias.bias.comparison import Comparison
from lagbias.bias.spectra import Spectra
from lagbias.grids.bispectrum import equilateral, squeezed
from lagbias.schema.labels import WITH_TRANSFER, EvaluationLabels

__all__ = [
    "MODEL_NAMES",
    "ModelSummary",
    "OverBoxes",
    "bispectrum_amplitude",
    "check_boxes",
    "expected_scatter",
    "group_by_model",
    "model_name",
    "summarise",
]

#: What models are called; networks of a variant have its name.
MODEL_NAMES: Mapping[str, str] = {
    "full": "networks as in the paper",
    "fourier": "networks, Fourier-space loss",
    "pc2": "networks, two components",
    "formula": "formula of two components",
    "polynomial": "polynomial bias",
    "transfer": "polynomial, transfer functions",
    "gaussian": "Gaussian bias",
    "filtered_least_squares": "least squares, k cut",
}
#: Ranges of k [h/Mpc], the upper limit exclusive.
LARGE_SCALES, MIDDLE_SCALES, SMALL_SCALES = (0.0, 0.1), (0.1, 0.3), (0.3, 0.6)
#: Fewest modes of a bin whose deviation counts: sample variance of the power itself is then 14 %.
MIN_MODES = 100
#: Fields that the comparisons of a model on several boxes have in common.
_EQUAL = ("k", "n_modes", "radii", "delta_edges", "triangles")
_Result = TypeVar("_Result", bound=EvaluationLabels)


@dataclass(frozen=True)
class OverBoxes:
    """A number on each box, and the mean; NaN where nothing was measured."""

    mean: float
    boxes: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class ModelSummary:
    """Numbers of one model on several boxes, dimensionless; k is in h/Mpc.

    Attributes
    ----------
    train_box, sample, smoothing_set, inputs : str
        Labels of the model, see `lagbias.schema.labels.EnsembleLabels`.
    boxes : tuple of str
        Boxes of the values in `OverBoxes`.
    ratio, cross_ratio : OverBoxes
        ⟨P_model/P_h⟩ and ⟨P_hm/P_h⟩ at k < 0.1, by number of modes.
    ratio_scatter : OverBoxes
        Standard deviation of `ratio` from the finite number of modes (`expected_scatter`) on each
        box and, as ``mean``, of the mean over the boxes.
    ratio_range : float
        Largest less smallest ⟨P_model/P_h⟩ of the networks, on the box where that is largest; NaN
        for a single model.
    ratio_deviation_to_0_3, ratio_deviation_to_0_6, cross_deviation_to_0_3 : float
        Largest |P_model/P_h - 1|, and |P_hm/P_h - 1|, of the spectra summed over boxes, in bins up
        to this k with at least 100 modes in each box.
    uncorrelated, uncorrelated_0_1_to_0_3 : OverBoxes
        ⟨P_uncorr/P_h⟩ at k < 0.1 and at 0.1 ≤ k < 0.3.
    correlation_0_3_to_0_6 : OverBoxes
        ⟨r⟩ at 0.3 ≤ k < 0.6.
    error_power, error_power_0_1_to_0_3 : OverBoxes
        ⟨P_err⟩ over the shot noise at k < 0.1 and at 0.1 ≤ k < 0.3.
    wasserstein : dict of str to OverBoxes
        Wasserstein-1 distance in standard deviations of the halos' smoothed δ, for each radius
        [Mpc/h].
    skewness_ratio : dict of str to OverBoxes
        ⟨δ³⟩/⟨δ²⟩² of the model over that of the halos, for each radius [Mpc/h].
    bispectrum : dict of str to OverBoxes
        Amplitude A of B_model = A B_h (`bispectrum_amplitude`) of ``equilateral``, ``squeezed`` and
        ``all`` triangles.
    """

    train_box: str
    sample: str
    smoothing_set: str
    inputs: str
    boxes: tuple[str, ...]
    ratio: OverBoxes
    ratio_scatter: OverBoxes
    ratio_range: float
    ratio_deviation_to_0_3: float
    ratio_deviation_to_0_6: float
    cross_ratio: OverBoxes
    cross_deviation_to_0_3: float
    uncorrelated: OverBoxes
    uncorrelated_0_1_to_0_3: OverBoxes
    correlation_0_3_to_0_6: OverBoxes
    error_power: OverBoxes
    error_power_0_1_to_0_3: OverBoxes
    wasserstein: dict[str, OverBoxes]
    skewness_ratio: dict[str, OverBoxes]
    bispectrum: dict[str, OverBoxes]


def model_name(inputs: str) -> str:
    """Return what a model is called, such as "networks, two boxes" for the variant two_boxes."""
    networks = inputs.removesuffix(WITH_TRANSFER)
    if networks != inputs:
        return f"{model_name(networks)}, transfer functions"
    return MODEL_NAMES.get(inputs, f"networks, {inputs.replace('_', ' ')}")


def summarise(comparisons: Sequence[Comparison], spectra: Sequence[Spectra] = ()) -> ModelSummary:
    """Sum up one model on several boxes.

    Parameters
    ----------
    comparisons : sequence of Comparison
        One for each box.
    spectra : sequence of Spectra
        Of the networks on the same boxes; none for a model that is a single one.

    Raises
    ------
    ValueError
        If the comparisons are of several models, or their bins or triangles differ.
    """
    check_boxes(comparisons)
    first = comparisons[0]

    def each(function: Callable[[Comparison], float]) -> OverBoxes:
        return _over_boxes([function(one) for one in comparisons])

    scatter = [expected_scatter(one) for one in comparisons]
    ranges = [np.ptp(each_box.mean_ratios(LARGE_SCALES[1])) for each_box in spectra]
    model, cross = (_summed_ratio(comparisons, name) for name in ("model_power", "cross_power"))
    return ModelSummary(
        train_box=first.train_box,
        sample=first.sample,
        smoothing_set=first.smoothing_set,
        inputs=first.inputs,
        boxes=tuple(one.target_box for one in comparisons),
        ratio=each(lambda c: _mean(c, c.ratio, LARGE_SCALES)),
        ratio_scatter=OverBoxes(
            float(np.sqrt(np.sum(np.square(scatter)))) / len(scatter), tuple(scatter)
        ),
        ratio_range=float(max(ranges, default=np.nan)),
        ratio_deviation_to_0_3=_deviation(first, model, 0.3),
        ratio_deviation_to_0_6=_deviation(first, model, 0.6),
        cross_ratio=each(lambda c: _mean(c, c.cross_ratio, LARGE_SCALES)),
        cross_deviation_to_0_3=_deviation(first, cross, 0.3),
        uncorrelated=each(lambda c: _mean(c, c.uncorrelated, LARGE_SCALES)),
        uncorrelated_0_1_to_0_3=each(lambda c: _mean(c, c.uncorrelated, MIDDLE_SCALES)),
        correlation_0_3_to_0_6=each(lambda c: _mean(c, c.correlation, SMALL_SCALES)),
        error_power=each(lambda c: _mean(c, c.error_power, LARGE_SCALES) / c.shot_noise),
        error_power_0_1_to_0_3=each(
            lambda c: _mean(c, c.error_power, MIDDLE_SCALES) / c.shot_noise
        ),
        **_one_point(comparisons),
        bispectrum={
            name: each(lambda c, chosen=chosen: bispectrum_amplitude(c, chosen(c.triangles)))
            for name, chosen in _TRIANGLES.items()
        },
    )


_TRIANGLES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "equilateral": equilateral,
    "squeezed": squeezed,
    "all": lambda triangles: np.full(len(triangles), True),
}


def expected_scatter(comparison: Comparison, k_range: tuple[float, float] = LARGE_SCALES) -> float:
    """Return the standard deviation of ⟨P_model/P_h⟩ from the finite number of modes.

    N counts k and -k, so N/2 complex modes are independent. For Gaussian fields the measured
    ln P_model and ln P_h have the variance 2/N each and the covariance 2 r²/N, so that of their
    difference is 4 (1 - r²)/N; the mean of R over bins has the weights N / Σ N.

    Parameters
    ----------
    comparison : Comparison
        Its R = P_model/P_h and r(k) are taken for the true ones.
    k_range : tuple of float
        Smallest k and, exclusive, largest [h/Mpc].

    Returns
    -------
    float
        √(4 Σ N R² (1 - r²)) / Σ N, dimensionless; √(4 (1 - r²)/N) of one bin with R = 1. NaN
        without bins.
    """
    modes, chosen = comparison.n_modes, _inside(comparison, k_range)
    if not chosen.any():
        return float("nan")
    # 1 - r² can come out below 0 by rounding
    lost = np.clip(1.0 - comparison.correlation**2, 0.0, None)
    variance = np.sum((4.0 * modes * comparison.ratio**2 * lost)[chosen])
    return float(np.sqrt(variance) / modes[chosen].sum())


def bispectrum_amplitude(comparison: Comparison, chosen: np.ndarray) -> float:
    """Return the A that minimises Σ N (B_model - A B_h)² over N triangles of modes each.

    Parameters
    ----------
    comparison : Comparison
    chosen : ndarray of bool, shape (t,)
        Which triangles count.

    Returns
    -------
    float
        A = Σ N B_model B_h / Σ N B_h², dimensionless; NaN without triangles.
    """
    if not chosen.any():
        return float("nan")
    halo, model = comparison.halo_bispectrum[chosen], comparison.model_bispectrum[chosen]
    weights = comparison.n_triangles[chosen].astype(np.float64)
    return float(np.sum(weights * model * halo) / np.sum(weights * halo**2))


def group_by_model(results: Iterable[_Result]) -> dict[tuple[str, ...], list[_Result]]:
    """Group results by the training box, sample, smoothing set and inputs of their model."""
    groups: dict[tuple[str, ...], list[_Result]] = {}
    for one in results:
        model = (one.train_box, one.sample, one.smoothing_set, one.inputs)
        groups.setdefault(model, []).append(one)
    return groups


def check_boxes(results: Sequence[EvaluationLabels], equal: Sequence[str] = _EQUAL) -> None:
    """Raise ValueError unless results are of one model, on several boxes with equal bins.

    `equal` names the fields that all have in common.
    """
    models = group_by_model(results)
    boxes = [one.target_box for one in results]
    if len(models) != 1 or len(set(boxes)) < len(boxes):
        raise ValueError(
            f"Results of the models {sorted(models)} on the boxes {boxes}: give those of one "
            "model, each box once."
        )
    for name in equal:
        values = [getattr(one, name) for one in results]
        if not all(np.array_equal(values[0], other) for other in values):
            raise ValueError(
                f"The boxes {boxes} have results with different `{name}`. Make them with the same "
                "settings."
            )


def _over_boxes(values: Sequence[float]) -> OverBoxes:
    return OverBoxes(float(np.mean(values)), tuple(map(float, values)))


def _inside(comparison: Comparison, k_range: tuple[float, float]) -> np.ndarray:
    return (comparison.k >= k_range[0]) & (comparison.k < k_range[1])


def _mean(comparison: Comparison, values: np.ndarray, k_range: tuple[float, float]) -> float:
    """Average over a range of k by number of modes; NaN without bins."""
    if not _inside(comparison, k_range).any():
        return float("nan")
    return comparison.mean(values, k_min=k_range[0], k_max=k_range[1])


def _summed_ratio(comparisons: Sequence[Comparison], name: str) -> np.ndarray:
    """Return a power summed over boxes, over the summed P_h, shape (b,)."""
    return sum(getattr(c, name) for c in comparisons) / sum(c.halo_power for c in comparisons)


def _deviation(comparison: Comparison, ratio: np.ndarray, k_max: float) -> float:
    """Return the largest |ratio - 1| in bins with enough modes; NaN without bins."""
    chosen = (comparison.k <= k_max) & (comparison.n_modes >= MIN_MODES)
    return float(np.abs(ratio[chosen] - 1.0).max(initial=0.0)) if chosen.any() else float("nan")


def _one_point(comparisons: Sequence[Comparison]) -> dict[str, dict[str, OverBoxes]]:
    """Return the fields of `ModelSummary` that belong to the radii."""
    found: dict[str, dict[str, OverBoxes]] = {"wasserstein": {}, "skewness_ratio": {}}
    for index, radius in enumerate(comparisons[0].radii):
        distances = [c.wasserstein[index] / np.sqrt(c.halo_moments[index, 0]) for c in comparisons]
        skewness = [c.model_moments[index, 1] / c.halo_moments[index, 1] for c in comparisons]
        found["wasserstein"][f"{radius:g}"] = _over_boxes(distances)
        found["skewness_ratio"][f"{radius:g}"] = _over_boxes(skewness)
    return found
