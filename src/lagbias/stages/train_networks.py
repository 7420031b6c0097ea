"""Training of the networks of an ensemble, which differ in their seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING

import numpy as np
import torch

from lagbias.artefacts import store
from lagbias.bias.ensemble import with_unit_mean
from lagbias.runtime import checkpoints
from lagbias.runtime.device import choose_device
from lagbias.sources.base import Particles
from lagbias.stages.ensembles import load_input_matrix, load_inputs_at_sites
from lagbias.stages.samples import load_samples
from lagbias.stages.sites import load_sites
from lagbias.training.loop import train
from lagbias.training.network import Network
from lagbias.training.training_set import TrainingSet

if TYPE_CHECKING:
    from lagbias.config.sections import TrainingSettings

__all__ = ["remove_checkpoints", "train_networks"]

#: Seed of the validation sample: one draw for all networks, so that their losses compare.
_VALIDATION_SEED = 0
#: Every seventh particle, a stride that divides no usual grid size, gives ⟨f⟩ to about 2e-4.
_MEAN_STRIDE = 7


def train_networks(
    paths: Mapping,
    settings: TrainingSettings,
    *,
    inputs: str,
    eigenvalue_cut: float | None,
    outputs: Mapping[int, str],
    threads: int,
    write: Callable[[Network, str], None],
) -> None:
    """Draw the sub-samples of both boxes and train networks on those of one of them.

    `paths`: ``particles``, ``features``, ``halo_fields``, the same with the prefix ``validation_``,
    ``whitening`` and, for ``pc2``, ``components``; `eigenvalue_cut` is for ``cut``. `outputs` has a
    file for each seed, that of sub-sample, weights and batches. `threads` networks are trained at
    once, and each is handed to `write`, with its file, when it is done. Where the constraint is
    ``normalise``, ⟨f⟩ is 1 over the training box.
    """
    if not outputs:
        return
    torch.set_num_threads(1)
    device = choose_device(settings.device)
    matrix = load_input_matrix(inputs, paths["whitening"], paths.get("components"), eigenvalue_cut)
    drawn = {"fraction": settings.subsample, "sampling": settings.sampling}
    inputs_at = load_inputs_at_sites(paths["features"], matrix)
    (validation,) = load_samples(
        paths["validation_particles"],
        paths["validation_halo_fields"],
        load_inputs_at_sites(paths["validation_features"], matrix),
        seeds=[_VALIDATION_SEED],
        **drawn,
    )
    normalise = settings.constraint == "normalise"
    every = inputs_at(load_sites(paths["particles"])[::_MEAN_STRIDE]) if normalise else None

    def network_of(seed: int, training: TrainingSet, stop: Event | None = None) -> Network:
        network = train(
            training,
            settings,
            seed=seed,
            validation=validation,
            device=device,
            checkpoint=checkpoints.path_for(outputs[seed]),
            stop=stop,
        )
        if normalise:
            network = with_unit_mean(network, every, device=device)
        return replace(
            network,
            n_cells=training.n_cells,
            occupied_cells=len(training.target),
            smallest_draw=int(np.diff(training.cell_start).min()),
        )

    particles = store.length(paths["particles"], Particles, "lagrangian_site")
    seeds, at_once = list(outputs), settings.networks_at_once(particles, threads)
    for first in range(0, len(seeds), at_once):
        group = seeds[first : first + at_once]
        samples = load_samples(
            paths["particles"], paths["halo_fields"], inputs_at, seeds=group, **drawn
        )
        each = list(zip(group, samples, strict=True))
        with closing(_trained(network_of, each, threads)) as networks:
            for network in networks:
                write(network, outputs[network.seed])


def remove_checkpoints(outputs: Iterable[str]) -> None:
    """Remove the checkpoints of networks whose job succeeds.

    Not before: if it fails, Snakemake removes its networks, and they are made from checkpoints.
    """
    for path in outputs:
        checkpoints.path_for(path).unlink(missing_ok=True)


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
