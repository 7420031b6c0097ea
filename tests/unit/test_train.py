"""The training loop: cells, batches, steps of Adam, checkpoints and failures."""

import logging
import signal
import subprocess
import sys
from dataclasses import replace
from threading import Event

import numpy as np
import pytest
import torch

from lagbias.config.sections import TrainingSettings
from lagbias.runtime import checkpoints
from lagbias.runtime.device import DeviceFull
from lagbias.runtime.termination import Terminated
from lagbias.training import checkpoint, loop, losses, steps
from lagbias.training.batches import make_batches
from lagbias.training.cpu_kernels import fused_network, training_step
from lagbias.training.cpu_kernels.network_kernels import BLOCK, padded
from lagbias.training.device_cells import DeviceCells, sum_by_cell
from lagbias.training.loop import TrainingDiverged, train
from lagbias.training.losses import CONSTRAINTS, LOWEST_OUTPUT, Constraint
from lagbias.training.optimiser import BETAS, EPSILON, Adam
from lagbias.training.run import start
from lagbias.training.torch_network import HaloToMassNet
from lagbias.training.training_set import TrainingSet

#: Roundings of float32, 6e-8, that some thirty steps of Adam let grow.
CURVE_ROUNDING = 1e-4
#: Of what ten steps compute, relative to the largest number of each array. It is that of y = -5,
#: 2e-7, in the gradient of (y + 5)⁴ where y + 5 is 0.1; without that penalty, a tenth of it.
STEP_ROUNDING = 2e-5
#: Of second moments after fifty steps: roundings of float32, 6e-8, that may all have one sign.
MOMENT_ROUNDING = 1e-6
#: Of parameters, in units of the learning rate: Adam's steps have that size whatever the gradient,
#: so that a small one counts with its own rounding; a number near one rounds by 6e-8 each time.
PARAMETER_ROUNDING = 1e-3

cuda = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_settings(**changes):
    values = {
        "hidden_layers": 2,
        "width": 8,
        "combinations": 0,
        "epochs": 6,
        "learning_rate": 2e-3,
        "learning_rate_decay": 0.9,
        "cells_per_batch": 20,
        "fixed_batches": False,
        "loss": "squared",
        "constraint": "normalise",
        "constraint_sample": 30,
        "fourier_rounds": 0,
        "fourier_cut": 0.5,
        "fourier_power_weight": 10.0,
        "cell_size": 5.0,
        "validation_interval": 1,
    }
    return TrainingSettings.model_construct(**{**values, **changes})


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
        cell_index=np.arange(5, 95),
    )


def assert_equal(one, other):
    """Assert that two trained networks agree to the last bit."""
    assert one.normalisation == other.normalisation
    for mine, its in ((one.weights, other.weights), (one.history, other.history)):
        assert mine.keys() == its.keys()
        for name, values in mine.items():
            np.testing.assert_array_equal(values, its[name], err_msg=name)


def slow_masses(weights, data):
    """Sum 10^y cell by cell in a Python loop, in float64."""
    with torch.no_grad():
        y = HaloToMassNet.from_weights(weights).double()(torch.from_numpy(data.inputs).double())
    f = 10.0 ** y.numpy()
    bounds = zip(data.cell_start[:-1], data.cell_start[1:], data.cell_factor, strict=True)
    return np.array([factor * f[first:last].sum() for first, last, factor in bounds])


def initial_network(seed, settings):
    generator = torch.Generator().manual_seed(seed)
    return HaloToMassNet(3, settings.hidden_layers, settings.width, generator=generator)


def begin(data, settings, seed=1, device="cpu"):
    return start(data, None, settings, seed, device, Event())


def lower(network, inputs):
    """Shift the output, so that half of the particles are penalised."""
    with torch.no_grad():
        network.flat[-1] += LOWEST_OUTPUT - network(inputs).median()
        below = torch.count_nonzero(network(inputs) < LOWEST_OUTPUT).item()
    assert 0.4 < below / len(inputs) < 0.6


def wrap_steps(monkeypatch, wrap):
    """Replace the steps of trainings, compiled or not, by ``wrap(steps)``."""
    original = loop.steps_of
    monkeypatch.setattr(loop, "steps_of", lambda run: wrap(original(run)))


