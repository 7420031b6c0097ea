"""The Fourier-space loss: its value, its gradient, and trainings that end with it."""

from dataclasses import replace
from threading import Event

import numpy as np
import pytest
import torch

from lagbias.config.sections import TrainingSettings
from lagbias.runtime import checkpoints
from lagbias.training import loop, run
from lagbias.training.fourier import FourierLoss, cosine, fourier_step
from lagbias.training.losses import non_negativity
from lagbias.training.torch_network import HaloToMassNet, f_from_output
from lagbias.training.training_set import TrainingSet

SIDE, CELL, CUT = 6, 8.0, 0.3
#: Gradients are sums of float32 numbers over a few thousand particles.
GRADIENT_ROUNDING = 2e-5


def settings(**changes):
    values = {
        "cell_size": CELL,
        "hidden_layers": 2,
        "width": 16,
        "epochs": 3,
        "learning_rate": 2e-3,
        "learning_rate_decay": 0.9,
        "cells_per_batch": 50,
        "fixed_batches": False,
        "loss": "squared",
        "constraint": "normalise",
        "constraint_sample": 30,
        "validation_interval": 1,
        "fourier_steps": 4,
        "fourier_cut": CUT,
        "fourier_learning_rate": 1e-3,
    }
    return TrainingSettings.model_construct(**{**values, **changes})


@pytest.fixture(scope="module")
def data():
    """A grid of which a few cells have no particles."""
    rng = np.random.default_rng(3)
    occupied = np.sort(rng.choice(SIDE**3, SIDE**3 - 9, replace=False))
    sizes = rng.integers(1, 30, len(occupied))
    target = rng.exponential(size=len(occupied))
    return TrainingSet(
        inputs=rng.normal(size=(sizes.sum(), 3)).astype(np.float32),
        cell_start=np.concatenate(([0], np.cumsum(sizes))),
        cell_factor=(SIDE**3 / sizes.sum() * np.ones(len(occupied))).astype(np.float32),
        target=(target * SIDE**3 / target.sum()).astype(np.float32),
        n_cells=SIDE**3,
        cell_index=occupied,
    )


def started(data, **changes):
    return run.start(data, None, settings(**changes), 1, "cpu", Event())


def weight():
    k = 2 * np.pi * np.fft.fftfreq(SIDE, CELL)
    squared = k[:, None, None] ** 2 + k[:, None] ** 2 + k**2
    return np.exp(-((np.sqrt(squared) / CUT) ** 4))


def test_the_value_is_the_filtered_power_of_the_residual(data):
    state = started(data)
    mass = state.cells.masses(state.network)
    loss, _ = FourierLoss(state.cells, CELL, CUT).value_and_slope(mass)
    residual = np.zeros(SIDE**3)
    residual[data.cell_index] = mass.numpy() / (mass.sum().item() / SIDE**3) - data.target
    modes = np.fft.fftn(residual.reshape((SIDE,) * 3))
    assert loss.item() == pytest.approx((weight() * np.abs(modes) ** 2).sum() / SIDE**3, rel=1e-12)


def test_the_gradient_is_that_of_the_whole_field(data):
    """Against automatic differentiation of the whole grid at once, in float64."""
    state = started(data)
    seen = {}
    state.optimiser.step = lambda rate: seen.update(
        rate=rate, gradient=state.network.flat.grad.clone()
    )
    fourier_step(state, FourierLoss(state.cells, CELL, CUT), 0.5)

    whole = HaloToMassNet.from_weights(state.network.to_weights()).double()
    output = whole(torch.from_numpy(data.inputs).double())
    cell = np.repeat(data.cell_index, np.diff(data.cell_start))
    factor = np.repeat(data.cell_factor, np.diff(data.cell_start)).astype(np.float64)
    mass = torch.zeros(SIDE**3, dtype=torch.float64).index_add(
        0, torch.from_numpy(cell), f_from_output(output) * torch.from_numpy(factor)
    )
    target = torch.zeros(SIDE**3, dtype=torch.float64)
    target[data.cell_index] = torch.from_numpy(data.target).double()
    modes = torch.fft.fftn((mass / mass.mean() - target).view((SIDE,) * 3))
    loss = (torch.from_numpy(weight()) * modes.abs() ** 2).sum() / SIDE**3
    (loss + non_negativity(output)).backward()
    expected = whole.flat.grad
    assert seen["rate"] == 0.5
    difference = (seen["gradient"].double() - expected).abs().max()
    assert difference < GRADIENT_ROUNDING * expected.abs().max()


