"""Training of the networks of an ensemble on a stored box."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from lagbias.artefacts import store
from lagbias.bias.ensemble_training import MEAN_STRIDE, VALIDATION_SEED, train_ensemble
from lagbias.runtime import checkpoints
from lagbias.runtime.device import choose_device
from lagbias.sources.base import Particles
from lagbias.stages.ensembles import load_input_matrix, load_inputs_at_sites
from lagbias.stages.samples import load_samples
from lagbias.stages.sites import load_sites
from lagbias.training.network import Network

if TYPE_CHECKING:
    from lagbias.config.sections import TrainingSettings

__all__ = ["remove_checkpoints", "train_networks"]


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
    matrix = load_input_matrix(inputs, paths["whitening"], paths.get("components"), eigenvalue_cut)
    samples = partial(load_samples, fraction=settings.subsample, sampling=settings.sampling)
    inputs_at = load_inputs_at_sites(paths["features"], matrix)
    (validation,) = samples(
        paths["validation_particles"],
        paths["validation_halo_fields"],
        load_inputs_at_sites(paths["validation_features"], matrix),
        seeds=[VALIDATION_SEED],
    )
    normalise = settings.constraint == "normalise"
    particles = store.length(paths["particles"], Particles, "lagrangian_site")
    networks = train_ensemble(
        lambda seeds: samples(paths["particles"], paths["halo_fields"], inputs_at, seeds=seeds),
        settings,
        seeds=list(outputs),
        every=inputs_at(load_sites(paths["particles"])[::MEAN_STRIDE]) if normalise else None,
        validation=validation,
        at_once=settings.networks_at_once(particles, threads),
        device=choose_device(settings.device),
        threads=threads,
        checkpoint=lambda seed: checkpoints.path_for(outputs[seed]),
    )
    with closing(networks):
        for network in networks:
            write(network, outputs[network.seed])


def remove_checkpoints(outputs: Iterable[str]) -> None:
    """Remove the checkpoints of networks whose job succeeds.

    Not before: if it fails, Snakemake removes its networks, and they are made from checkpoints.
    """
    for path in outputs:
        checkpoints.path_for(path).unlink(missing_ok=True)
