"""Steps of a training: of PyTorch, or compiled where there are kernels for all of it."""

from collections.abc import Callable

import numpy as np
import torch

from lagbias.training.cpu_kernels import fused_network, training_step
from lagbias.training.cpu_kernels.network_kernels import BLOCK, Packed
from lagbias.training.losses import LOSSES, LOWEST_OUTPUT, TARGET_FLOOR, Step
from lagbias.training.optimiser import BETAS, EPSILON
from lagbias.training.run import Run

__all__ = ["Stepper", "compiled_steps", "pytorch_steps", "steps_of"]

#: Takes epoch, indices of the batch's cells and number of their particles; returns the loss and the
#: sum of 1 + δ_model, shape (2,).
Stepper = Callable[[int, torch.Tensor, int], torch.Tensor]
#: Values of a batch up to this size, those of the paper's batches, are kept for its backward pass,
#: the others computed again [bytes].
KEPT = 1 << 29
_COMPILED = ("normalise", "none")


def steps_of(run: Run) -> Stepper:
    """Return the fastest steps for a training: compiled, or else of PyTorch."""
    fits = run.settings.loss == "squared" and run.settings.constraint in _COMPILED
    if fits and fused_network.suits(run.epoch_cells.inputs, run.network.flat, run.network.layout):
        return compiled_steps(run)
    return pytorch_steps(run)


def pytorch_steps(run: Run) -> Stepper:
    """Return steps by automatic differentiation, for any device, loss and constraint."""
    cells, trained, flat = run.epoch_cells, run.trained, run.network.flat

    def step(epoch: int, chosen: torch.Tensor, total: int) -> torch.Tensor:
        sums, penalty = cells.sums(run.network, chosen, total)
        mass, target = cells.factor[chosen] * sums, cells.target[chosen]
        model = mass / run.constraint.scale(mass, chosen)
        loss = LOSSES[run.settings.loss](model, target)
        seen = Step(run.network, sums, cells.size[chosen], mass, target, epoch)
        (loss + penalty + run.constraint.penalty(seen)).backward()
        gradient, flat.grad = flat.grad, None
        trained.vector.grad = trained.gradient(gradient)
        run.optimiser.step(run.learning_rate(epoch))
        trained.to_network()
        return torch.stack([loss.detach(), model.detach().sum()])

    return step


def compiled_steps(run: Run) -> Stepper:
    """Return the steps of `lagbias.training.cpu_kernels.training_step`, equal up to rounding."""
    cells, optimiser, trained = run.epoch_cells, run.optimiser, run.trained
    packed = run.network.layout.packed(run.network.flat.detach().numpy())
    arrays = (cells.inputs, cells.start, cells.size, cells.factor, cells.target)
    data = training_step.Cells(
        *(array.numpy() for array in arrays), occupied_fraction=len(cells.size) / cells.n_cells
    )
    state = (trained.vector.detach(), optimiser.first_moment, optimiser.second_moment)
    adam = training_step.Adam(*(t.numpy() for t in (*state, optimiser.steps)), *BETAS, EPSILON)
    latest = run.constraint.state.numpy()[: len(cells.size) if run.constraint.normalises else 0]
    memory = None

    def step(epoch: int, chosen: torch.Tensor, total: int) -> torch.Tensor:
        nonlocal memory
        if memory is None or total > len(memory.output):
            memory = _memory(int(1.05 * total), packed, len(run.network.flat))
        found = training_step.differentiate(
            data, chosen.numpy(), packed, latest, memory, LOWEST_OUTPUT, TARGET_FLOOR
        )
        gradient = trained.gradient(torch.from_numpy(memory.sums))
        training_step.adam_step(adam, gradient.numpy(), run.learning_rate(epoch))
        trained.to_network()
        return torch.tensor(found)

    return step


def _memory(particles: int, packed: Packed, parameters: int) -> training_step.Memory:
    """Allocate work arrays for batches of up to so many particles."""
    blocks = -(-particles // BLOCK)
    size = BLOCK * len(packed.biases)
    size *= min(blocks, KEPT // (8 * size))
    # arrays of PyTorch are aligned to cache lines
    values, slopes = (torch.empty(size).numpy() for _ in range(2))
    of_particles = [np.empty(particles, np.float32) for _ in range(3)]
    inputs = np.empty((particles, packed.n_inputs), np.float32)
    return training_step.Memory(inputs, *of_particles, values, slopes, np.empty(parameters))
