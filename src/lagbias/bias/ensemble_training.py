"""Training of the networks of an ensemble, which differ in their seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import numpy as np
import torch

from lagbias.bias.ensemble import with_unit_mean
from lagbias.training.loop import train
from lagbias.training.network import Network
from lagbias.training.training_set import TrainingSet, some_cells

if TYPE_CHECKING:
    from lagbias.config.sections import TrainingSettings

__all__ = ["VALIDATION_SEED", "mean_stride", "train_ensemble", "validation_cells"]

#: Seed of the validation sample: one draw for all networks, so that their losses compare.
VALIDATION_SEED = 0
#: Cells on which the validation loss is measured, where there are more.
_VALIDATION_CELLS = 100_000
#: Particles that give ⟨f⟩ to about 2e-4.
_MEAN_SAMPLE = 1_000_000


def mean_stride(particles: int) -> int:
    """Return the stride of a uniform sample of particles, over which ⟨f⟩ is taken.

    It is seven or a power of it, which divides no usual grid size, and leaves a million of very
    many particles.
    """
    return 7 ** max(1, int(math.log(particles / _MEAN_SAMPLE, 7)))


def validation_cells(whole: TrainingSet) -> TrainingSet:
    """Return the cells of a box on which the validation loss is measured, the same for all."""
    return some_cells(whole, _VALIDATION_CELLS, VALIDATION_SEED)


def train_ensemble(
    draw: Callable[[Sequence[int]], Sequence[TrainingSet]],
    settings: TrainingSettings,
    *,
    seeds: Sequence[int],
    every: np.ndarray | None,
    validation: TrainingSet | None = None,
    initial: Mapping[int, Network] | None = None,
    at_once: int = 1,
    device: str = "cpu",
    threads: int = 1,
    checkpoint: Callable[[int], Path | None] = lambda seed: None,
) -> Generator[Network, None, None]:
    """Train one network for each seed.

    PyTorch is set to one thread. With one thread the networks come in the order of their seeds,
    with more in the order in which they are done; their weights do not depend on it.

    Parameters
    ----------
    draw : callable
        Takes seeds and returns a sub-sample of the training box for each.
    settings : TrainingSettings
        Section ``training`` of the configuration.
    seeds : sequence of int, keyword-only
        Seed of sub-sample, weights and batches of each network.
    every : ndarray, float32, shape (P, n_inputs), or None, keyword-only
        Inputs of a uniform sample of the box's particles (see `mean_stride`), over which ⟨f⟩
        becomes 1; used where the constraint is ``normalise``.
    validation : TrainingSet, optional, keyword-only
        See `lagbias.training.loop.train`.
    initial : mapping of int to Network, optional, keyword-only
        Networks that have the epochs already, by seed; see there.
    at_once : int, keyword-only
        Sub-samples in memory at a time, at least `threads`.
    device : {"cpu", "cuda"}, keyword-only
        Where to train.
    threads : int, keyword-only
        Networks trained concurrently.
    checkpoint : callable, keyword-only
        Takes a seed and returns the path of its checkpoint.

    Yields
    ------
    Network
        Trained, without labels.
    """
    torch.set_num_threads(1)

    def network_of(seed: int, sample: TrainingSet, stop: Event | None = None) -> Network:
        network = train(
            sample,
            settings,
            seed=seed,
            validation=validation,
            initial=initial[seed] if initial else None,
            device=device,
            checkpoint=checkpoint(seed),
            stop=stop,
        )
        if settings.constraint == "normalise":
            network = with_unit_mean(network, every, device=device)
        return replace(
            network,
            n_cells=sample.n_cells,
            occupied_cells=len(sample.target),
            smallest_draw=int(np.diff(sample.cell_start).min()),
        )

    for first in range(0, len(seeds), at_once):
        group = seeds[first : first + at_once]
        each = list(zip(group, draw(group), strict=True))
        yield from _trained(network_of, each, threads)


def _trained(
    train_one: Callable[..., Network], each: Sequence[tuple], threads: int
) -> Iterator[Network]:
    """Call a function for each of some arguments, on threads if there are several."""
    if threads == 1:
        yield from (train_one(*arguments) for arguments in each)
        return
    stop = Event()
    with ThreadPoolExecutor(threads) as pool:
        trainings = [pool.submit(train_one, *arguments, stop) for arguments in each]
        try:
            for training in as_completed(trainings):
                yield training.result()
        finally:  # after SIGTERM, among others: the pool ends when all have written checkpoints
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
