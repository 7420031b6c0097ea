"""The cells of a training set on a device, and sums over their particles."""

from dataclasses import dataclass

import numba
import numpy as np
import torch

from lagbias.runtime import device as devices
from lagbias.training.network import HaloToMassNet, f_from_output
from lagbias.training.training_set import TrainingSet

__all__ = ["DeviceCells", "sum_by_cell"]


@dataclass(frozen=True)
class DeviceCells:
    """A training set on the device.

    Attributes
    ----------
    inputs, factor, target
        As in `lagbias.training.training_set.TrainingSet`, tensors.
    start, size : Tensor, int64, shape (c,)
        First row and number of rows of each occupied cell.
    host_size : ndarray, int64, shape (c,)
        `size` where Python can see it without waiting for the device.
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
    def on_device(cls, training_set: TrainingSet, device) -> "DeviceCells":
        """Copy a training set to a device."""
        size = np.diff(training_set.cell_start)
        arrays = (training_set.inputs, training_set.cell_start[:-1], size)
        arrays += (training_set.cell_factor, training_set.target)
        with devices.full_is_explained("putting the training set on it"):
            tensors = [torch.tensor(array, device=device) for array in arrays]
        return cls(*tensors, host_size=size, n_cells=training_set.n_cells)

    def trivial_loss(self) -> float:
        """Return the loss per cell of f = 1."""
        return torch.mean((self.factor * self.size - self.target).double() ** 2).item()

    @property
    def on_host(self) -> bool:
        """Whether the cells are where Python can see them without waiting."""
        return devices.on_host(self.inputs)

    def evaluate(
        self, network: HaloToMassNet, cells: torch.Tensor, total: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Evaluate a network on the particles of some cells.

        Parameters
        ----------
        network : HaloToMassNet
            The network.
        cells : Tensor, int64, shape (B,)
            Numbers of the cells.
        total : int
            Number of their particles. On a GPU it may be larger, so that shapes need not change
            from one batch to the next: the particles beyond are evaluated in vain.

        Returns
        -------
        output : Tensor, shape (total,)
            y of the particles, one cell after another, and zeros, dimensionless.
        sums : Tensor, shape (B,)
            Σ 10^y of each cell, dimensionless.
        """
        if self.on_host:
            output = network(self._copied(cells, total))
            return output, sum_by_cell(f_from_output(output), self.size[cells])
        rows, sizes = self.rows(cells, total)
        beyond = torch.arange(total, device=rows.device) >= total - sizes[-1]
        output = network(self.inputs[rows]).masked_fill(beyond, 0.0)
        return output, sum_by_cell(f_from_output(output), sizes)[:-1]

    def rows(self, cells: torch.Tensor, total: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the rows of some cells, one cell after another, and how many each has.

        Behind them comes a cell that is not one: the first rows of all, which fill up to `total`.
        """
        own = self.size[cells]
        sizes = torch.cat([own, (total - own.sum()).reshape(1)])
        starts = torch.cat([self.start[cells], self.start.new_zeros(1)])
        offset = starts - (torch.cumsum(sizes, 0) - sizes)
        rows = torch.repeat_interleave(offset, sizes, output_size=total)
        return rows + torch.arange(total, device=rows.device), sizes

    def _copied(self, cells: torch.Tensor, total: int) -> torch.Tensor:
        """Return the inputs of some cells' particles, `total` in all, one cell after another."""
        result = self.inputs.new_empty(total, self.inputs.shape[1])
        arrays = (self.inputs, self.start, self.size, cells, result)
        _copy_runs(*(tensor.numpy() for tensor in arrays))
        return result

    def masses(self, network: HaloToMassNet) -> torch.Tensor:
        """Return (N_cell/N_part) Σ 10^y of every occupied cell, float64, shape (c,)."""

        def f_of(part: slice) -> torch.Tensor:
            with torch.inference_mode():
                return f_from_output(network(self.inputs[part]))

        task = "evaluating the network on every cell"
        parts = devices.in_chunks(f_of, len(self.inputs), device=self.inputs.device, task=task)
        with torch.inference_mode(), devices.full_is_explained(task):
            return self.factor.double() * sum_by_cell(torch.cat(parts).double(), self.size)

    def draw_inputs(self, count: int, rng: np.random.Generator) -> torch.Tensor:
        """Draw inputs with probability proportional to the particles that each row stands for."""
        weight = np.repeat(self.factor.cpu().numpy().astype(np.float64), self.host_size)
        cumulative = np.cumsum(weight)
        drawn = rng.random(count) * cumulative[-1]
        rows = np.searchsorted(cumulative, drawn, side="right").clip(max=len(weight) - 1)
        return self.inputs[torch.from_numpy(rows).to(self.inputs.device)]


def sum_by_cell(values: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """Sum runs of `sizes` values; unlike index_add_, in a fixed order on every device."""
    return torch.segment_reduce(values, "sum", lengths=sizes, unsafe=True)


@numba.njit(cache=True)
def _copy_runs(inputs, start, size, cells, result):  # pragma: no cover - compiled
    """Copy the rows of some cells, one cell after another."""
    row = 0
    for cell in cells:
        for source in range(start[cell], start[cell] + size[cell]):
            for column in range(inputs.shape[1]):
                result[row, column] = inputs[source, column]
            row += 1
