"""Least-squares f of one smoothing set."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from lagbias.bias import least_squares as fit
from lagbias.bias.binned import make_bins
from lagbias.stages.particle_features import load_features
from lagbias.stages.samples import load_samples
from lagbias.stages.training_boxes import TrainingBox

if TYPE_CHECKING:
    from lagbias.config.sections import LeastSquaresSettings, TrainingSettings

__all__ = ["least_squares"]


def least_squares(
    box: TrainingBox,
    settings: LeastSquaresSettings,
    training: TrainingSettings,
    *,
    seeds: Sequence[int],
) -> fit.LeastSquares:
    """Solve for f in bins of δ and ∇²δ, once for the sub-sample of each seed."""
    samples = load_samples(
        box,
        partial(load_features, box.features, columns=2),
        fraction=training.subsample,
        sampling=training.sampling,
        seeds=seeds,
    )
    # common bins, so that the f of the sub-samples can be averaged
    bins = make_bins(samples[0].inputs, **dict(settings))
    normals = [fit.normal_equations(sample, bins) for sample in samples]
    return fit.solve_tables(normals, bins, seeds)