def test_a_perfect_model_has_neither_loss_nor_slope(data):
    state = started(data)
    mass = state.cells.masses(state.network)
    perfect = replace(data, target=(mass * SIDE**3 / mass.sum()).float().numpy())
    loss, slope = FourierLoss(started(perfect).cells, CELL, CUT).value_and_slope(mass)
    assert loss.item() < 1e-10
    assert slope.abs().max().item() < 1e-5


def test_the_scale_of_f_does_not_matter(data):
    state = started(data)
    mass = state.cells.masses(state.network)
    loss = FourierLoss(state.cells, CELL, CUT)
    value, slope = loss.value_and_slope(mass)
    assert loss.value_and_slope(3 * mass)[0].item() == pytest.approx(value.item(), rel=1e-12)
    assert torch.dot(slope, mass).item() == pytest.approx(0, abs=1e-9)


def test_steps_lower_the_filtered_loss(data):
    """Of a target that another network has made."""
    maker = run.start(data, None, settings(), 7, "cpu", Event())
    with torch.no_grad():
        maker.network.flat.mul_(2)
    made = maker.cells.masses(maker.network)
    state = started(replace(data, target=(made * SIDE**3 / made.sum()).float().numpy()))
    loss = FourierLoss(state.cells, CELL, CUT)

    def value():
        return loss.value_and_slope(state.cells.masses(state.network))[0].item()

    before = value()
    for step in range(1, 61):
        fourier_step(state, loss, 1e-2 * cosine(step, 60))
    assert value() < 0.3 * before


def test_a_training_ends_with_these_steps(data):
    network = loop.train(data, settings(), seed=1, validation=data)
    epochs_only = loop.train(data, settings(fourier_steps=0), seed=1, validation=data)
    assert len(network.losses) == 3 + 4
    np.testing.assert_array_equal(network.losses[:3], epochs_only.losses)
    rates = network.history["learning_rate"]
    np.testing.assert_allclose(rates[3:], [1e-3 * cosine(step, 4) for step in range(1, 5)])
    assert np.isfinite(network.validation_losses).all()


@pytest.mark.parametrize("epoch", [4, 5, 7])
def test_an_interrupted_one_continues_bit_by_bit(data, epoch, tmp_path, monkeypatch):
    whole = loop.train(data, settings(), seed=1)
    path, real = tmp_path / "checkpoint", loop.fourier_step
    count = iter(range(4, 8))

    def interrupted(*arguments):
        if next(count) == epoch:
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(loop, "fourier_step", interrupted)
        loop.train(data, settings(), seed=1, checkpoint=path)
    assert checkpoints.read(path)["epoch"] == epoch - 1
    again = loop.train(data, settings(), seed=1, checkpoint=path)
    for name, values in whole.weights.items():
        np.testing.assert_array_equal(again.weights[name], values)
    np.testing.assert_array_equal(again.losses, whole.losses)


def test_cells_that_are_no_cube_are_refused(data):
    state = started(replace(data, n_cells=SIDE**3 + 1))
    with pytest.raises(ValueError, match="no cubic grid"):
        FourierLoss(state.cells, CELL, CUT)


def test_another_constraint_is_refused(repository):
    import yaml

    training = yaml.safe_load((repository / "config" / "config.yaml").read_text())["training"]
    with pytest.raises(ValueError, match="fourier_steps = 5 needs constraint = normalise"):
        TrainingSettings(**{**training, "fourier_steps": 5, "constraint": "none"})