def count_steps(monkeypatch):
    """Return a list to which each step adds its epoch."""
    epochs = []
    wrap_steps(monkeypatch, lambda step: lambda *batch: epochs.append(batch[0]) or step(*batch))
    return epochs


# --- cells on a device ---


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=cuda)])
def test_inputs_of_chosen_cells_one_after_another(data, device):
    cells, chosen = DeviceCells.on_device(data, device), [17, 3, 40]
    rows = [row for j in chosen for row in range(data.cell_start[j], data.cell_start[j + 1])]
    index = torch.tensor(chosen, device=device)
    assert cells.rows(index, len(rows)).tolist() == rows
    np.testing.assert_array_equal(
        cells.inputs[cells.rows(index, len(rows))].cpu(), data.inputs[rows]
    )


def test_inputs_of_chosen_cells_for_the_compiled_step(data):
    run, chosen = begin(data, make_settings()), np.array([17, 3, 40])
    rows = [row for j in chosen for row in range(data.cell_start[j], data.cell_start[j + 1])]
    arrays = (run.cells.inputs, run.cells.start, run.cells.size, run.cells.factor, run.cells.target)
    cells = training_step.Cells(*(array.numpy() for array in arrays), 0.9)
    result = np.full((len(rows) + 1, 3), 7.0, np.float32)
    assert training_step._gather(cells, chosen, result) == len(rows)
    np.testing.assert_array_equal(result[:-1], data.inputs[rows])
    assert (result[-1] == 7.0).all()


def test_sums_of_chosen_cells_and_the_penalty_of_their_particles(data):
    network, chosen = initial_network(1, make_settings()), [17, 3, 40]
    cells = DeviceCells.on_device(data, "cpu")
    lower(network, cells.inputs)
    total = int(cells.host_size[chosen].sum())
    sums, penalty = cells.sums(network, torch.tensor(chosen), total)
    expected = slow_masses(network.to_weights(), data) / data.cell_factor
    np.testing.assert_allclose(sums.detach(), expected[chosen], rtol=1e-5)
    rows = np.concatenate([np.arange(*data.cell_start[[j, j + 1]]) for j in chosen])
    below = np.minimum(network(cells.inputs[rows]).detach().numpy() - LOWEST_OUTPUT, 0.0)
    assert 0 < np.count_nonzero(below) < total
    assert penalty.item() == pytest.approx(np.sum(below.astype(np.float64) ** 4), rel=1e-5)


def test_sums_of_ragged_cells_and_their_gradient():
    values = torch.arange(6.0, requires_grad=True)
    sums = sum_by_cell(values, torch.tensor([2, 1, 3]))
    assert sums.tolist() == [1.0, 2.0, 12.0]
    (sums * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert values.grad.tolist() == [1.0, 1.0, 10.0, 100.0, 100.0, 100.0]


def test_masses_are_sums_of_f_times_the_factor(data):
    network = initial_network(1, make_settings())
    masses = DeviceCells.on_device(data, "cpu").masses(network)
    np.testing.assert_allclose(masses, slow_masses(network.to_weights(), data), rtol=1e-6)


def test_a_draw_represents_all_particles(data):
    cells = DeviceCells.on_device(data, "cpu")
    drawn = cells.draw_inputs(40_000, np.random.default_rng(0)).numpy()
    weights = np.repeat(data.cell_factor, np.diff(data.cell_start))
    expected = np.average(data.inputs, axis=0, weights=weights)
    # five standard errors of inputs of unit variance
    np.testing.assert_allclose(drawn.mean(axis=0), expected, atol=5 / np.sqrt(40_000))


@pytest.mark.parametrize("fixed", [False, True])
def test_batches_are_partitions_drawn_anew_unless_fixed(fixed):
    settings = make_settings(fixed_batches=fixed)
    first, again, second = (make_batches(90, settings, seed=0, epoch=epoch) for epoch in (1, 1, 2))
    assert [len(batch) for batch in first] == [23, 23, 22, 22]
    np.testing.assert_array_equal(np.sort(np.concatenate(first)), np.arange(90))
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(again))
    assert np.array_equal(np.concatenate(first), np.concatenate(second)) == fixed


