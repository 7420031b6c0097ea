"""Minimisation of a Fourier-space loss of whole halo fields, after the epochs of cell batches.

A loss of single cells is a sum over all wavenumbers of the training grid, of which most are small
scales that no f reproduces: it leaves the power on large scales free by some per cent. Here the
model field δ of each training box, painted with cloud in cell, is compared with that of the halos
mode by mode. The loss is

    Σ_k W |δ(k) - δ_h(k)|² / Σ_k W |δ_h(k)|²  +  λ Σ_b W_b (P_b / P_h,b - 1)² / Σ_b W_b

with the filter W = exp(-(k / k_c)⁴) and the spectra P in bins b of width 2π/L. The first term alone
has its optimum at P = r² P_h, and is insensitive to the power near it: 4 % more power costs 0.0004
of P_h. The second term holds the power itself, in all bins alike.

The loss depends on f through the field only, so that its derivative with respect to the f of a
particle is read off a grid, and the network is differentiated a chunk of particles at a time.
Memory stays that of the data. Being deterministic, it is minimised with L-BFGS, which reaches in 30
evaluations what Adam does in 60.

Noise of the sub-sample would be fitted too, a third of the residual: in the beginning of every
round the field of all particles is painted, to which the evaluations of the round add the change of
the sub-sample's field.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import optimize

from lagbias.grids.fourier import multiplicity, wavenumbers
from lagbias.grids.mode_products import smooth_filter
from lagbias.runtime.device import in_chunks
from lagbias.training.deposit import CloudInCell
from lagbias.training.losses import LOWEST_OUTPUT

if TYPE_CHECKING:
    from lagbias.training.run import Run
    from lagbias.training.training_set import BoxField

__all__ = ["FieldLoss", "FourierRounds"]

#: Pairs of steps and gradients that L-BFGS remembers.
_MEMORY = 20


class FieldLoss:
    """The loss of one box as a function of its model field.

    Parameters
    ----------
    overdensity : ndarray, shape (n, n, n)
        δ_h on a grid, dimensionless.
    box_size : float
        Side of the periodic box [Mpc/h].
    cut : float, keyword-only
        k_c of the filter [h/Mpc].
    power_weight : float, keyword-only
        λ, dimensionless.
    device : str or torch.device, keyword-only
        Where to compute.
    """

    def __init__(
        self,
        overdensity: np.ndarray,
        box_size: float,
        *,
        cut: float,
        power_weight: float,
        device: str | torch.device = "cpu",
    ):
        n_grid = self._n_grid = len(overdensity)
        wavenumber = np.sqrt(sum(k**2 for k in wavenumbers(n_grid, box_size)))
        stands_for = multiplicity(n_grid)
        bins = np.rint(wavenumber * box_size / (2 * np.pi)).astype(np.int64)

        def on_device(values: np.ndarray) -> torch.Tensor:
            return torch.tensor(values, device=device)

        self._stands_for = on_device(np.broadcast_to(stands_for, wavenumber.shape).copy())
        self._bins = on_device(bins).view(-1)
        self._target = torch.fft.rfftn(on_device(overdensity.astype(np.float64)))
        weight = on_device(smooth_filter(n_grid, box_size, cut))
        self._filter = weight / torch.sum(self._stands_for * weight * _squared(self._target))
        self._count = self._in_bins(torch.ones_like(weight))
        self._halo_power = self._in_bins(_squared(self._target)) / self._count
        self._halo_power[0] = 1.0  # the mean of the fields, which is zero
        centre = np.arange(len(self._count)) * (2 * np.pi / box_size)
        self._bin_weight = on_device(np.exp(-((centre / cut) ** 4)))
        self._bin_weight[0] = 0.0
        self._bin_weight *= power_weight / self._bin_weight.sum()

    def value_and_slope(self, overdensity: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the loss and its derivative.

        Parameters
        ----------
        overdensity : Tensor, float64, shape (n³,)
            δ of the model, dimensionless.

        Returns
        -------
        loss : Tensor, scalar
            The loss, dimensionless.
        slope : Tensor, float64, shape (n³,)
            Its derivative with respect to δ of each node.
        """
        shape = (self._n_grid,) * 3
        modes = torch.fft.rfftn(overdensity.view(shape))
        residual = modes - self._target
        excess = self._in_bins(_squared(modes)) / self._count / self._halo_power - 1
        loss = torch.sum(self._stands_for * self._filter * _squared(residual))
        loss = loss + torch.sum(self._bin_weight * excess**2)
        pull = 2 * self._bin_weight * excess / (self._halo_power * self._count)
        along = self._filter * residual + pull[self._bins].view(modes.shape) * modes
        return loss, torch.fft.irfftn(2 * len(overdensity) * along, s=shape).view(-1)

    def _in_bins(self, values: torch.Tensor) -> torch.Tensor:
        """Sum over the modes of each bin."""
        sums = values.new_zeros(int(self._bins.max()) + 1)
        return sums.index_add_(0, self._bins, (self._stands_for * values).view(-1))


