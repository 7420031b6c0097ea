"""Halo field of the least-squares f on one box, and its spectra."""

from collections.abc import Mapping
from functools import partial

from lagbias.artefacts import store
from lagbias.bias.least_squares import LeastSquares
from lagbias.bias.spectra import Spectra
from lagbias.stages.evaluation import evaluate
from lagbias.stages.particle_features import load_features

__all__ = ["predict_least_squares"]


def predict_least_squares(paths: Mapping, *, threads: int) -> Spectra:
    """Paint every particle of a box with its binned f and measure the spectra.

    `paths`: ``least_squares``, ``particles``, ``features`` and ``halo_fields``.
    """
    tables = store.read(paths["least_squares"], LeastSquares)
    spectra, _ = evaluate(
        tables,
        partial(load_features, paths["features"], columns=2),
        paths["particles"],
        paths["halo_fields"],
        seeds=tables.seeds,
        threads=threads,
    )
    return spectra
