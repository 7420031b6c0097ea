"""Full-batch steps on the residual field in Fourier space, after the epochs of cell batches.

A loss of single cells is a sum over all wavenumbers of the training grid, of which most are small
scales that no f reproduces: it leaves the power on large scales free by some per cent. Here the
residual r = m / ⟨m⟩ - t of the whole grid passes a low-pass filter W(k) = exp(-(k / k_c)⁴) first,
and the loss is Σ_j r_j (W r)_j, the sum of W |r_k|² up to a factor. Because it is quadratic in the
field, its derivative with respect to the f of a particle is one number for each cell, so that the
network is differentiated a chunk of particles at a time and memory stays that of the data.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from lagbias.grids.fourier import wavenumbers
from lagbias.runtime.device import in_chunks
from lagbias.training.losses import non_negativity
from lagbias.training.torch_network import f_from_output

if TYPE_CHECKING:
    from lagbias.training.device_cells import DeviceCells
    from lagbias.training.run import Run

__all__ = ["FourierLoss", "cosine", "fourier_step"]


class FourierLoss:
    """Low-pass filtered squared residual of a training grid.

    Parameters
    ----------
    cells : DeviceCells
        The training set; cells without particles count as cells without halos.
    cell_size : float
        Side of a cell [Mpc/h].
    cut : float
        k_c of the filter [h/Mpc].
    """

    def __init__(self, cells: DeviceCells, cell_size: float, cut: float):
        side = round(cells.n_cells ** (1 / 3))
        if side**3 != cells.n_cells:
            raise ValueError(
                f"A training set of {cells.n_cells} cells is no cubic grid, which "
                "training.fourier_steps needs. Set it to 0."
            )
        squared = sum(k.astype("float64") ** 2 for k in wavenumbers(side, side * cell_size))
        device = cells.target.device
        self._filter = torch.tensor(squared, device=device).div_(cut**2).square_().neg_().exp_()
        self._cells, self._shape = cells, (side,) * 3

    def value_and_slope(self, mass: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the loss and its derivative.

        Parameters
        ----------
        mass : Tensor, float64, shape (c,)
            (N_cell/N_part) Σ 10^y of every occupied cell, dimensionless.

        Returns
        -------
        loss : Tensor, scalar
            Σ_j r_j (W r)_j.
        slope : Tensor, float64, shape (c,)
            Its derivative with respect to `mass`, through the mean as well.
        """
        cells = self._cells
        mean = mass.sum() / cells.n_cells
        residual = mass.new_zeros(cells.n_cells)
        residual[cells.index] = mass / mean - cells.target.double()
        modes = torch.fft.rfftn(residual.view(self._shape)) * self._filter
        filtered = torch.fft.irfftn(modes, s=self._shape).reshape(-1)[cells.index]
        loss = torch.dot(residual[cells.index], filtered)
        along = torch.dot(filtered, mass) / (mean * cells.n_cells)
        return loss, 2 * (filtered - along) / mean


def fourier_step(run: Run, loss: FourierLoss, rate: float) -> tuple[float, float]:
    """Make one step of Adam on all particles.

    Parameters
    ----------
    run : Run
        State of the training; network and optimiser are updated.
    loss : FourierLoss
        Of its training set.
    rate : float
        Learning rate.

    Returns
    -------
    loss_per_cell : float
        Squared residual per occupied cell without filter, as in the epochs before.
    mean_f : float
        ⟨10^y⟩ over all particles, dimensionless.
    """
    cells = run.cells
    mass = cells.masses(run.network)
    _, slope = loss.value_and_slope(mass)
    weight = (slope * cells.factor).float().repeat_interleave(cells.size)

    def differentiate(part: slice) -> None:
        output = run.network(cells.inputs[part])
        total = torch.dot(f_from_output(output), weight[part]) + non_negativity(output)
        total.backward()

    in_chunks(
        differentiate,
        len(cells.inputs),
        device=cells.inputs.device.type,
        task="differentiating the Fourier-space loss",
    )
    run.optimiser.step(rate)
    mean = mass.sum() / cells.n_cells
    residual = mass / mean - cells.target
    return torch.mean(residual**2).item(), mean.item()


def cosine(step: int, steps: int) -> float:
    """Return the factor of the learning rate in a step, from 1 towards 0 (both at half steps)."""
    return 0.5 * (1 + math.cos(math.pi * (step - 0.5) / steps))
