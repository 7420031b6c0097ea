"""Training, beside two versions in plain PyTorch."""

from collections.abc import Callable, Iterator

import numpy as np

from lagbias.training import loop as train

from . import data
from .plain_training import train_textbook, train_with_index_add
from .settings import Settings
from .timing import Comparison, Contender, torch_threads

__all__ = ["CELLS_PER_BATCH", "PER_CELL", "comparisons", "operations_per_particle"]

#: Particles a cell and cells a batch of the default run, and particles a cell of the paper.
PER_CELL, CELLS_PER_BATCH, PAPER_PER_CELL = 30.0, 40, 15.5
N_INPUTS = 7
#: Epochs timed, those of the default run and of the paper: the set-up and the last pass, for the
#: mean of f, are part of every training. `train_with_index_add` takes no more than the first.
EPOCHS, PAPER_EPOCHS = 20, 50
#: Steps of the textbook version, which is slow, where batches are small and where they are large.
TEXTBOOK_STEPS, TEXTBOOK_PAPER_STEPS = 10, 1

#: Largest difference of a weight in units of the largest change, or relative one of the mean f.
TOLERANCE = 1e-3
_CHECK_EPOCHS, _CHECK_CELLS = 4, 200


def comparisons(settings: Settings, _scene) -> Iterator[Comparison]:
    """Compare trainings of the default run's batches and of the paper's."""
    sizes = settings.sizes
    cases = (
        ("default run", CELLS_PER_BATCH, PER_CELL, EPOCHS, sizes.batches, TEXTBOOK_STEPS),
        (
            "paper",
            sizes.paper_cells,
            PAPER_PER_CELL,
            PAPER_EPOCHS,
            sizes.paper_batches,
            TEXTBOOK_PAPER_STEPS,
        ),
    )
    for name, per_batch, per_cell, epochs, batches, steps in cases:
        chosen = _chosen(settings, cells_per_batch=per_batch, epochs=epochs)
        cells = data.training_set(batches * per_batch, per_cell, N_INPUTS)
        shown = min(steps, batches)
        yield Comparison(
            stage="training",
            title=f"batches of {per_batch} cells with {per_cell:g} particles ({name})",
            unit="particles",
            contenders=_contenders(cells, chosen, settings.threads, steps=shown),
            check=lambda chosen=chosen: _check(chosen, settings.threads),
            tolerance=TOLERANCE,
            because="rounding, which Adam's first steps magnify where a gradient is near 0,",
            # the inputs and the y of each particle pass through memory forwards and backwards
            least_bytes=2 * 4 * (N_INPUTS + 1),
            least_operations=operations_per_particle(N_INPUTS, sizes),
        )


def operations_per_particle(n_inputs: int, sizes) -> float:
    """Return the operations of the layers' products: forwards, and twice as many backwards."""
    weights = n_inputs * sizes.width + (sizes.hidden_layers - 1) * sizes.width**2 + sizes.width
    return 3.0 * 2.0 * weights


def _chosen(settings: Settings, **changes):
    sizes = settings.sizes
    return data.training_settings(
        hidden_layers=sizes.hidden_layers, width=sizes.width, constraint="normalise", **changes
    )


def _contenders(cells, chosen, threads: int, *, steps: int) -> list[Contender]:
    """Return the three trainings; the textbook one takes so many steps of one epoch."""
    weights = data.initial_weights(N_INPUTS, chosen.hidden_layers, chosen.width, seed=0)
    total = float(len(cells.inputs))
    few = min(chosen.epochs, EPOCHS)
    taken = total * min(1.0, steps * chosen.cells_per_batch / len(cells.target))
    runs: list[tuple[str, Callable, float]] = [
        ("lagbias", lambda: train.train(cells, chosen, seed=0), chosen.epochs * total),
        (
            "PyTorch, index_add_",
            lambda: train_with_index_add(cells, chosen, weights, epochs=few, seed=0),
            few * total,
        ),
        (
            "PyTorch, DataLoader and loop over cells",
            lambda: train_textbook(cells, chosen, weights, epochs=1, seed=0, max_steps=steps),
            taken,
        ),
    ]
    return [Contender(name, _with_threads(run, threads), work) for name, run, work in runs]


def _with_threads(run: Callable, threads: int) -> Callable:
    def wrapped():
        with torch_threads(threads):
            return run()

    return wrapped


def _check(chosen, threads: int) -> dict[str, float]:
    """Train all three on one batch an epoch, where the order of cells makes no difference."""
    cells = data.training_set(_CHECK_CELLS, 5.0, N_INPUTS, seed=1)
    few = chosen.model_copy(update={"epochs": _CHECK_EPOCHS, "cells_per_batch": _CHECK_CELLS})
    weights = data.initial_weights(N_INPUTS, chosen.hidden_layers, chosen.width, seed=0)
    with torch_threads(threads):
        ours = train.train(cells, few, seed=0)
        others = {
            "PyTorch, index_add_": train_with_index_add,
            "PyTorch, DataLoader and loop over cells": train_textbook,
        }
        made = {n: t(cells, few, weights, epochs=few.epochs, seed=0) for n, t in others.items()}
    moved = max(np.abs(ours.weights[name] - weights[name]).max() for name in weights)
    found = {}
    for other, (net, mean_f) in made.items():
        theirs = net.to_weights()
        apart = max(np.abs(theirs[name] - ours.weights[name]).max() for name in weights)
        # in units of what training changed
        found[other] = max(apart / moved, abs(mean_f / ours.normalisation - 1.0))
    return found
