"""What a network is trained on: factors, targets, and the way from a box to it."""

import numpy as np
import pytest

from lagbias.training.subsample import draw_subsample
from lagbias.training.training_set import (
    TrainingSet,
    build_training_set,
    sample_box,
    some_cells,
)


def test_cell_factors_restore_the_counts():
    cells = np.repeat([1, 2, 3, 4, 7], [1, 9, 10, 35, 1]).astype(np.int32)
    overdensity = np.arange(8.0).reshape(2, 2, 2)
    sample = draw_subsample(cells, 8, 0.3, np.random.default_rng(0))
    inputs = np.arange(2.0 * len(sample.particles)).reshape(-1, 2)
    made = build_training_set(sample, inputs, overdensity)
    assert made.inputs.dtype == made.target.dtype == made.cell_factor.dtype == np.float32
    np.testing.assert_array_equal(made.target, [2, 3, 4, 5, 8])
    # with f = 1 every cell holds its own particles over the mean per cell
    density = made.cell_factor * np.diff(made.cell_start)
    np.testing.assert_allclose(density, np.array([1, 9, 10, 35, 1]) * 8 / 56, rtol=1e-6)
    assert made.n_cells == 8


@pytest.mark.parametrize(
    "change",
    [
        {"cell_start": np.array([0, 2, 2, 4])},
        {"cell_start": np.array([0, 1, 2, 3])},
        {"target": np.ones(2, np.float32)},
        {"n_cells": 2},
        {"cell_index": np.arange(2)},
    ],
)
def test_training_set_must_fit_together(change):
    arrays = {
        "inputs": np.ones((4, 1), np.float32),
        "cell_start": np.array([0, 1, 2, 4]),
        "cell_factor": np.ones(3, np.float32),
        "target": np.ones(3, np.float32),
        "n_cells": 5,
        "cell_index": np.array([0, 2, 4]),
    }
    TrainingSet(**arrays)
    with pytest.raises(ValueError, match="Inconsistent training set"):
        TrainingSet(**{**arrays, **change})


def test_some_cells_keep_their_particles_and_targets():
    counts = np.arange(1, 61)
    start = np.concatenate(([0], np.cumsum(counts)))
    cell_of = np.repeat(np.arange(60), counts)
    whole = TrainingSet(
        inputs=np.stack([cell_of, np.arange(len(cell_of))], axis=1).astype(np.float32),
        cell_start=start,
        cell_factor=np.arange(60, dtype=np.float32),
        target=np.arange(60, dtype=np.float32) + 100,
        n_cells=90,
        cell_index=np.arange(0, 120, 2),
    )
    some = some_cells(whole, 20, seed=3)
    chosen = some.cell_index // 2
    assert len(chosen) == 20
    assert some.n_cells == 30
    assert np.all(np.diff(chosen) > 0)
    np.testing.assert_array_equal(some.target, chosen + 100)
    np.testing.assert_array_equal(some.cell_factor, chosen)
    rows = [row for cell in chosen for row in range(start[cell], start[cell + 1])]
    np.testing.assert_array_equal(some.inputs, whole.inputs[rows])
    np.testing.assert_array_equal(np.diff(some.cell_start), counts[chosen])
    np.testing.assert_array_equal(some_cells(whole, 20, seed=3).cell_index, some.cell_index)
    assert some_cells(whole, 60, seed=3) is whole


def test_a_box_becomes_a_training_set():
    """Eight particles in three cells, whose input is their row: every piece where it belongs."""
    # cells of 2 Mpc/h centred on their nodes: x < 1 or >= 3 is node 0, the rest node 1
    positions = np.zeros((8, 3), np.float32)
    positions[2:5, 0], positions[5:, 1] = 2.0, 1.5
    sites = np.array([5, 3, 0, 7, 1, 2, 6, 4])
    made, again = sample_box(
        positions,
        sites,
        np.arange(8.0).reshape(2, 2, 2),
        lambda rows: rows.astype(np.float32)[:, None],
        box_size=4.0,
        n_side=2,
        fraction=1.0,
        sampling="random",
        seeds=[0, 1],
    )
    for name in ("inputs", "cell_start", "target"):  # all particles, in any draw
        np.testing.assert_array_equal(getattr(again, name), getattr(made, name))
    np.testing.assert_array_equal(made.cell_start, [0, 2, 5, 8])
    np.testing.assert_array_equal(made.inputs[:, 0], [0, 1, 5, 6, 7, 2, 3, 4])
    np.testing.assert_array_equal(made.target, [1.0, 3.0, 5.0])
    np.testing.assert_allclose(made.cell_factor, 1.0)
