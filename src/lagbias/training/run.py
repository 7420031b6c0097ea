"""State of one training."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

import numpy as np
import torch

from lagbias.runtime.device import in_chunks
from lagbias.training.batches import generator, make_batches
from lagbias.training.combinations import TrainedParameters
from lagbias.training.device_cells import DeviceCells
from lagbias.training.losses import CONSTRAINTS, LOSSES, Constraint, ConstraintSetup
from lagbias.training.optimiser import Adam
from lagbias.training.torch_network import HaloToMassNet, f_from_output
from lagbias.training.training_set import TrainingSet

if TYPE_CHECKING:
    from lagbias.config.sections import TrainingSettings

__all__ = ["HISTORY", "Run", "start"]

HISTORY = ("loss_per_cell", "mean_f", "learning_rate", "validation_loss_per_cell")


@dataclass(frozen=True)
class Run:
    """State of one training.

    `cells` are those of all boxes, `epoch_cells` those that have the epochs.
    """

    settings: TrainingSettings
    seed: int
    cells: DeviceCells
    epoch_cells: DeviceCells
    validation: DeviceCells | None
    network: HaloToMassNet
    trained: TrainedParameters
    optimiser: Adam
    constraint: Constraint
    history: dict[str, list[float]]
    stop: Event

    @property
    def rounds(self) -> int:
        """Epochs of cell batches, and rounds of the Fourier-space loss after them."""
        return self.settings.epochs + self.settings.fourier_rounds

    def learning_rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch."""
        return self.settings.learning_rate * self.settings.learning_rate_decay ** (epoch - 1)

    def evaluate(self, inputs: np.ndarray) -> np.ndarray:
        """Return 10^y, float32, shape (P,), of inputs (P, n_inputs) on the host."""
        device = self.cells.inputs.device
        with torch.inference_mode():
            parts = in_chunks(
                lambda part: f_from_output(
                    self.network(torch.tensor(inputs[part], device=device))
                ).cpu(),
                len(inputs),
                device=device.type,
                task="evaluating the network on all particles",
            )
        return torch.cat(parts).numpy()

    def batches(self, epoch: int) -> list[np.ndarray]:
        """Return the cells of each batch of an epoch."""
        n_cells = len(self.epoch_cells.host_size)
        return make_batches(n_cells, self.settings, seed=self.seed, epoch=epoch)

    def validation_loss(self, epoch: int) -> float:
        """Return the loss per cell of the normalised model field on the validation box.

        It is NaN without such a box, and between the epochs in which it is measured.
        """
        left = self.rounds - epoch
        if self.validation is None or left % self.settings.validation_interval:
            return float("nan")
        mass = self.validation.masses(self.network)
        model = mass * (self.validation.n_cells / mass.sum())
        loss = LOSSES[self.settings.loss](model, self.validation.target.double())
        return loss.item() / len(mass)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return everything that changes during training but the history."""
        names = ("parameter", "first_moment", "second_moment", "steps")
        named = {name: getattr(self.optimiser, name) for name in names}
        return {**named, "constraint": self.constraint.state}


def start(
    training_set: TrainingSet,
    validation: TrainingSet | None,
    settings: TrainingSettings,
    seed: int,
    device: str | torch.device,
    stop: Event,
) -> Run:
    """Move the data to the device and set up network, optimiser and constraint.

    Parameters
    ----------
    training_set, validation, settings, seed, device, stop
        See `lagbias.training.loop.train`.
    """
    cells = epoch_cells = DeviceCells.on_device(training_set, device)
    boxes = len(training_set.fields)
    if settings.boxes_with_epochs(boxes) < boxes:
        epoch_cells = cells.first(*training_set.cells_of_first_box())
    initial = torch.Generator().manual_seed(seed)
    network = HaloToMassNet(
        training_set.inputs.shape[1],
        settings.hidden_layers,
        settings.width,
        generator=initial,
    ).to(device)
    trained = TrainedParameters(network, settings.combinations, initial)
    setup = ConstraintSetup(
        occupied_cells=len(epoch_cells.size),
        n_cells=epoch_cells.n_cells,
        draw_sample=lambda: epoch_cells.draw_inputs(
            settings.constraint_sample, generator(seed, "constraint", 0)
        ),
        device=device,
    )
    return Run(
        settings=settings,
        seed=seed,
        cells=cells,
        epoch_cells=epoch_cells,
        validation=None if validation is None else DeviceCells.on_device(validation, device),
        network=network,
        trained=trained,
        optimiser=Adam(trained.vector),
        constraint=CONSTRAINTS[settings.constraint](setup),
        history={name: [] for name in HISTORY},
        stop=stop,
    )
