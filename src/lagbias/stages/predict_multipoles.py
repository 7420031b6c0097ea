"""Halo field of an ensemble on one box in redshift space, and its multipoles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lagbias.artefacts import store
from lagbias.bias.multipoles import Multipoles, measure_multipoles
from lagbias.grids.halo_field import weighted_overdensity
from lagbias.grids.redshift_space import redshift_space, velocity_to_shift
from lagbias.grids.weighted_fields import paint_weighted
from lagbias.sources.base import Halos, Particles
from lagbias.stages.ensembles import load_ensemble, load_input_matrix, load_inputs_of
from lagbias.stages.tracers import tracers_of

if TYPE_CHECKING:
    from lagbias.config.sections import HaloSample

__all__ = ["predict_multipoles"]


def predict_multipoles(
    paths: Mapping,
    *,
    sample: HaloSample,
    inputs: str,
    eigenvalue_cut: float | None,
    evaluation_grid: int,
    device: str,
    threads: int,
) -> Multipoles:
    """Paint particles, with the average f of an ensemble, and tracers in redshift space.

    `paths`: ``networks``, ``whitening``, ``particles``, ``halos``, ``features`` and, for ``pc2``,
    ``components``; `eigenvalue_cut` is for ``cut``.

    Raises
    ------
    ValueError
        If the box has no velocities.
    """
    ensemble, _ = load_ensemble(paths["networks"], device=device)
    matrix = load_input_matrix(inputs, paths["whitening"], paths.get("components"), eigenvalue_cut)
    inputs_of = load_inputs_of(paths["features"], matrix)

    def average_f(rows: slice) -> np.ndarray:
        return ensemble.evaluate(inputs_of(rows), threads=threads).mean(axis=0, keepdims=True)

    box_size, halos = _halo_field(paths["halos"], sample, evaluation_grid)
    model = paint_weighted(
        average_f,
        _particles_in_redshift_space(paths["particles"]),
        n_weights=1,
        box_size=box_size,
        n_grid=evaluation_grid,
        threads=threads,
    )
    found = measure_multipoles(model.fields[0], halos, box_size=box_size, threads=threads)
    return replace(found, mean_f=model.mean_weight)


def _particles_in_redshift_space(path: str | Path) -> np.ndarray:
    """Return positions in redshift space [Mpc/h], (P, 3)."""
    box = store.read(path, Particles)
    if not len(box.velocity):
        raise ValueError(f"{path} has no velocities of particles, which redshift space needs.")
    shift = velocity_to_shift(box.attributes["omega_m"], box.attributes["redshift"])
    return redshift_space(box.position, box.velocity, box_size=box.box_size, shift=shift)


def _halo_field(path: str | Path, sample: HaloSample, n_grid: int) -> tuple[float, np.ndarray]:
    """Return L [Mpc/h] and the overdensity of tracers in redshift space, float32, (n, n, n)."""
    box = store.read(path, Halos)
    if not box.velocity.any():
        raise ValueError(f"{path} has no velocities of halos, which redshift space needs.")
    tracers = tracers_of(box, sample)
    shift = velocity_to_shift(box.attributes["omega_m"], box.attributes["redshift"])
    position = redshift_space(
        tracers.position, tracers.velocity, box_size=box.box_size, shift=shift
    )
    field = weighted_overdensity(position, tracers.weights, box.box_size, n_grid, scheme="cic")
    return box.box_size, field
