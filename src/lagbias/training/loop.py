"""Training of one network (Wu, Muñoz & Eisenstein 2023, §2.2)."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import numpy as np
import torch
from tqdm import tqdm

from lagbias.runtime.device import explain_oom
from lagbias.runtime.progress import bar
from lagbias.training.checkpoint import CheckpointWriter, fingerprint, resume
from lagbias.training.fourier import FourierRounds
from lagbias.training.layout import Layout
from lagbias.training.network import Network
from lagbias.training.run import HISTORY, Run, start
from lagbias.training.steps import Stepper, steps_of
from lagbias.training.training_set import TrainingSet

if TYPE_CHECKING:
    from lagbias.config.sections import TrainingSettings

__all__ = ["TrainingDiverged", "take_epochs", "train"]

logger = logging.getLogger(__name__)

#: A loss above this multiple of that of f = 1 means divergence; a healthy one is below 1.
_DIVERGED = 100.0
#: Epochs between log lines where there is no progress bar.
_LOG_EVERY = 5


class TrainingDiverged(ArithmeticError):
    """The loss is not finite or has grown without bound; the message gives the remedy."""


def train(
    training_set: TrainingSet,
    settings: TrainingSettings,
    *,
    seed: int,
    validation: TrainingSet | None = None,
    initial: Network | None = None,
    device: str | torch.device = "cpu",
    checkpoint: Path | None = None,
    checkpoint_interval: float = 2.0,
    stop: Event | None = None,
) -> Network:
    """Train one network with Adam on batches of random cells.

    With rounds of the Fourier-space loss on several boxes the first box alone has the epochs.

    Parameters
    ----------
    training_set : TrainingSet
        Inputs and target.
    settings : TrainingSettings
        Section ``training`` of the configuration.
    seed : int, keyword-only
        Seed of the initial weights and the batches, not negative.
    validation : TrainingSet, optional, keyword-only
        Cells of another box, on which the loss is measured in some epochs
        (``validation_interval``), the last one included; training does not depend on it.
    initial : Network, optional, keyword-only
        Trained with the same settings but without rounds of the Fourier-space loss. Its epochs
        stand for those of this training, which has the rounds only.
    device : str or torch.device, keyword-only
        Where to train. Equal seed, device and number of PyTorch threads give equal weights, bit by
        bit on the CPU. The caller sets PyTorch's threads; one is a good choice.
    checkpoint : Path, optional, keyword-only
        File from which an interrupted training continues, with the result of an unbroken one. It
        is ignored if it belongs to other settings or data. The caller deletes it once the result
        is stored.
    checkpoint_interval : float, keyword-only
        Minimum interval between checkpoints [s], written at the end of an epoch; also written on
        SIGTERM (see `lagbias.runtime.termination`).
    stop : Event, optional, keyword-only
        Set by another thread, it ends this training as SIGTERM ends one in the main thread.

    Returns
    -------
    Network
        Weights, normalisation and history.

    Raises
    ------
    TrainingDiverged
        If the loss is not finite, or from the second epoch on above a hundred times that of f = 1.
    ValueError
        If `initial` has other epochs or another size than the settings ask for.
    lagbias.runtime.device.DeviceFull
        If the GPU is out of memory; the last checkpoint is kept.
    """
    run = start(training_set, validation, settings, seed, device, stop or Event())
    key, done = "", 0
    if initial:
        take_epochs(run, initial)
        done = settings.epochs
    if checkpoint:
        sets = [training_set] if validation is None else [training_set, validation]
        key = fingerprint(sets, settings, seed=seed, device=device, initial=initial)
        done = resume(checkpoint, key, run.tensors(), run.history) or done
        run.trained.to_network()
    steps_per_epoch = len(run.batches(1))
    step = steps_of(run)
    rounds = _fourier_rounds(run, training_set)
    writer = CheckpointWriter(checkpoint, key, checkpoint_interval)
    epochs = settings.epochs
    per_round = settings.EVALUATIONS_PER_ROUND
    total = epochs * steps_per_epoch + per_round * settings.fourier_rounds
    steps = bar(total=total, desc=f"training seed {seed}", unit="step")
    with writer, steps:
        steps.update(min(done, epochs) * steps_per_epoch + per_round * max(done - epochs, 0))
        for epoch in range(done + 1, run.rounds + 1):
            started = time.monotonic()
            if epoch <= epochs:
                cells, rate = run.epoch_cells, run.learning_rate(epoch)
                loss, mean_f = _train_epoch(run, step, epoch, steps)
            else:
                cells, rate = run.cells, math.nan
                loss, mean_f = _fourier_round(run, rounds, steps)
            speed = len(cells.inputs) / (time.monotonic() - started)
            record = (loss, mean_f, rate, run.validation_loss(epoch))
            for name, value in zip(HISTORY, record, strict=True):
                run.history[name].append(value)
            _report(run, epoch, steps, speed)
            writer.update(run.tensors(), run.history)
    mean_f = run.cells.masses(run.network).sum().item() / run.cells.n_cells
    logger.info("Seed %d: the mean of 10^y over all particles is %.5f.", seed, mean_f)
    return Network(
        weights=run.network.to_weights(),
        history={name: np.array(values) for name, values in run.history.items()},
        normalisation=mean_f if run.constraint.normalises else 1.0,
        seed=seed,
    )


def take_epochs(run: Run, initial: Network) -> None:
    """Take weights and history from a network that has all epochs."""
    layout, settings = Layout.of(initial.weights), run.settings
    if layout != run.network.layout or len(initial.losses) != settings.epochs:
        raise ValueError(
            f"The initial network has {layout} and {len(initial.losses)} epochs; this training has "
            f"{run.network.layout} and {settings.epochs}. Train it with the same settings."
        )
    run.network.flat.detach().copy_(torch.from_numpy(layout.flat(initial.weights)))
    for name, values in run.history.items():
        values[:] = initial.history[name].tolist()


def _train_epoch(run: Run, step: Stepper, epoch: int, steps: tqdm) -> tuple[float, float]:
    """Train on all cells once; return loss per cell and mean f.

    Losses and masses stay on the device until the end, so that steps on a GPU run asynchronously.
    """
    cells, batches = run.epoch_cells, run.batches(epoch)
    totals = [int(cells.host_size[batch].sum()) for batch in batches]
    order = torch.from_numpy(np.concatenate(batches)).to(cells.inputs.device)
    record = torch.empty(len(batches), 2, device=cells.inputs.device)
    with explain_oom(
        f"training on batches of up to {max(totals)} particles",
        "The training then continues from its last checkpoint. A smaller training.cells_per_batch "
        "needs less memory but changes the result.",
    ):
        for number, chosen in enumerate(order.split([len(batch) for batch in batches])):
            if run.stop.is_set():
                raise SystemExit("with the others")
            record[number] = step(epoch, chosen, totals[number])
            steps.update(1)
        losses, masses = record.cpu().numpy().astype(np.float64).T
    loss = float(losses.sum() / len(cells.size))
    _check_convergence(run, epoch, losses, loss)
    return loss, float(masses.sum() / cells.n_cells)


def _fourier_rounds(run: Run, training_set: TrainingSet) -> FourierRounds | None:
    """Return the rounds of the Fourier-space loss, if there are any."""
    if not run.settings.fourier_rounds:
        return None
    if not training_set.fields:
        raise ValueError("training.fourier_rounds needs the fields of the training boxes.")
    return FourierRounds(run, training_set.fields)


def _fourier_round(run: Run, rounds: FourierRounds, steps: tqdm) -> tuple[float, float]:
    """Minimise the Fourier-space loss for a round; return as `_train_epoch`, unfiltered."""
    rounds.run(steps.update)
    mass = run.cells.masses(run.network)
    mean_f = mass.sum() / run.cells.n_cells
    return torch.mean((mass / mean_f - run.cells.target) ** 2).item(), mean_f.item()


def _check_convergence(run: Run, epoch: int, losses: np.ndarray, loss: float) -> None:
    """Raise TrainingDiverged if the losses of an epoch are not finite or too large."""
    broken = np.flatnonzero(~np.isfinite(losses))
    if len(broken):
        what = f"the loss is not finite from step {broken[0] + 1} of {len(losses)} on"
    elif epoch > 1 and loss > _DIVERGED * (trivial := run.epoch_cells.trivial_loss()):
        what = (
            f"the loss per cell is {loss:.3g}, over {_DIVERGED:g} times that of a constant f, "
            f"{trivial:.3g}"
        )
    else:
        return
    raise TrainingDiverged(
        f"Training of seed {run.seed} diverged in epoch {epoch}: {what}. The learning rate was "
        f"{run.learning_rate(epoch):.3g}. Lower training.learning_rate (2e-3 is safe, 0.02 is "
        f"not), use training.constraint: normalise, or look for inputs that are not finite or far "
        f"above 10."
    )


def _report(run: Run, epoch: int, steps: tqdm, particles_per_second: float) -> None:
    """Show an epoch in the progress bar, or log some epochs where there is none."""
    text = (
        f"loss per cell {run.history['loss_per_cell'][-1]:.4f}, <f> "
        f"{run.history['mean_f'][-1]:.4f}, {particles_per_second:.2g} particles/s"
    )
    if not steps.disable:
        steps.set_postfix_str(text)
    elif epoch % _LOG_EVERY == 0 or epoch in (1, run.settings.epochs, run.rounds):
        logger.info("Seed %d, epoch %d of %d: %s.", run.seed, epoch, run.rounds, text)