# --- steps ---


def test_adam_takes_the_steps_of_pytorch_bit_by_bit():
    drawn = torch.randn(29, generator=torch.Generator().manual_seed(1))
    ours, theirs = (torch.nn.Parameter(drawn.clone()) for _ in range(2))
    optimiser, reference = Adam(ours), torch.optim.Adam([theirs], fused=True)
    weight = torch.arange(1.0, 30.0)
    for step in range(20):
        for parameter in (ours, theirs):
            (weight * (parameter - 0.1 * step) ** 2).sum().backward()
        reference.param_groups[0]["lr"] = 2e-3 * 0.9**step
        reference.step()
        reference.zero_grad()
        optimiser.step(2e-3 * 0.9**step)
        assert ours.grad is None
        assert torch.equal(ours, theirs)
    state = reference.state[theirs]
    assert torch.equal(optimiser.first_moment, state["exp_avg"])
    assert torch.equal(optimiser.second_moment, state["exp_avg_sq"])
    assert optimiser.steps == state["step"] == 20


def test_compiled_adam_takes_the_steps_of_the_other():
    """From large gradients to those below ε and none."""
    rng = np.random.default_rng(1)
    scale = np.repeat([1e3, 1.0, 1e-7, 1e-9, 0.0], 20)
    parameter = torch.nn.Parameter(torch.from_numpy(rng.normal(size=100).astype(np.float32)))
    optimiser, before = Adam(parameter), parameter.detach().numpy().copy()
    state = before.copy(), *np.zeros((2, 100), np.float32), np.zeros((), np.float32)
    compiled = training_step.Adam(*state, *BETAS, EPSILON)
    for step in range(50):
        gradient = scale * rng.normal(0.5, 1.0, 100)
        parameter.grad = torch.from_numpy(gradient.astype(np.float32))
        optimiser.step(2e-3 * 0.9**step)
        training_step.adam_step(compiled, gradient, 2e-3 * 0.9**step)
    assert compiled.steps == optimiser.steps == 50
    first, second = optimiser.first_moment.numpy(), optimiser.second_moment.numpy()
    assert (np.abs(compiled.first_moment - first) <= STEP_ROUNDING * scale).all()
    np.testing.assert_allclose(compiled.second_moment, second, rtol=MOMENT_ROUNDING)
    expected = parameter.detach().numpy()
    assert np.abs(compiled.parameters - expected).max() <= PARAMETER_ROUNDING * 2e-3
    moved = np.abs(expected - before).reshape(5, 20).max(axis=1)
    assert (moved[:4] > 1e-3).all() and moved[4] == 0
    np.testing.assert_array_equal(compiled.parameters[80:], before[80:])


