"""The cells of a training set on a device, and sums over their particles."""

from dataclasses import dataclass

import numpy as np
import torch

from lagbias.runtime.device import explain_oom, in_chunks
from lagbias.training.losses import non_negativity
from lagbias.training.torch_network import HaloToMassNet, f_from_output
from lagbias.training.training_set import TrainingSet

__all__ = ["DeviceCells", "sum_by_cell"]


@dataclass(frozen=True)
class DeviceCells:
    """A training set on a device.

    Attributes
    ----------
    inputs, factor, target
        See `lagbias.training.training_set.TrainingSet`; tensors.
    start, size : Tensor, int64, shape (c,)
        First row and number of rows of each occupied cell.
    host_size : ndarray, int64, shape (c,)
        `size` on the host, to be read without a synchronisation.
    n_cells : int
        All cells of the grid, occupied or not.
    """

    inputs: torch.Tensor
    start: torch.Tensor
    size: torch.Tensor
    factor: torch.Tensor
    target: torch.Tensor
    host_size: np.ndarray
    n_cells: int

    @classmethod
    def on_device(cls, training_set: TrainingSet, device: str | torch.device) -> "DeviceCells":
        """Copy a training set to a device."""
        size = np.diff(training_set.cell_start)
        arrays = (training_set.inputs, training_set.cell_start[:-1], size)
        arrays += (training_set.cell_factor, training_set.target)
        with explain_oom("copying the training set to it"):
            tensors = [torch.tensor(array, device=device) for array in arrays]
        return cls(*tensors, host_size=size, n_cells=training_set.n_cells)

    def first(self, count: int, n_cells: int) -> "DeviceCells":
        """Return views of the first `count` occupied cells, those of a grid of `n_cells`."""
        rows = int(self.host_size[:count].sum())
        return DeviceCells(
            self.inputs[:rows],
            self.start[:count],
            self.size[:count],
            self.factor[:count],
            self.target[:count],
            host_size=self.host_size[:count],
            n_cells=n_cells,
        )

    def trivial_loss(self) -> float:
        """Return the loss per cell of f = 1."""
        return torch.mean((self.factor * self.size - self.target).double() ** 2).item()

    def sums(
        self, network: HaloToMassNet, cells: torch.Tensor, total: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Sum f over some cells.

        Parameters
        ----------
        network : HaloToMassNet
            The network.
        cells : Tensor, int64, shape (B,)
            Indices of the cells.
        total : int
            Number of their particles, known to the caller without a synchronisation.

        Returns
        -------
        sums : Tensor, shape (B,)
            Σ 10^y of each cell, dimensionless.
        penalty : Tensor, scalar
            `lagbias.training.losses.non_negativity` of their particles.
        """
        output = network(self.inputs[self.rows(cells, total)])
        return sum_by_cell(f_from_output(output), self.size[cells]), non_negativity(output)

    def rows(self, cells: torch.Tensor, total: int) -> torch.Tensor:
        """Return the rows of the particles of some cells, int64, shape (total,)."""
        size = self.size[cells]
        offset = self.start[cells] - (torch.cumsum(size, 0) - size)
        rows = torch.repeat_interleave(offset, size, output_size=total)
        return rows + torch.arange(total, device=rows.device)

    def f(self, network: HaloToMassNet) -> torch.Tensor:
        """Return 10^y of every particle, float64, shape (p,)."""
        with torch.inference_mode():
            parts = in_chunks(
                lambda part: f_from_output(network(self.inputs[part])),
                len(self.inputs),
                device=self.inputs.device.type,
                task="evaluating the network on every cell",
            )
            return torch.cat(parts).double()

    def masses(self, network: HaloToMassNet) -> torch.Tensor:
        """Return (N_cell/N_part) Σ 10^y of every occupied cell, float64, shape (c,)."""
        return self.factor.double() * sum_by_cell(self.f(network), self.size)

    def draw_inputs(self, count: int, rng: np.random.Generator) -> torch.Tensor:
        """Draw inputs with probability proportional to the particles that each row represents."""
        weight = np.repeat(self.factor.cpu().numpy().astype(np.float64), self.host_size)
        cumulative = np.cumsum(weight)
        drawn = rng.random(count) * cumulative[-1]
        rows = np.searchsorted(cumulative, drawn, side="right").clip(max=len(weight) - 1)
        return self.inputs[torch.from_numpy(rows).to(self.inputs.device)]


def sum_by_cell(values: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """Sum runs of `sizes` values; unlike index_add_, in a fixed order on every device."""
    return torch.segment_reduce(values, "sum", lengths=sizes, unsafe=True)