def _squared(modes: torch.Tensor) -> torch.Tensor:
    """Return |modes|², without the square root of ``abs``."""
    return modes.real**2 + modes.imag**2


class _Box:
    """One box during the steps: its rows in the training set, its loss and its deposit."""

    def __init__(self, field: BoxField, rows: slice, run: Run):
        settings, cells = run.settings, run.cells
        device = cells.inputs.device
        self.rows = rows
        self._paint_all = field.paint
        self._loss = FieldLoss(
            field.overdensity,
            field.box_size,
            cut=settings.fourier_cut,
            power_weight=settings.fourier_power_weight,
            device=device,
        )
        self._deposit = CloudInCell(
            field.position, field.box_size, len(field.overdensity), device=device
        )
        per_row = cells.factor.double().repeat_interleave(cells.size)[rows]
        self._share = per_row * (field.overdensity.size / per_row.sum())
        self._correction = torch.zeros((), device=device)

    def correct(self, f: torch.Tensor, run: Run) -> None:
        """Paint all particles, and keep the difference from the field of the sub-sample."""
        whole = torch.from_numpy(self._paint_all(run.evaluate)).to(f.device)
        self._correction = whole.double().view(-1) - self._overdensity(f)[0]

    def value_and_slope(self, f: torch.Tensor) -> tuple[float, torch.Tensor]:
        """Return the loss, and its derivative with respect to the f of each row, float64, (p,)."""
        change, mean = self._overdensity(f)
        loss, of_nodes = self._loss.value_and_slope(change + self._correction)
        # of 1 + δ = Σ f / mean, through the mean as well
        of_nodes = (of_nodes - torch.mean(of_nodes * (1 + change))) / mean
        return loss.item(), self._share * self._deposit.read(of_nodes)

    def _overdensity(self, f: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return δ of the sub-sample and the mean of its Σ f over the nodes."""
        mass = self._deposit.deposit(self._share * f)
        mean = mass.mean()
        return mass / mean - 1, mean


class FourierRounds:
    """Rounds of L-BFGS on all particles of a training.

    Parameters
    ----------
    run : Run
        State of the training; its network is updated.
    fields : sequence of BoxField
        The boxes of the training set, whose rows follow each other.
    """

    def __init__(self, run: Run, fields: Sequence[BoxField]):
        ends = np.cumsum([0, *(len(field.position) for field in fields)]).tolist()
        self._run = run
        self._boxes = [
            _Box(field, slice(*rows), run)
            for field, rows in zip(fields, pairwise(ends), strict=True)
        ]

    def run(self, progress: Callable[[], object] = lambda: None) -> float:
        """Minimise for a round, from the network's parameters, and return the final loss.

        `progress` is called after every evaluation.
        """
        trained, evaluations = self._run.trained, self._run.settings.EVALUATIONS_PER_ROUND
        self.correct()

        def value_and_gradient(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            if self._run.stop.is_set():
                raise SystemExit("with the others")
            trained.vector.detach().copy_(torch.from_numpy(parameters))
            trained.to_network()
            value, of_network = self.value_and_gradient()
            progress()
            return value, trained.gradient(of_network).cpu().numpy().astype(np.float64)

        found = optimize.minimize(
            value_and_gradient,
            trained.vector.detach().cpu().numpy().astype(np.float64),
            jac=True,
            method="L-BFGS-B",
            options={
                "maxfun": evaluations,
                "maxiter": evaluations,
                "maxcor": _MEMORY,
                "ftol": 0.0,
                "gtol": 0.0,
            },
        )
        trained.vector.detach().copy_(torch.from_numpy(found.x))
        trained.to_network()
        return float(found.fun)

    def correct(self) -> None:
        """Paint all particles of each box, for the evaluations until the next correction."""
        f = self._run.cells.f(self._run.network)
        for box in self._boxes:
            box.correct(f[box.rows], self._run)

    def value_and_gradient(self) -> tuple[float, torch.Tensor]:
        """Return the loss of all boxes and its derivative by the network's parameters."""
        network, inputs = self._run.network, self._run.cells.inputs
        f = self._run.cells.f(network)
        found = [box.value_and_slope(f[box.rows]) for box in self._boxes]
        output = torch.log10(f)
        below = torch.clamp(output - LOWEST_OUTPUT, max=0.0)  # as in `non_negativity`
        of_f = torch.cat([of_rows for _, of_rows in found]) / len(found)
        slope = (of_f * f * math.log(10) + 4 * below**3).float()
        parts = in_chunks(
            lambda part: network.gradient(inputs[part], slope[part]),
            len(inputs),
            device=inputs.device.type,
            task="differentiating the Fourier-space loss",
        )
        loss = sum(loss for loss, _ in found) / len(found) + torch.sum(below**4).item()
        return loss, torch.stack(parts).double().sum(dim=0)
