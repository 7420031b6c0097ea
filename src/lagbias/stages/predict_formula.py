"""Halo field of the formula for f of two components, on one box."""

from collections.abc import Mapping

from lagbias.artefacts import store
from lagbias.bias.prediction import ModelField
from lagbias.bias.surface import Surface
from lagbias.grids.weighted_fields import paint_weighted
from lagbias.sources.base import Particles
from lagbias.stages.ensembles import load_inputs_of

__all__ = ["predict_formula"]


def predict_formula(paths: Mapping, *, evaluation_grid: int, threads: int) -> ModelField:
    """Paint every particle of a box with the formula.

    `paths`: ``surface``, ``particles`` and ``features``.
    """
    surface = store.read(paths["surface"], Surface)
    inputs_of = load_inputs_of(paths["features"], surface.matrix)
    box_size = store.header(paths["particles"], Particles).attributes["box_size"]
    painted = paint_weighted(
        lambda rows: surface.evaluate(inputs_of(rows), threads=threads),
        store.read_array(paths["particles"], Particles, "position"),
        n_weights=1,
        box_size=box_size,
        n_grid=evaluation_grid,
        threads=threads,
    )
    return ModelField(evaluation=painted.fields[0], box_size=box_size)
