"""Cells on a device: rows, sums and representative draws."""

import numpy as np
import pytest
import torch

from lagbias.runtime import device
from lagbias.training.device_cells import DeviceCells, sum_by_cell
from lagbias.training.network import HaloToMassNet
from lagbias.training.training_set import TrainingSet


@pytest.fixture
def data():
    rng = np.random.default_rng(7)
    sizes = rng.integers(1, 6, 90)
    return TrainingSet(
        inputs=rng.normal(size=(sizes.sum(), 3)).astype(np.float32),
        cell_start=np.concatenate(([0], np.cumsum(sizes))),
        cell_factor=rng.uniform(0.2, 0.5, 90).astype(np.float32),
        target=rng.exponential(size=90).astype(np.float32),
        n_cells=100,
    )


def test_rows_of_chosen_cells_one_after_another(data):
    cells = DeviceCells.on_device(data, "cpu")
    chosen = [17, 3, 40]
    expected = [row for j in chosen for row in range(data.cell_start[j], data.cell_start[j + 1])]
    sizes = np.diff(data.cell_start)[chosen].tolist()
    for padding in (0, 4):
        rows, counts = cells.rows(torch.tensor(chosen), len(expected) + padding)
        assert rows.tolist() == [*expected, *range(padding)]
        assert counts.tolist() == [*sizes, padding]
    inputs = cells._copied(torch.tensor(chosen), len(expected))
    np.testing.assert_array_equal(inputs.numpy(), data.inputs[expected])


def test_sums_of_ragged_cells_and_their_gradient():
    values = torch.arange(6.0, requires_grad=True)
    sums = sum_by_cell(values, torch.tensor([2, 1, 3]))
    assert sums.tolist() == [1.0, 2.0, 12.0]
    (sums * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert values.grad.tolist() == [1.0, 1.0, 10.0, 100.0, 100.0, 100.0]


def test_masses_are_sums_of_f_times_the_factor(data):
    network = HaloToMassNet(3, 2, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        f = 10.0 ** network(torch.from_numpy(data.inputs)).double().numpy()
    expected = data.cell_factor * np.add.reduceat(f, data.cell_start[:-1])
    masses = DeviceCells.on_device(data, "cpu").masses(network)
    np.testing.assert_allclose(masses.numpy(), expected, rtol=1e-6)


def test_masses_where_memory_is_full(data, monkeypatch):
    network = HaloToMassNet(3, 2, 8, generator=torch.Generator().manual_seed(1))
    cells = DeviceCells.on_device(data, "cpu")
    expected, forward = cells.masses(network), HaloToMassNet.forward

    def limited(network, batch):
        if len(batch) > 100:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(network, batch)

    monkeypatch.setattr(HaloToMassNet, "forward", limited)
    with pytest.raises(device.DeviceFull, match="evaluating the network on every cell"):
        cells.masses(network)
    monkeypatch.setattr(device, "_LEAST_CHUNK", 1)
    assert torch.equal(cells.masses(network), expected)


def test_a_training_set_that_finds_no_room_is_explained(data, monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(torch, "tensor", full)
    with pytest.raises(device.DeviceFull, match="while putting the training set on it"):
        DeviceCells.on_device(data, "cpu")


def test_a_draw_represents_all_particles(data):
    cells = DeviceCells.on_device(data, "cpu")
    drawn = cells.draw_inputs(40_000, np.random.default_rng(0)).numpy()
    weights = np.repeat(data.cell_factor, np.diff(data.cell_start))
    expected = np.average(data.inputs, axis=0, weights=weights)
    # five standard errors of inputs of unit variance
    np.testing.assert_allclose(drawn.mean(axis=0), expected, atol=5 / np.sqrt(40_000))
