"""The training loop: cells, batches, steps of Adam, checkpoints and failures."""

import logging
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from lagbias.config.sections import TrainingSettings
from lagbias.runtime.device import DeviceFull
from lagbias.runtime.termination import Terminated
from lagbias.training import checkpoint, loop, losses
from lagbias.training.batches import make_batches
from lagbias.training.cpu_kernels import fused_network
from lagbias.training.device_cells import DeviceCells, sum_by_cell
from lagbias.training.loop import TrainingDiverged, train
from lagbias.training.losses import CONSTRAINTS, Constraint
from lagbias.training.optimiser import Adam
from lagbias.training.torch_network import HaloToMassNet
from lagbias.training.training_set import TrainingSet

#: Roundings of float32, 6e-8, that some thirty steps of Adam let grow.
CURVE_ROUNDING = 1e-4

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
        "epochs": 6,
        "learning_rate": 2e-3,
        "learning_rate_decay": 0.9,
        "cells_per_batch": 20,
        "fixed_batches": False,
        "loss": "squared",
        "constraint": "normalise",
        "constraint_sample": 30,
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


# --- cells on a device ---


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=cuda)])
def test_inputs_of_chosen_cells_one_after_another(data, device):
    cells, chosen = DeviceCells.on_device(data, device), [17, 3, 40]
    rows = [row for j in chosen for row in range(data.cell_start[j], data.cell_start[j + 1])]
    index = torch.tensor(chosen, device=device)
    assert cells.rows(index, len(rows)).tolist() == rows
    np.testing.assert_array_equal(cells.gather(index, len(rows)).cpu(), data.inputs[rows])


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
    generator = torch.Generator().manual_seed(1)
    start = [torch.randn(shape, generator=generator) for shape in [(5, 3), (5,), (1, 5), (1,)]]
    ours, theirs = ([torch.nn.Parameter(p.clone()) for p in start] for _ in range(2))
    optimiser, reference = Adam(ours), torch.optim.Adam(theirs, fused=True)
    for step in range(20):
        for parameters in (ours, theirs):
            squares = ((p - 0.1 * step) ** 2 * (n + 1) for n, p in enumerate(parameters))
            sum(square.sum() for square in squares).backward()
        reference.param_groups[0]["lr"] = 2e-3 * 0.9**step
        reference.step()
        reference.zero_grad()
        optimiser.step(2e-3 * 0.9**step)
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_a_step_does_not_load_a_compiler():
    """Its import takes a second, in each of 80 trainings."""
    code = (
        "import sys, torch; import lagbias.training.loop as loop; "
        "net = loop.HaloToMassNet(3, generator=torch.Generator().manual_seed(0)); "
        "net(torch.ones(4, 3)).sum().backward(); loop.Adam(net.parameters()).step(0.1); "
        "sys.exit('torch._dynamo' in sys.modules or 'sympy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


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

    held = farthest()
    monkeypatch.setattr(CONSTRAINTS["normalise"], "penalty", Constraint.penalty)
    assert held < 0.1 < farthest()


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


def stop_in_epoch(monkeypatch, number, error):
    """Raise an error in the middle of an epoch."""
    original, seen = losses.LOSSES["squared"], 0

    def interrupted(model, target):
        nonlocal seen
        seen += len(model)
        if seen > 90 * (number - 0.5):
            raise error
        return original(model, target)

    monkeypatch.setitem(losses.LOSSES, "squared", interrupted)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_resumed_equals_unbroken_bit_by_bit(data, constraint, tmp_path, monkeypatch):
    settings, path = make_settings(constraint=constraint), tmp_path / "checkpoint"
    unbroken = train(data, settings, seed=1)
    arguments = {"seed": 1, "checkpoint": path, "checkpoint_interval": 0.0}
    with monkeypatch.context() as patched, pytest.raises(ZeroDivisionError):
        stop_in_epoch(patched, 4, ZeroDivisionError())
        train(data, settings, **arguments)
    epochs, original = [], loop._train_epoch
    monkeypatch.setattr(
        loop,
        "_train_epoch",
        lambda run, epoch, bar: epochs.append(epoch) or original(run, epoch, bar),
    )
    for _ in range(2):  # the second time from the checkpoint of the last epoch
        assert_equal(train(data, settings, **arguments), unbroken)
    assert epochs == [4, 5, 6]


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
        stop_in_epoch(patched, 4, error)
        train(data, make_settings(), seed=1, checkpoint=path)
    if raised is DeviceFull:
        words = "training on batches of up to", "last checkpoint", "training.cells_per_batch"
        assert all(word in str(caught.value) for word in words)
    assert checkpoint.read(path)["epoch"] == 3
    assert "its state after epoch 3 is kept" in caplog.text
    assert_equal(train(data, make_settings(), seed=1, checkpoint=path), unbroken)


def test_nothing_is_kept_before_the_interval_or_after_an_error(data, tmp_path, monkeypatch):
    train(data, make_settings(), seed=1, checkpoint=tmp_path / "checkpoint")
    stop_in_epoch(monkeypatch, 4, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        train(data, make_settings(), seed=1, checkpoint=tmp_path / "checkpoint")
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
    good, content = checkpoint.read(path), path.read_bytes()
    refused = 0
    for place in np.random.default_rng(3).integers(0, len(content), 300):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        try:
            found = checkpoint.read(path)
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
    assert key() != key(target=data.target + np.float32(1e-6))


# --- failures and reports ---


def test_values_that_are_not_finite_stop_the_training(data):
    data.inputs[17] = np.nan
    with pytest.raises(TrainingDiverged, match=r"epoch 1: .* not finite from step \d of 4"):
        train(data, make_settings(), seed=0)


def test_a_loss_that_runs_away_stops_the_training(data, monkeypatch):
    squared = losses.LOSSES["squared"]
    monkeypatch.setitem(losses.LOSSES, "squared", lambda *fields: 1e4 * squared(*fields))
    with pytest.raises(TrainingDiverged, match=r"epoch 2: .* 100 times .* was 0\.0018\. Lower"):
        train(data, make_settings(), seed=0)


def test_without_a_terminal_every_fifth_epoch_is_logged(data, caplog):
    with caplog.at_level(logging.INFO):
        train(data, make_settings(), seed=0)
    epochs = [line.split(" of ")[0] for line in caplog.messages if "epoch" in line]
    assert epochs == ["Seed 0, epoch 1", "Seed 0, epoch 5", "Seed 0, epoch 6"]
