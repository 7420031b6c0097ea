"""Models that networks are compared with, fitted to one or several boxes together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lagbias.artefacts import store
from lagbias.bias import gaussian_bias, least_squares, polynomial, transfer_functions
from lagbias.bias.binned import make_bins
from lagbias.bias.gaussian_bias import GaussianBias
from lagbias.bias.least_squares import LeastSquares, NormalEquations
from lagbias.bias.polynomial import PolynomialBias
from lagbias.bias.transfer_functions import TransferFunctions
from lagbias.features.particles import ParticleFeatures
from lagbias.grids.halo_field import HaloFields
from lagbias.sources.base import Particles
from lagbias.stages.particle_features import load_features
from lagbias.stages.samples import load_samples
from lagbias.stages.training_boxes import TrainingBox

if TYPE_CHECKING:
    from lagbias.config.sections import LeastSquaresSettings, TrainingSettings

__all__ = ["Baselines", "fit_baselines"]


class Baselines(NamedTuple):
    """The models, by the names in `lagbias.config.checks.BASELINES`."""

    polynomial: PolynomialBias
    transfer: TransferFunctions
    gaussian: GaussianBias
    filtered_least_squares: LeastSquares


def fit_baselines(
    boxes: Sequence[TrainingBox],
    settings: LeastSquaresSettings,
    training: TrainingSettings,
    *,
    rf: float,
    seed: int,
    threads: int,
) -> Baselines:
    """Fit all models to boxes with features of one smoothing radius `rf` [Mpc/h].

    `training` has the filter's cut, and how the sub-sample of each box is drawn for least squares,
    with `seed`. The other models are fitted to all particles.
    """
    box_size = store.header(boxes[0].halo_fields, HaloFields).attributes["box_size"]
    sigma = [store.read_array(box.features[0], ParticleFeatures, "sigma") for box in boxes]
    common = {"sigma": np.mean(sigma, axis=0), "cut": training.fourier_cut}
    # before the positions of all boxes are read
    tables = _least_squares(boxes, settings, training, box_size, rf, seed, threads)
    weights, transfer = _of_basis_fields(boxes, box_size=box_size, threads=threads, **common)
    loaded = [_load(box, columns=2) for box in boxes]
    return Baselines(
        polynomial=weights,
        transfer=transfer,
        gaussian=gaussian_bias.fit(loaded, box_size=box_size, threads=threads, **common),
        filtered_least_squares=tables,
    )


def _load(box: TrainingBox, columns: int) -> gaussian_bias.Box:
    """Read positions and halo field; the first columns of features are read a slice at a time."""
    return gaussian_bias.Box(
        features_of=partial(load_features, box.features, columns=columns),
        positions=store.read_array(box.particles, Particles, "position"),
        halo_overdensity=store.read_array(box.halo_fields, HaloFields, "evaluation"),
    )


def _of_basis_fields(
    boxes: Sequence[TrainingBox], *, box_size: float, sigma: np.ndarray, cut: float, threads: int
) -> tuple[PolynomialBias, TransferFunctions]:
    """Fit the two models whose fields are combinations of the same five, a box at a time."""
    normals, products, averages, particles = [], [], [], []
    for box in boxes:
        features_of, positions, halos = _load(box, columns=3)
        basis = polynomial.basis_fields(
            features_of, positions, box_size=box_size, n_grid=len(halos), threads=threads
        )
        of_box = {"box_size": box_size, "threads": threads}
        normals.append(polynomial.normal_equations(basis.fields, halos, cut=cut, **of_box))
        products.append(transfer_functions.binned_products(basis.fields, halos, **of_box))
        averages.append(basis.averages)
        particles.append(len(positions))
    weights = PolynomialBias(
        coefficients=polynomial.solve(np.sum(normals, axis=0)),
        averages=np.average(averages, axis=0, weights=particles),
        sigma=sigma,
        cut=cut,
    )
    return weights, transfer_functions.solve(products)


def _least_squares(
    boxes: Sequence[TrainingBox],
    settings: LeastSquaresSettings,
    training: TrainingSettings,
    box_size: float,
    rf: float,
    seed: int,
    threads: int,
) -> LeastSquares:
    """Solve for f in bins of δ and ∇²δ from the modes below 1/R_f (Wu et al. 2022)."""
    samples = [
        load_samples(
            box,
            partial(load_features, box.features, columns=2),
            fraction=training.subsample,
            sampling=training.sampling,
            seeds=[seed],
        )[0]
        for box in boxes
    ]
    bins = make_bins(np.concatenate([each.inputs for each in samples]), **dict(settings))
    options = {"box_size": box_size, "k_max": 1.0 / rf, "threads": threads}
    normals = [least_squares.filtered_normal_equations(each, bins, **options) for each in samples]
    return least_squares.solve_tables([_total(normals)], bins, [seed])


def _total(normals: Sequence[NormalEquations]) -> NormalEquations:
    """Add the equations of boxes of one size; ⟨f⟩ = 1 is that of the mean over all of them."""
    return NormalEquations(
        matrix=np.sum([each.matrix for each in normals], axis=0),
        rhs=np.sum([each.rhs for each in normals], axis=0),
        target_square=sum(each.target_square for each in normals),
        weights=np.mean([each.weights for each in normals], axis=0),
        n_cells=sum(each.n_cells for each in normals),
    )