def test_a_step_does_not_load_a_compiler():
    """Its import takes a second, in each of 80 trainings."""
    code = (
        "import sys, numpy as np, torch; from threading import Event; "
        "from lagbias.config.sections import TrainingSettings; "
        "from lagbias.training import run, steps; "
        "from lagbias.training.training_set import TrainingSet; "
        "one = np.ones(2, np.float32); "
        "two = np.arange(2); "
        "data = TrainingSet(np.ones((4, 3), np.float32), np.array([0, 1, 4]), one, one, 2, two); "
        f"settings = TrainingSettings.model_construct(**{make_settings().model_dump()!r}); "
        "state = run.start(data, None, settings, 0, 'cpu', Event()); "
        "kinds = steps.compiled_steps, steps.pytorch_steps; "
        "[kind(state)(1, torch.tensor([0, 1]), 4) for kind in kinds]; "
        "sys.exit('torch._dynamo' in sys.modules or 'sympy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("penalised", [False, True])
@pytest.mark.parametrize(
    ("cells_per_batch", "kept_blocks"), [(9, 0), (9, 1), (90, 0), (90, 2), (90, 4)]
)
@pytest.mark.parametrize("constraint", ["normalise", "none"])
def test_compiled_steps_are_those_of_pytorch(
    data, constraint, cells_per_batch, kept_blocks, penalised, monkeypatch
):
    """After one step and after ten, on batches of one block or four, of which some are kept."""
    settings = make_settings(width=10, constraint=constraint, cells_per_batch=cells_per_batch)
    kept = kept_blocks * BLOCK * settings.hidden_layers * padded(settings.width)
    monkeypatch.setattr(steps, "KEPT", 8 * kept)
    mine, its = (begin(data, settings) for _ in range(2))
    padding = mine.network.flat.detach() == 0
    if penalised:
        for run in (mine, its):
            lower(run.network, run.cells.inputs)
    step, reference = steps.compiled_steps(mine), steps.pytorch_steps(its)
    batches = [(epoch, batch) for epoch in range(1, 11) for batch in mine.batches(epoch)][:10]
    size = mine.cells.host_size
    # ever larger ones, for which there must be more memory
    for number, (epoch, batch) in enumerate(sorted(batches, key=lambda b: size[b[1]].sum())):
        chosen, total = torch.from_numpy(batch), int(size[batch].sum())
        assert -(-total // BLOCK) == (1 if cells_per_batch == 9 else 4)
        found, expected = step(epoch, chosen, total), reference(epoch, chosen, total)
        assert found.shape == (2,) and found.dtype == torch.float32
        np.testing.assert_allclose(found, expected, rtol=STEP_ROUNDING)
        if number in (0, 9):
            assert_close_states(mine, its)
    assert mine.optimiser.steps == its.optimiser.steps == 10
    assert padding.any() and not mine.network.flat[padding].any()


def assert_close_states(one, other):
    """Assert that two runs agree to rounding in all that changes during training."""
    tensors = other.tensors()
    for name, tensor in one.tensors().items():
        limit = STEP_ROUNDING * tensors[name].abs().max()
        if name == "parameter":
            limit = PARAMETER_ROUNDING * other.settings.learning_rate
        elif name == "second_moment":
            limit = 2 * STEP_ROUNDING * tensors[name].abs().max()
        assert (tensor - tensors[name]).abs().max() <= limit, name


@pytest.mark.parametrize("loss", ["squared", "another"])
@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_compiled_steps_are_chosen_for_what_they_can_do(data, constraint, loss, monkeypatch):
    monkeypatch.setitem(losses.LOSSES, "another", losses.squared)
    for name in ("compiled_steps", "pytorch_steps"):
        monkeypatch.setattr(steps, name, lambda run, name=name: name)
    run = begin(data, make_settings(loss=loss, constraint=constraint))
    compiled = loss == "squared" and constraint in ("normalise", "none")
    assert steps.steps_of(run) == ("compiled_steps" if compiled else "pytorch_steps")


@pytest.mark.parametrize(
    "kind", ["float64 inputs", "float64 network", pytest.param("cuda", marks=cuda)]
)
def test_pytorchs_steps_are_chosen_where_there_are_no_kernels(data, kind, monkeypatch):
    for name in ("compiled_steps", "pytorch_steps"):
        monkeypatch.setattr(steps, name, lambda run, name=name: name)
    if kind == "float64 inputs":
        data = replace(data, inputs=data.inputs.astype(np.float64))
    run = begin(data, make_settings(), device="cuda" if kind == "cuda" else "cpu")
    if kind == "float64 network":
        run.network.double()
    assert steps.steps_of(run) == "pytorch_steps"


@pytest.mark.parametrize("constraint", ["normalise", "none"])
def test_first_loss_is_that_of_the_initial_weights(data, constraint):
    settings = make_settings(cells_per_batch=90, epochs=1, constraint=constraint)
    history = train(data, settings, seed=4).history
    masses = slow_masses(initial_network(4, settings).to_weights(), data)
    model = masses / (masses.sum() / 100 if constraint == "normalise" else 1.0)
    assert history["mean_f"][0] == pytest.approx(model.sum() / 100, rel=1e-5)
    loss = np.mean((model - data.target) ** 2)
    assert history["loss_per_cell"][0] == pytest.approx(loss, rel=1e-5)


def test_first_step_follows_the_gradient_of_the_loss(data):
    settings = make_settings(cells_per_batch=90, epochs=1, constraint="none")
    start = initial_network(4, settings).to_weights()
    # Adam's first step is the learning rate against the sign of the gradient
    stepped = train(data, settings, seed=4).weights["layers.2.bias"] - start["layers.2.bias"]
    masses = slow_masses(start, data)
    gradient = np.sum((masses - data.target) * masses)
    assert stepped[0] == pytest.approx(-2e-3 * np.sign(gradient), rel=1e-3)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_normalisation_is_the_exact_mean_or_one(data, constraint):
    trained = train(data, make_settings(constraint=constraint), seed=0)
    expected = 1.0
    if constraint == "normalise":
        expected = slow_masses(trained.weights, data).sum() / 100
        assert abs(expected - 1.0) > 1e-3
    assert trained.normalisation == pytest.approx(expected, rel=1e-5)


def test_normalise_keeps_the_scale_of_the_output_near_one(data, monkeypatch):
    """The loss does not depend on it; without the penalty it drifts, and trainings are lost."""
    settings = make_settings(epochs=60, learning_rate=0.02, learning_rate_decay=0.98)

    def farthest():
        ends = [train(data, settings, seed=seed).normalisation for seed in range(4)]
        return np.abs(np.log10(ends)).max()

    assert farthest() < 0.1
    monkeypatch.setattr(loop, "steps_of", steps.pytorch_steps)
    assert farthest() < 0.1
    monkeypatch.setattr(CONSTRAINTS["normalise"], "penalty", Constraint.penalty)
    assert farthest() > 0.1


def test_training_lowers_the_loss(data):
    settings = make_settings(epochs=40, learning_rate=0.02, learning_rate_decay=0.98)
    history = train(data, settings, seed=0).history
    assert history["loss_per_cell"][-1] < 0.9 * history["loss_per_cell"][0]
    np.testing.assert_allclose(history["learning_rate"], 0.02 * 0.98 ** np.arange(40))


def test_validation_measures_the_normalised_field_and_leaves_training_alone(data):
    validation = replace(data, target=np.roll(data.target, 1))
    trained = train(data, make_settings(), seed=4, validation=validation)
    masses = slow_masses(trained.weights, validation)
    expected = np.mean((masses / (masses.sum() / 100) - validation.target) ** 2)
    found = trained.history["validation_loss_per_cell"]
    assert found.shape == (6,) and len(set(found)) == 6
    assert found[-1] == pytest.approx(expected, rel=1e-5)
    without = train(data, make_settings(), seed=4)
    assert np.isnan(without.history["validation_loss_per_cell"]).all()
    without.history["validation_loss_per_cell"] = found
    assert_equal(trained, without)


@pytest.mark.parametrize(
    ("interval", "measured"), [(1, [1, 2, 3, 4, 5, 6]), (2, [2, 4, 6]), (4, [2, 6]), (7, [6])]
)
def test_validation_is_measured_at_intervals_back_from_the_last_epoch(data, interval, measured):
    every, some = (
        train(data, make_settings(validation_interval=epochs), seed=4, validation=data)
        for epochs in (1, interval)
    )
    found = some.history["validation_loss_per_cell"]
    assert (np.flatnonzero(np.isfinite(found)) + 1).tolist() == measured
    expected = every.history["validation_loss_per_cell"]
    np.testing.assert_array_equal(found[np.isfinite(found)], expected[np.isfinite(found)])
    some.history["validation_loss_per_cell"] = expected
    assert_equal(some, every)


def test_equal_seeds_give_equal_networks(data):
    first, again, other = (train(data, make_settings(), seed=seed) for seed in (3, 3, 4))
    assert_equal(first, again)
    assert not np.array_equal(first.weights["layers.0.weight"], other.weights["layers.0.weight"])


def assert_same_curves(one, other):
    for name, values in other.history.items():
        # both are NaN where there is no validation box
        np.testing.assert_allclose(one.history[name], values, rtol=CURVE_ROUNDING, err_msg=name)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_loss_curve_is_that_of_pytorchs_layers(data, constraint, monkeypatch):
    settings = make_settings(hidden_layers=5, width=64, constraint=constraint)
    fused = train(data, settings, seed=1, validation=data)
    monkeypatch.setattr(fused_network, "suits", lambda *_: False)
    plain = train(data, settings, seed=1, validation=data)
    assert_same_curves(fused, plain)
    assert not np.array_equal(fused.weights["layers.1.weight"], plain.weights["layers.1.weight"])


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_cuda_trains_like_the_cpu(data, constraint):
    settings = make_settings(constraint=constraint)
    on_cpu, on_cuda = (
        train(data, settings, seed=0, validation=data, device=device) for device in ("cpu", "cuda")
    )
    for name, values in on_cpu.history.items():
        np.testing.assert_allclose(on_cuda.history[name], values, rtol=1e-2, err_msg=name)


# --- checkpoints ---


def stop_in_epoch(monkeypatch, number, act):
    """Call a function in the middle of an epoch, between two of its steps."""

    def wrap(step):
        batches = 0

        def interrupted(epoch, chosen, total):
            nonlocal batches
            batches += epoch == number
            if batches == 3:
                act()
            return step(epoch, chosen, total)

        return interrupted

    wrap_steps(monkeypatch, wrap)


def raising(error):
    def act():
        raise error

    return act


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_resumed_equals_unbroken_bit_by_bit(data, constraint, tmp_path, monkeypatch):
    settings, path = make_settings(constraint=constraint), tmp_path / "checkpoint"
    unbroken = train(data, settings, seed=1)
    arguments = {"seed": 1, "checkpoint": path, "checkpoint_interval": 0.0}
    with monkeypatch.context() as patched, pytest.raises(ZeroDivisionError):
        stop_in_epoch(patched, 4, raising(ZeroDivisionError()))
        train(data, settings, **arguments)
    epochs = count_steps(monkeypatch)
    for _ in range(2):  # the second time from the checkpoint of the last epoch
        assert_equal(train(data, settings, **arguments), unbroken)
    assert epochs == [4] * 4 + [5] * 4 + [6] * 4


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_a_completed_training_is_kept_and_resumed_at_once(data, constraint, tmp_path, monkeypatch):
    """Long before a checkpoint is due."""
    settings, path = make_settings(constraint=constraint), tmp_path / "checkpoint"
    arguments = {"seed": 1, "validation": data, "checkpoint": path, "checkpoint_interval": 1e3}
    first = train(data, settings, **arguments)
    assert checkpoints.read(path)["epoch"] == 6
    content, epochs = path.read_bytes(), count_steps(monkeypatch)
    assert_equal(train(data, settings, **arguments), first)
    assert epochs == []
    assert path.read_bytes() == content


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_a_training_that_is_told_to_stop_keeps_its_complete_epochs(
    data, constraint, tmp_path, monkeypatch, caplog
):
    settings, path, stop = make_settings(constraint=constraint), tmp_path / "checkpoint", Event()
    unbroken = train(data, settings, seed=1)
    arguments = {"seed": 1, "checkpoint": path, "checkpoint_interval": 1e3}
    with monkeypatch.context() as patched, pytest.raises(SystemExit, match="with the others"):
        stop_in_epoch(patched, 4, stop.set)
        epochs = count_steps(patched)
        train(data, settings, stop=stop, **arguments)
    assert epochs == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 3
    assert checkpoints.read(path)["epoch"] == 3
    assert "its state after epoch 3 is kept" in caplog.text
    with pytest.raises(SystemExit):  # before its first step
        train(data, settings, stop=stop, **arguments)
    assert checkpoints.read(path)["epoch"] == 3
    assert_equal(train(data, settings, stop=Event(), **arguments), unbroken)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (Terminated(signal.SIGTERM), Terminated),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (torch.OutOfMemoryError("CUDA out of memory."), DeviceFull),
    ],
    ids=["SIGTERM", "Ctrl-C", "full GPU"],
)
def test_an_interrupted_training_keeps_its_last_complete_epoch(
    data, error, raised, tmp_path, monkeypatch, caplog
):
    """Long before a checkpoint is due."""
    path = tmp_path / "checkpoint"
    unbroken = train(data, make_settings(), seed=1)
    with monkeypatch.context() as patched, pytest.raises(raised) as caught:
        stop_in_epoch(patched, 4, raising(error))
        train(data, make_settings(), seed=1, checkpoint=path)
    if raised is DeviceFull:
        words = "training on batches of up to", "last checkpoint", "training.cells_per_batch"
        assert all(word in str(caught.value) for word in words)
    assert checkpoints.read(path)["epoch"] == 3
    assert "its state after epoch 3 is kept" in caplog.text
    assert_equal(train(data, make_settings(), seed=1, checkpoint=path), unbroken)


