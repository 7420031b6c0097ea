"""Losses, and constraints that impose ⟨f⟩ = 1, by their names in the configuration.

A new loss is one function in `LOSSES`; a new constraint is one class in `CONSTRAINTS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch

from lagbias.training.torch_network import f_from_output

__all__ = [
    "CONSTRAINTS",
    "LOSSES",
    "LOWEST_OUTPUT",
    "Constraint",
    "ConstraintSetup",
    "FixedSample",
    "Normalise",
    "PerBatch",
    "Step",
    "constraint_width",
    "non_negativity",
    "squared",
]

#: y below which f counts as zero and y is penalised (paper §2.2).
LOWEST_OUTPUT = -5.0
#: Added to the mean 1 + δ_h of a batch before its logarithm: a batch may have no halos.
TARGET_FLOOR = 0.1


def squared(model: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return Σ_j (m_j - t_j)² over the batch's cells: a sum, not a mean (paper §2.2).

    Parameters
    ----------
    model : Tensor, shape (cells,)
        1 + δ_model of each cell, dimensionless.
    target : Tensor, shape (cells,)
        1 + δ_h of each cell, dimensionless.
    """
    return torch.sum((model - target) ** 2)


LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {"squared": squared}


def non_negativity(output: torch.Tensor) -> torch.Tensor:
    """Return Σ_i (y_i + 5)⁴ over the particles with y_i < -5.

    The paper prints the penalty for every particle, which would cost 625 at f = 1; the authors'
    code applies it to this side only.

    Parameters
    ----------
    output : Tensor, shape (P,)
        y = log10 f, dimensionless.
    """
    # the usual case, without a backward pass; on a GPU the comparison would synchronise
    if output.is_cpu and len(output) and output.detach().min() >= LOWEST_OUTPUT:
        return output.new_zeros(())
    return torch.sum(torch.clamp(output - LOWEST_OUTPUT, max=0.0) ** 4)


def constraint_width(epoch: int) -> float | None:
    """Return ε of the penalty (⟨f⟩ - 1)²/ε²: max(0.1 e⁻³, 10⁻⁴), none in the first epoch.

    Parameters
    ----------
    epoch : int
        Epoch e, counted from 1.
    """
    return None if epoch < 2 else max(0.1 * epoch**-3, 1e-4)


@dataclass(frozen=True)
class ConstraintSetup:
    """Properties of the training set that a constraint may depend on.

    Parameters
    ----------
    occupied_cells : int
        Cells with particles; batches hold their indices in [0, occupied_cells).
    n_cells : int
        All cells of the training grid.
    draw_sample : callable
        Returns the inputs (S, n_inputs) of a fixed random sample that represents all particles.
    device : str or torch.device
        Device of all tensors.
    """

    occupied_cells: int
    n_cells: int
    draw_sample: Callable[[], torch.Tensor]
    device: str | torch.device = "cpu"


class Step(NamedTuple):
    """One training step, as seen by a penalty.

    A penalty must not read values of tensors on the host (``.item()``, ``if tensor > 0``), which
    would synchronise with a GPU.

    Parameters
    ----------
    network : Module
        The network.
    sums : Tensor, shape (cells,)
        Σ 10^y over the particles of the batch's cells, dimensionless.
    sizes : Tensor, int64, shape (cells,)
        Particles in these cells.
    mass : Tensor, shape (cells,)
        The same sums times N_cell/N_part, dimensionless.
    target : Tensor, shape (cells,)
        1 + δ_h of these cells, dimensionless.
    epoch : int
        Counted from 1.
    """

    network: torch.nn.Module
    sums: torch.Tensor
    sizes: torch.Tensor
    mass: torch.Tensor
    target: torch.Tensor
    epoch: int


class Constraint:
    """``none``: f = 10^y without normalisation; base class of the others.

    Unconstrained, ⟨f⟩ deviates from one by one to three per cent in experiments, in line with the
    paper's "few per cent".

    Attributes
    ----------
    normalises : bool
        Whether the trained f is divided by its exact mean.
    state : Tensor
        The memory of the constraint between steps, for checkpoints.
    """

    normalises = False

    def __init__(self, setup: ConstraintSetup):
        self.state = torch.zeros(1, device=setup.device)

    def scale(self, mass: torch.Tensor, cells: torch.Tensor) -> torch.Tensor | float:
        """Return the divisor of 10^y in this step; may update `state`.

        Parameters
        ----------
        mass : Tensor, shape (cells,)
            (N_cell/N_part) Σ 10^y of the batch's cells.
        cells : Tensor, int64, shape (cells,)
            Indices of the batch's cells.
        """
        return 1.0

    def penalty(self, step: Step) -> torch.Tensor | float:
        """Return the term to add to the batch's loss."""
        return 0.0


