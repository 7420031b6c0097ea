"""Training of one network (Wu, Muñoz & Eisenstein 2023, §2.2)."""

import logging
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from lagbias.runtime.device import full_is_explained
from lagbias.runtime.progress import bar
from lagbias.training import batches as random_batches
from lagbias.training import checkpoint as checkpoints
from lagbias.training.cuda_graphs import Graphs
from lagbias.training.device_cells import DeviceCells
from lagbias.training.losses import (
    CONSTRAINTS,
    LOSSES,
    Constraint,
    ConstraintSetup,
    Step,
    non_negativity,
)
from lagbias.training.network import HaloToMassNet, TrainedNetwork
from lagbias.training.optimiser import Adam
from lagbias.training.training_set import TrainingSet

__all__ = ["TrainingDiverged", "train"]

logger = logging.getLogger(__name__)

_HISTORY = ("loss_per_cell", "mean_f", "learning_rate", "validation_loss_per_cell")
#: A loss this many times that of f = 1 means divergence; a healthy one is below once.
_DIVERGED = 100.0
#: Epochs between log lines where there is no progress bar.
_LOG_EVERY = 5


class TrainingDiverged(ArithmeticError):
    """The loss is not finite or has run away; the message says when and what to change."""


def train(
    training_set: TrainingSet,
    settings,
    *,
    seed: int,
    validation: TrainingSet | None = None,
    device: str | torch.device = "cpu",
    checkpoint: Path | None = None,
    checkpoint_interval: float = 2.0,
) -> TrainedNetwork:
    """Train one network with Adam on batches of random cells.

    Parameters
    ----------
    training_set : TrainingSet
        Inputs and target.
    settings : object
        With the attributes of `lagbias.config.model.TrainingSettings`: hidden_layers, width, epochs,
        learning_rate, learning_rate_decay, cells_per_batch, fixed_batches, loss, constraint,
        constraint_sample; and cuda_graphs, where the device is a GPU.
    seed : int
        Decides the initial weights and the batches; not negative.
    validation : TrainingSet, optional
        Cells of another box, on which the loss is measured after every epoch; training takes no
        notice of it.
    device : str or torch.device
        Where to train. Equal seed, device and number of torch threads give equal weights, bit by
        bit on the CPU. The caller sets torch's threads; one is a good choice.
    checkpoint : Path, optional
        File in which an interrupted training is continued, with the result it would have had
        unbroken. One of other settings or data is ignored. It is not deleted here: the caller
        does that once the result is stored.
    checkpoint_interval : float
        Least time between checkpoints [s]; they are written at the ends of epochs, and when the
        process is told to end (see `lagbias.runtime.termination`).

    Returns
    -------
    TrainedNetwork
        Weights, normalisation and history.

    Raises
    ------
    TrainingDiverged
        If the loss is not finite, or from the second epoch on above a hundred times that of f = 1.
    lagbias.runtime.device.DeviceFull
        If a GPU's memory is too small; what the last checkpoint holds is not lost.
    ValueError
        If `settings` names an unknown loss or constraint.
    """
    _check_names(settings)
    run = _start(training_set, validation, settings, seed, device)
    key, done = "", 0
    if checkpoint:
        sets = [training_set] if validation is None else [training_set, validation]
        key = checkpoints.fingerprint(sets, settings, seed=seed, device=device)
        done = checkpoints.resume(checkpoint, key, **run.state(), epochs=settings.epochs)
    total = settings.epochs * len(run.batches(1))
    keeper = checkpoints.Keeper(checkpoint, key, checkpoint_interval)
    with keeper, bar(total=total, desc=f"training seed {seed}", unit="step") as steps:
        steps.update(done * len(run.batches(1)))
        for epoch in range(done + 1, settings.epochs + 1):
            started = time.monotonic()
            loss, mean_f = _train_epoch(run, epoch, steps)
            speed = len(run.cells.inputs) / (time.monotonic() - started)
            record = (loss, mean_f, run.learning_rate(epoch), run.validation_loss())
            for name, value in zip(_HISTORY, record, strict=True):
                run.history[name].append(value)
            _report(run, epoch, steps, speed)
            keeper.keep(epoch, **run.state())
    mean_f = run.cells.masses(run.network).sum().item() / run.cells.n_cells
    logger.info("Seed %d: the mean of 10^y over all particles is %.5f.", seed, mean_f)
    return TrainedNetwork(
        weights=run.network.to_weights(),
        normalisation=mean_f if run.constraint.normalises else 1.0,
        history={name: np.array(values) for name, values in run.history.items()},
    )


