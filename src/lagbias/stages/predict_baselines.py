"""Halo fields of the models that networks are compared with, on one box."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from lagbias.artefacts import store
from lagbias.bias import polynomial, transfer_functions
from lagbias.bias.gaussian_bias import GaussianBias
from lagbias.bias.least_squares import LeastSquares
from lagbias.bias.polynomial import PolynomialBias
from lagbias.bias.prediction import ModelField, Weights
from lagbias.bias.transfer_functions import TransferFunctions
from lagbias.grids.weighted_fields import paint_weighted
from lagbias.sources.base import Particles
from lagbias.stages.particle_features import load_features

__all__ = ["predict_baselines"]


def predict_baselines(
    paths: Mapping, *, evaluation_grid: int, threads: int
) -> dict[str, ModelField]:
    """Paint every particle of a box with the models that `lagbias.stages.fit_baselines` has fitted.

    `paths`: ``particles``, ``features`` of one radius, and one for each model. The result has a
    field for each model, by its name; all have a mean of zero.
    """
    positions = store.read_array(paths["particles"], Particles, "position")
    box_size = store.header(paths["particles"], Particles).attributes["box_size"]
    on_grid = {"box_size": box_size, "n_grid": evaluation_grid, "threads": threads}
    features_of = partial(load_features, paths["features"])
    basis = polynomial.basis_fields(features_of, positions, **on_grid).fields
    fitted = store.read(paths["polynomial"], PolynomialBias)
    transfer = store.read(paths["transfer"], TransferFunctions)
    fields = {
        "polynomial": polynomial.model_field(basis, fitted.coefficients),
        "transfer": transfer_functions.model_field(
            transfer, basis, box_size=box_size, threads=threads
        ),
    }
    del basis
    for name, kind in (("gaussian", GaussianBias), ("filtered_least_squares", LeastSquares)):
        weights = store.read(paths[name], kind)
        fields[name] = _paint(weights, features_of, positions, **on_grid)
    return {name: ModelField(evaluation=field, box_size=box_size) for name, field in fields.items()}


def _paint(
    weights: Weights,
    features_of: Callable[..., np.ndarray],
    positions: np.ndarray,
    *,
    box_size: float,
    n_grid: int,
    threads: int,
) -> np.ndarray:
    """Return the overdensity of particles with an f of δ and ∇²δ."""
    painted = paint_weighted(
        lambda rows: weights.evaluate(features_of(rows, columns=2), threads=threads),
        positions,
        n_weights=1,
        box_size=box_size,
        n_grid=n_grid,
        threads=threads,
    )
    return painted.fields[0]