class Normalise(Constraint):
    """``normalise``: f = 10^y / Z with Z = ⟨10^y⟩ over all particles, so that ⟨f⟩ = 1 exactly.

    ⟨f⟩ over particles is the mean of m_j over cells, so Z costs nothing: its *value* is the mean
    of the latest m_j of every cell. All cells count once, hence there is no sampling noise after
    the first epoch; the values are half an epoch old on average, which matters less as the
    learning rate decays. The *gradient* of ln Z is that of the batch's own mean, which makes every
    batch's loss independent of the overall scale of 10^y. With one batch per epoch both are exact:
    the gradient is that of Σ (m_j/⟨m⟩ - t_j)². In a batch of B cells the gradient of cell j is
    too small by about m_j/B, its share in the batch's ⟨f⟩. The unbiased alternative, a multiplier
    of the constraint taken from all cells, leaves the scale of 10^y free between visits; with 4000
    steps it scattered P_model by 10 % between seeds and is not offered.

    Since the loss does not constrain the scale of 10^y, a spike in a small batch's gradient could
    lower it by four decades, with Z half an epoch behind, and the training was lost. A weak
    `penalty` keeps the scale near one. It has no effect on the normalised f when the model has
    the halos' mass in every batch.

    In experiments with a known f, exact normalisation reached the noise floor of the loss in a
    fifth of the steps of the penalty of `FixedSample` and recovered f best.
    """

    normalises = True

    def __init__(self, setup: ConstraintSetup):
        self._occupied_fraction = setup.occupied_cells / setup.n_cells
        self.state = torch.zeros(setup.occupied_cells, device=setup.device)

    def scale(self, mass: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
        """Return Z: the latest mean over cells in value, this batch's estimate in gradient."""
        self.state[cells] = mass.detach()
        # only cells that no batch has reached yet are zero, since f is positive
        mean = self._occupied_fraction * self.state.sum() / torch.count_nonzero(self.state)
        batch = mass.mean()
        return mean * (batch / batch.detach())

    def penalty(self, step: Step) -> torch.Tensor:
        """Return B log₁₀²(⟨m⟩ / (⟨t⟩ + 0.1)) for the batch's B cells: one per cell and dex²."""
        offset = torch.log10(step.mass.mean() / (step.target.mean() + TARGET_FLOOR))
        return len(step.mass) * offset**2


class FixedSample(Constraint):
    """``fixed_sample``: the authors' penalty (⟨f⟩_S - 1)²/ε² on one fixed sample of particles.

    It is stiff: it needs thousands of steps, and ⟨f⟩ over all particles keeps the sampling error
    σ_f/√S.
    """

    def __init__(self, setup: ConstraintSetup):
        super().__init__(setup)
        self._inputs = setup.draw_sample()

    def penalty(self, step: Step) -> torch.Tensor | float:
        """Return the penalty on the sample's mean f."""
        width = constraint_width(step.epoch)
        if width is None:
            return 0.0
        return ((f_from_output(step.network(self._inputs)).mean() - 1.0) / width) ** 2


class PerBatch(Constraint):
    """``per_batch``: the same penalty on each batch's own particles, as in the paper's text.

    For comparison only. ⟨f⟩ of a batch differs from one by per cents, because mass clusters, so
    the penalties of the batches contradict each other: in experiments f became almost constant,
    the variance of the model halved, and the loss stayed at four times its noise floor.
    """

    def penalty(self, step: Step) -> torch.Tensor | float:
        """Return the penalty on the batch's mean f."""
        width = constraint_width(step.epoch)
        if width is None:
            return 0.0
        return ((step.sums.sum() / step.sizes.sum() - 1.0) / width) ** 2


CONSTRAINTS: dict[str, type[Constraint]] = {
    "normalise": Normalise,
    "fixed_sample": FixedSample,
    "per_batch": PerBatch,
    "none": Constraint,
}