@dataclass(frozen=True)
class _Run:
    """One training: what is trained, on what, and how it went so far."""

    settings: object
    seed: int
    cells: DeviceCells
    validation: DeviceCells | None
    network: HaloToMassNet
    optimiser: Adam
    constraint: Constraint
    history: dict[str, list[float]]
    most_rows: int
    graphs: Graphs | None

    def learning_rate(self, epoch: int) -> float:
        return self.settings.learning_rate * self.settings.learning_rate_decay ** (epoch - 1)

    def batches(self, epoch: int) -> list[np.ndarray]:
        """Return the cells of each batch of an epoch."""
        n_cells = len(self.cells.host_size)
        return random_batches.deal(n_cells, self.settings, seed=self.seed, epoch=epoch)

    def rows(self, batches: list[np.ndarray]) -> list[int]:
        """Return the particles evaluated in each batch: in recorded steps, always as many."""
        if self.graphs is not None:
            return [self.most_rows] * len(batches)
        return [int(self.cells.host_size[batch].sum()) for batch in batches]

    def validation_loss(self) -> float:
        """Return the loss per cell on the validation box, its model field divided by its mean."""
        if self.validation is None:
            return float("nan")
        mass = self.validation.masses(self.network)
        model = mass * (self.validation.n_cells / mass.sum())
        loss = LOSSES[self.settings.loss](model, self.validation.target.double())
        return loss.item() / len(mass)

    def state(self) -> dict:
        """Return what changes in training."""
        names = ("network", "optimiser", "constraint", "history")
        return {name: getattr(self, name) for name in names}


def _start(
    training_set: TrainingSet, validation: TrainingSet | None, settings, seed: int, device
) -> _Run:
    """Move the data to the device and set up network, optimiser and constraint."""
    cells = DeviceCells.on_device(training_set, device)
    recorded = not cells.on_host and settings.cuda_graphs
    network = HaloToMassNet(
        training_set.inputs.shape[1],
        settings.hidden_layers,
        settings.width,
        generator=torch.Generator().manual_seed(seed),
    ).to(device)
    setup = ConstraintSetup(
        occupied_cells=len(cells.size),
        n_cells=cells.n_cells,
        draw_sample=lambda: cells.draw_inputs(
            settings.constraint_sample, random_batches.generator(seed, "constraint", 0)
        ),
        device=device,
    )
    return _Run(
        settings=settings,
        seed=seed,
        cells=cells,
        validation=None if validation is None else DeviceCells.on_device(validation, device),
        network=network,
        optimiser=Adam(network.parameters()),
        constraint=CONSTRAINTS[settings.constraint](setup),
        history={name: [] for name in _HISTORY},
        most_rows=random_batches.largest(cells.host_size, settings, seed=seed) if recorded else 0,
        graphs=Graphs() if recorded else None,
    )