def test_nothing_is_kept_before_the_interval_or_after_an_error(data, tmp_path, monkeypatch):
    arguments = {"checkpoint": tmp_path / "checkpoint", "checkpoint_interval": 1e3}
    seen = []
    with monkeypatch.context() as patched:
        stop_in_epoch(patched, 6, lambda: seen.append(list(tmp_path.iterdir())))
        train(data, make_settings(), seed=1, **arguments)
    assert seen == [[]]
    (tmp_path / "checkpoint").unlink()
    stop_in_epoch(monkeypatch, 4, raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        train(data, make_settings(), seed=1, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_another_training_is_ignored(data, tmp_path, caplog):
    arguments = {"checkpoint": tmp_path / "checkpoint", "checkpoint_interval": 0.0}
    train(data, make_settings(), seed=1, **arguments)
    other = train(data, make_settings(), seed=2, **arguments)
    assert "belongs to other settings or data" in caplog.text
    assert_equal(other, train(data, make_settings(), seed=2))


def test_a_damaged_checkpoint_is_ignored(data, tmp_path, caplog):
    """A single changed byte, anywhere, never changes what is read."""
    path = tmp_path / "checkpoint"
    arguments = {"seed": 2, "checkpoint": path, "checkpoint_interval": 0.0}
    expected = train(data, make_settings(), **arguments)
    good, content = checkpoints.read(path), path.read_bytes()
    refused = 0
    for place in np.random.default_rng(3).integers(0, len(content), 300):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        try:
            found = checkpoints.read(path)
        except ValueError:
            refused += 1
            continue
        for name in good.keys() & found.keys():
            np.testing.assert_array_equal(good[name], found[name])
    assert refused > 200
    path.write_bytes(content[:1000])
    assert_equal(train(data, make_settings(), **arguments), expected)
    assert "is damaged" in caplog.text


def test_fingerprint_depends_on_settings_and_data(data):
    def key(changes=None, target=data.target):
        sets = [data, replace(data, target=target)]
        return checkpoint.fingerprint(sets, make_settings(**changes or {}), seed=0, device="cpu")

    assert key() == key()
    assert key() != key({"learning_rate": 1e-3})
    assert key() != key({"validation_interval": 2})  # the history depends on it
    assert key() != key(target=data.target + np.float32(1e-6))


# --- failures and reports ---


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_values_that_are_not_finite_stop_the_training(data, constraint):
    data.inputs[17] = np.nan
    with pytest.raises(TrainingDiverged, match=r"epoch 1: .* not finite from step \d of 4"):
        train(data, make_settings(constraint=constraint), seed=0)


def test_a_loss_that_runs_away_stops_the_training(data, monkeypatch):
    factor = torch.tensor([1e4, 1.0])  # of the loss that a step returns
    wrap_steps(monkeypatch, lambda step: lambda *batch: factor * step(*batch))
    with pytest.raises(TrainingDiverged, match=r"epoch 2: .* 100 times .* was 0\.0018\. Lower"):
        train(data, make_settings(), seed=0)


def test_without_a_terminal_every_fifth_epoch_is_logged(data, caplog):
    with caplog.at_level(logging.INFO):
        train(data, make_settings(), seed=0)
    epochs = [line.split(" of ")[0] for line in caplog.messages if "epoch" in line]
    assert epochs == ["Seed 0, epoch 1", "Seed 0, epoch 5", "Seed 0, epoch 6"]
