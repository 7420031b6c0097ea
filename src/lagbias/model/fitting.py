"""Training of a model on arrays, without the workflow."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from lagbias.bias.ensemble_training import (
    VALIDATION_SEED,
    mean_stride,
    train_ensemble,
    validation_cells,
)
from lagbias.config.model import wrong_value
from lagbias.config.sections import TrainingSettings
from lagbias.features.inputs import input_matrix
from lagbias.features.whitening import apply_map, fit_particles
from lagbias.grids.halo_field import weighted_overdensity
from lagbias.model import alignment, arguments
from lagbias.model.fields import features_of
from lagbias.model.model import Model
from lagbias.runtime import checkpoints as checkpoint_files
from lagbias.runtime.device import choose_device
from lagbias.sources.site_order import sort_by_site
from lagbias.training.training_set import TrainingSet, sample_box

__all__ = ["DEFAULTS", "fit"]

log = logging.getLogger(__name__)

#: Training of the default run (``config/config.yaml``). Steps in an epoch, particles in a cell and
#: the total decay of the learning rate are kept in boxes of other sizes and with other epochs.
DEFAULTS = TrainingSettings(
    cell_size=8.3333,
    subsample=0.1,
    sampling="even",
    hidden_layers=5,
    width=64,
    combinations=0,
    epochs=20,
    validation_interval=4,
    learning_rate=2.0e-3,
    learning_rate_decay=0.768,
    cells_per_batch=40,
    fixed_batches=False,
    loss="squared",
    constraint="normalise",
    constraint_sample=100_000,
    fourier_rounds=0,
    fourier_cut=0.6,
    fourier_power_weight=5.0,
    device="auto",
)
_STEPS_PER_EPOCH = 675
_PARTICLES_PER_CELL = 30
#: Cells of the batches in small boxes: fewer make noisy steps.
_FEWEST_CELLS = 10
#: Of the grid of the Fourier-space loss [Mpc/h], about.
_EVALUATION_CELL = 2.0


@dataclass(frozen=True)
class _Box:
    """A simulation, its particles in the order of their sites, and its halo field."""

    density: np.ndarray
    position: np.ndarray
    site: np.ndarray
    halo_field: np.ndarray
    evaluation: np.ndarray
    box_size: float

    @classmethod
    def of(
        cls,
        n_cells: int,
        linear_density: np.ndarray,
        positions: np.ndarray,
        halo_positions: np.ndarray,
        halo_masses: np.ndarray,
        lagrangian_index: np.ndarray | None,
        size: float,
    ) -> _Box:
        """Check the arguments of `fit` and paint the halos on both grids."""
        density = arguments.checked_density(linear_density)
        position = arguments.checked_positions("positions", positions, size)
        site = arguments.checked_sites(lagrangian_index, len(position), len(density))
        site, (position,) = sort_by_site(site.copy(), [position], density.size)
        halos = arguments.checked_positions("halo_positions", halo_positions, size)
        masses = arguments.checked_masses(halo_masses, len(halos))
        alignment.check(density, site, position, size, halos)
        field = weighted_overdensity(halos, masses, size, n_cells, scheme="ngp")
        grid = 2 * round(size / _EVALUATION_CELL / 2)
        evaluation = weighted_overdensity(halos, masses, size, grid, scheme="cic")
        return cls(density, position, site, field, evaluation, size)

    def samples(
        self,
        features_at: Callable[[np.ndarray], np.ndarray],
        matrix: np.ndarray,
        settings: TrainingSettings,
        seeds: Sequence[int],
    ) -> list[TrainingSet]:
        """Draw sub-samples (see `lagbias.training.training_set.sample_box`)."""
        return sample_box(
            self.position,
            self.site,
            self.halo_field,
            lambda rows: apply_map(features_at(self.site[rows]), matrix),
            box_size=self.box_size,
            n_side=len(self.density),
            fraction=settings.subsample,
            sampling=settings.sampling,
            seeds=seeds,
            evaluation=self.evaluation if settings.fourier_rounds else None,
        )


def fit(
    linear_density: np.ndarray,
    positions: np.ndarray,
    halo_positions: np.ndarray,
    halo_masses: np.ndarray,
    lagrangian_index: np.ndarray | None = None,
    *,
    box_size: float,
    smoothing_radii: Sequence[float] = (1.41, 2.83, 5.66),
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    cell_size: float | None = None,
    validation: Mapping[str, np.ndarray] | None = None,
    device: str = "auto",
    threads: int | None = None,
    checkpoints: str | Path | None = None,
    about: Mapping[str, Any] | None = None,
    **training: Any,
) -> Model:
    """Train an ensemble of networks on one simulation.

    With the same arrays, settings and seeds the networks are those of the workflow, bit for bit on
    one machine. Progress is shown on terminals.

    Parameters
    ----------
    linear_density : ndarray, float32, shape (n_grid, n_grid, n_grid)
        Linear density contrast on the grid of the initial conditions, dimensionless; node [i, j, k]
        is at (i, j, k) L / n_grid. Its amplitude cancels: any redshift will do.
    positions : ndarray, float32, shape (P, 3)
        Final comoving positions of the particles [Mpc/h]; those outside of [0, L) are wrapped.
    halo_positions : ndarray, float32, shape (H, 3)
        Halo centres [Mpc/h].
    halo_masses : ndarray, float32, shape (H,)
        Halo masses, in any units. Select the halos before.
    lagrangian_index : ndarray, int, shape (P,), optional
        Flat index (C order) of the node that each particle started from. May be omitted if there is
        one particle for each node, in the order of the nodes.
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    smoothing_radii : sequence of float, keyword-only
        R_f [Mpc/h], ascending, the smallest at least a cell of `linear_density`.
    seeds : sequence of int, keyword-only
        One network for each: seed of its sub-sample, weights and batches.
    cell_size : float, optional, keyword-only
        Side of the cells in which model and halos are compared [Mpc/h]; it has to divide the box.
        The divisor nearest to 8.3 when omitted.
    validation : mapping, optional, keyword-only
        Another simulation of the same `box_size`: ``linear_density``, ``positions``,
        ``halo_positions``, ``halo_masses`` and, where needed, ``lagrangian_index``. The loss on it
        is recorded; training does not depend on it.
    device : {"auto", "cpu", "cuda"}, keyword-only
        Where to train.
    threads : int, optional, keyword-only
        Networks trained concurrently; all cores of this process when omitted.
    checkpoints : str or Path, optional, keyword-only
        Directory in which trainings leave their state every few seconds. The same call continues
        from there after an interruption, with the same result. Removed files mean success.
    about : mapping, optional, keyword-only
        Further JSON values for `Model.about`, such as ``name``, ``redshift`` or a reference.
    **training
        Other keys of the section ``training`` of the configuration, such as ``epochs`` or
        ``hidden_layers``; see `DEFAULTS`.

    Returns
    -------
    Model
        The trained model.

    Raises
    ------
    ValueError
        If an argument does not fit; the message names it.
    lagbias.training.loop.TrainingDiverged
        If the loss grows without bound.

    References
    ----------
    Wu, Muñoz & Eisenstein 2023, JCAP05(2023)040, §2.
    """
    size = arguments.checked_box_size(box_size)
    seeds = arguments.checked_seeds(seeds)
    n_cells = _cells(size, cell_size)
    box = _Box.of(
        n_cells,
        linear_density,
        positions,
        halo_positions,
        halo_masses,
        lagrangian_index,
        size,
    )
    radii = arguments.checked_radii(smoothing_radii, size, box.density)
    threads = arguments.default_threads(threads)
    settings = _settings(box, n_cells, device, training)
    log.info("Computing the features of %d smoothing radii.", len(radii))
    features_at = features_of(box.density, size, radii, threads)
    whitening = fit_particles(lambda rows: features_at(box.site[rows]), len(box.site), list(radii))
    matrix = input_matrix("full", whitening)
    networks = train_ensemble(
        partial(box.samples, features_at, matrix, settings),
        settings,
        seeds=seeds,
        every=apply_map(features_at(box.site[:: mean_stride(len(box.site))]), matrix),
        validation=_validation_sample(validation, n_cells, size, radii, matrix, settings, threads),
        at_once=settings.networks_at_once(len(box.position), threads),
        device=choose_device(device),
        threads=threads,
        checkpoint=lambda seed: _checkpoint(checkpoints, seed),
    )
    with closing(networks):
        trained = sorted(networks, key=lambda network: seeds.index(network.seed))
    for seed in seeds:
        if path := _checkpoint(checkpoints, seed):
            path.unlink(missing_ok=True)
    return Model(
        tuple(trained), matrix, radii, _about(box, halo_masses, settings) | dict(about or {})
    )


def _cells(box_size: float, cell_size: float | None) -> int:
    """Return the number of training cells per side."""
    if cell_size is None:
        return max(1, round(box_size / DEFAULTS.cell_size))
    cells = box_size / cell_size
    if abs(cells - round(cells)) > 1e-3 * cells:
        raise ValueError(
            f"cell_size = {cell_size:g} Mpc/h does not divide the box of {box_size:g} Mpc/h; use a "
            f"divisor, such as {box_size / max(1, round(cells)):.5g}, or omit it."
        )
    return round(cells)


def _settings(box: _Box, n_cells: int, device: str, training: dict[str, Any]) -> TrainingSettings:
    """Return the default training with what was given, and with what follows from the box."""
    if unknown := set(training) - set(TrainingSettings.model_fields):
        known = ", ".join(sorted(TrainingSettings.model_fields))
        raise ValueError(f"{sorted(unknown)} are no keyword arguments of fit or settings: {known}.")
    epochs = training.get("epochs", DEFAULTS.epochs)
    of_the_box = {
        "cell_size": box.box_size / n_cells,
        "subsample": min(1.0, _PARTICLES_PER_CELL * n_cells**3 / len(box.position)),
        "cells_per_batch": max(_FEWEST_CELLS, round(n_cells**3 / _STEPS_PER_EPOCH)),
        "learning_rate_decay": DEFAULTS.learning_rate_decay ** (DEFAULTS.epochs / epochs),
        "validation_interval": max(1, epochs // 5),
        "device": device,
    }
    try:
        return TrainingSettings(**(DEFAULTS.model_dump() | of_the_box | training))
    except ValidationError as error:
        raise ValueError(wrong_value(error.errors()[0])) from None


def _validation_sample(
    validation: Mapping[str, Any] | None,
    n_cells: int,
    box_size: float,
    radii: np.ndarray,
    matrix: np.ndarray,
    settings: TrainingSettings,
    threads: int,
) -> TrainingSet | None:
    """Return the sub-sample of another box on which the loss is recorded, or None."""
    if validation is None:
        return None
    box = _Box.of(n_cells, **{"lagrangian_index": None, **validation}, size=box_size)
    features_at = features_of(box.density, box_size, radii, threads)
    (sample,) = box.samples(features_at, matrix, settings, [VALIDATION_SEED])
    return validation_cells(sample)


def _checkpoint(directory: str | Path | None, seed: int) -> Path | None:
    return checkpoint_files.path_for(Path(directory, f"seed{seed}")) if directory else None


def _about(box: _Box, halo_masses: np.ndarray, settings: TrainingSettings) -> dict[str, Any]:
    masses = np.asarray(halo_masses, np.float64)
    return {
        "trained_on": {"box_size": box.box_size, "n_grid": len(box.density)},
        "halos": {
            "n_halos": len(masses),
            "min_mass": float(masses.min()),
            "max_mass": float(masses.max()),
            "mean_mass": float(np.average(masses, weights=masses)),
        },
        "training": settings.model_dump(),
    }