def _train_epoch(run: _Run, epoch: int, steps) -> tuple[float, float]:
    """Take one pass over all cells; return loss per cell and mean f.

    Losses and masses stay on the device until the end, so that a GPU never waits for Python.
    """
    cells, batches = run.cells, run.batches(epoch)
    device, rows = cells.inputs.device, run.rows(batches)
    order = torch.from_numpy(np.concatenate(batches)).to(device)
    chosen_cells = order.split([len(batch) for batch in batches])
    take_step = partial(_step, run, epoch)
    if run.graphs is not None:
        take_step = run.graphs.replayed(take_step)
    record = torch.empty(len(batches), 2, device=device)
    with full_is_explained(
        f"training on batches of up to {max(rows)} particles",
        "This training then continues from its last checkpoint. A smaller training.cells_per_batch "
        "needs less memory, but is another training.",
    ):
        for number, (chosen, total) in enumerate(zip(chosen_cells, rows, strict=True)):
            record[number] = take_step(chosen, total)
            steps.update(1)
        losses, masses = record.cpu().numpy().astype(np.float64).T
    loss = float(losses.sum() / len(cells.size))
    _check_convergence(run, epoch, losses, loss)
    return loss, float(masses.sum() / cells.n_cells)


def _step(run: _Run, epoch: int, chosen: torch.Tensor, total: int) -> torch.Tensor:
    """Take a step on a batch of cells; return its loss and the sum of its model, shape (2,).

    On a GPU this must depend on `chosen` and the state of `run` alone, see `lagbias.training.cuda_graphs`.
    """
    cells = run.cells
    size = cells.size[chosen]
    output, sums = cells.evaluate(run.network, chosen, total)
    mass = cells.factor[chosen] * sums
    model = mass / run.constraint.scale(mass, chosen)
    target = cells.target[chosen]
    loss = LOSSES[run.settings.loss](model, target)
    step = Step(run.network, sums, size, mass, target, epoch)
    penalty = non_negativity(output) + run.constraint.penalty(step)
    run.optimiser.clear_gradients()
    (loss + penalty).backward()
    run.optimiser.step(run.learning_rate(epoch))
    return torch.stack([loss.detach(), model.detach().sum()])


def _check_names(settings) -> None:
    for key, registry in (("loss", LOSSES), ("constraint", CONSTRAINTS)):
        if (name := getattr(settings, key)) not in registry:
            raise ValueError(
                f"training.{key} = {name!r} is not known; choose one of {', '.join(registry)}, or "
                f"register it in lagbias.training.losses."
            )


def _check_convergence(run: _Run, epoch: int, losses: np.ndarray, loss: float) -> None:
    """Raise TrainingDiverged where an epoch's losses are not those of a working training."""
    broken = np.flatnonzero(~np.isfinite(losses))
    if len(broken):
        what = f"the loss is not finite from step {broken[0] + 1} of {len(losses)} on"
    elif epoch > 1 and loss > _DIVERGED * run.cells.trivial_loss():
        what = (
            f"after step {len(losses)} of {len(losses)} the loss per cell is {loss:.3g}, over "
            f"{_DIVERGED:g} times the {run.cells.trivial_loss():.3g} of a constant f"
        )
    else:
        return
    raise TrainingDiverged(
        f"Training of seed {run.seed} diverged in epoch {epoch}: {what}. The learning rate was "
        f"{run.learning_rate(epoch):.3g}. Lower training.learning_rate (2e-3 is a safe choice, "
        f"0.02 is not), use training.constraint: normalise, or look for values that are not "
        f"finite or far above 10 in the inputs."
    )


def _report(run: _Run, epoch: int, steps, particles_per_second: float) -> None:
    """Show the epoch on the progress bar, or every few epochs in the log."""
    text = (
        f"loss per cell {run.history['loss_per_cell'][-1]:.4f}, <f> "
        f"{run.history['mean_f'][-1]:.4f}, {particles_per_second:.2g} particles/s"
    )
    if not steps.disable:
        steps.set_postfix_str(text)
    elif epoch % _LOG_EVERY == 0 or epoch in (1, run.settings.epochs):
        logger.info("Seed %d, epoch %d of %d: %s.", run.seed, epoch, run.settings.epochs, text)
