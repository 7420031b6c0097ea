"""The training in plain PyTorch: fixed points of comparison, which use nothing of the library.

Both versions minimise what `lagbias.training.loop` minimises with ``constraint: normalise``, from
the same initial weights; they differ in how they reach the particles of a batch and sum over cells.
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

__all__ = ["PlainNet", "train_textbook", "train_with_index_add"]

#: Particles per pass where no gradient is needed: what a core's cache holds.
_CHUNK = 1 << 12


class PlainNet(nn.Module):
    """GELU layers of equal width, a linear output, and 10 to the power of it."""

    def __init__(self, weights: dict[str, np.ndarray]):
        super().__init__()
        layers = []
        for number in range(len(weights) // 2):
            matrix = torch.tensor(weights[f"layers.{number}.weight"])
            linear = nn.Linear(matrix.shape[1], matrix.shape[0])
            with torch.no_grad():
                linear.weight.copy_(matrix)
                linear.bias.copy_(torch.tensor(weights[f"layers.{number}.bias"]))
            layers += [linear, nn.GELU()]
        self.stack = nn.Sequential(*layers[:-1])

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return y, shape (P,)."""
        return self.stack(inputs).squeeze(-1)

    def to_weights(self) -> dict[str, np.ndarray]:
        """Return the weights by the names that they came with."""
        linears = [layer for layer in self.stack if isinstance(layer, nn.Linear)]
        return {
            f"layers.{number}.{kind}": getattr(layer, kind).detach().numpy()
            for number, layer in enumerate(linears)
            for kind in ("weight", "bias")
        }


class _Objective:
    """The loss of a batch: squares of cells, with the mean of 10^y over all cells divided out."""

    def __init__(self, n_cells: int):
        self._latest = torch.zeros(n_cells)

    def __call__(
        self, y: torch.Tensor, mass: torch.Tensor, target: torch.Tensor, cells: torch.Tensor
    ) -> torch.Tensor:
        self._latest[cells] = mass.detach()
        overall = self._latest.sum() / torch.count_nonzero(self._latest)
        batch_mean = mass.mean()
        model = mass / (overall * batch_mean / batch_mean.detach())
        negative = torch.clamp(y + 5.0, max=0.0) ** 4
        offset = torch.log10(batch_mean / (target.mean() + 0.1)) ** 2
        return ((model - target) ** 2).sum() + negative.sum() + len(mass) * offset


def train_with_index_add(
    data, settings, weights, *, epochs: int, seed: int
) -> tuple[PlainNet, float]:
    """Train with whole tensors: rows gathered by index, cells summed by ``index_add_``.

    Returns the network and the mean of 10^y over all particles.
    """
    inputs = torch.from_numpy(data.inputs)
    start = torch.from_numpy(data.cell_start)
    factor, target = torch.from_numpy(data.cell_factor), torch.from_numpy(data.target)
    network, objective = PlainNet(weights), _Objective(len(target))
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    generator = torch.Generator().manual_seed(seed)
    for epoch in range(epochs):
        _set_rate(optimiser, settings, epoch)
        order = torch.randperm(len(target), generator=generator)
        for cells in order.split(settings.cells_per_batch):
            first, size = start[cells], start[cells + 1] - start[cells]
            cell_of_row = torch.repeat_interleave(torch.arange(len(cells)), size)
            offset = torch.arange(len(cell_of_row)) - (torch.cumsum(size, 0) - size)[cell_of_row]
            y = network(inputs[first[cell_of_row] + offset])
            sums = torch.zeros(len(cells)).index_add_(0, cell_of_row, 10.0**y)
            optimiser.zero_grad()
            objective(y, factor[cells] * sums, target[cells], cells).backward()
            optimiser.step()
    return network, _mean_mass(network, data)


class _Cells(Dataset):
    """One item a cell, as in PyTorch's tutorials."""

    def __init__(self, data):
        self._data = data

    def __len__(self) -> int:
        return len(self._data.target)

    def __getitem__(self, cell: int):
        data = self._data
        rows = slice(data.cell_start[cell], data.cell_start[cell + 1])
        inputs = torch.from_numpy(data.inputs[rows])
        return cell, inputs, float(data.cell_factor[cell]), float(data.target[cell])


def train_textbook(
    data, settings, weights, *, epochs: int, seed: int, max_steps: int | None = None
) -> tuple[PlainNet, float]:
    """Train with a DataLoader over cells and a Python loop over the cells of a batch.

    `max_steps` ends an epoch early; the mean of 10^y is not taken then, but NaN.
    """
    loader = DataLoader(
        _Cells(data),
        batch_size=settings.cells_per_batch,
        shuffle=True,
        generator=torch.Generator().manual_seed(seed),
        collate_fn=lambda batch: tuple(zip(*batch, strict=True)),
    )
    network, objective = PlainNet(weights), _Objective(len(data.target))
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    for epoch in range(epochs):
        _set_rate(optimiser, settings, epoch)
        for step, (cells, inputs, factors, targets) in enumerate(loader):
            if step == max_steps:
                break
            y = network(torch.cat(inputs))
            masses, first = [], 0
            for rows, factor in zip(inputs, factors, strict=True):
                masses.append(factor * (10.0 ** y[first : first + len(rows)]).sum())
                first += len(rows)
            optimiser.zero_grad()
            target = torch.tensor(targets)
            objective(y, torch.stack(masses), target, torch.tensor(cells)).backward()
            optimiser.step()
    return network, _mean_mass(network, data) if max_steps is None else float("nan")


def _mean_mass(network: PlainNet, data) -> float:
    with torch.no_grad():
        f = torch.cat([10.0 ** network(p) for p in torch.from_numpy(data.inputs).split(_CHUNK)])
    weight = np.repeat(data.cell_factor, np.diff(data.cell_start))
    return float(np.sum(weight * f.numpy(), dtype=np.float64) / data.n_cells)


def _set_rate(optimiser, settings, epoch: int) -> None:
    for group in optimiser.param_groups:
        group["lr"] = settings.learning_rate * settings.learning_rate_decay**epoch
