"""The training loop: its batches, its sums, its checkpoints and how it fails."""

import logging
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lagbias.artefacts import store
from lagbias.runtime.device import DeviceFull
from lagbias.runtime.termination import Terminated
from lagbias.training import checkpoint, losses
from lagbias.training import loop as train
from lagbias.training.loop import TrainingDiverged
from lagbias.training.losses import CONSTRAINTS, Constraint, squared
from lagbias.training.network import HaloToMassNet
from lagbias.training.training_set import TrainingSet


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_settings(**changes):
    return SimpleNamespace(
        **{
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
            "cuda_graphs": False,
            **changes,
        }
    )


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


def initial_weights(seed, settings):
    generator = torch.Generator().manual_seed(seed)
    sizes = settings.hidden_layers, settings.width
    return HaloToMassNet(3, *sizes, generator=generator).to_weights()


@pytest.mark.parametrize("constraint", ["normalise", "none"])
def test_first_loss_is_that_of_the_initial_weights(data, constraint):
    settings = make_settings(cells_per_batch=90, epochs=1, constraint=constraint)
    trained = train.train(data, settings, seed=4)
    masses = slow_masses(initial_weights(4, settings), data)
    model = masses / (masses.sum() / 100 if constraint == "normalise" else 1.0)
    assert trained.history["mean_f"][0] == pytest.approx(model.sum() / 100, rel=1e-5)
    loss = np.mean((model - data.target) ** 2)
    assert trained.history["loss_per_cell"][0] == pytest.approx(loss, rel=1e-5)


def test_first_step_follows_the_gradient_of_the_loss(data):
    settings = make_settings(cells_per_batch=90, epochs=1, constraint="none")
    trained = train.train(data, settings, seed=4)
    start = initial_weights(4, settings)
    # Adam's first step is the learning rate against the sign of the gradient
    stepped = trained.weights["layers.2.bias"] - start["layers.2.bias"]
    masses = slow_masses(start, data)
    slope = np.sum((masses - data.target) * masses)
    assert stepped[0] == pytest.approx(-2e-3 * np.sign(slope), rel=1e-3)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_normalisation_is_the_exact_mean_or_one(data, constraint):
    trained = train.train(data, make_settings(constraint=constraint), seed=0)
    expected = 1.0
    if constraint == "normalise":
        expected = slow_masses(trained.weights, data).sum() / 100
        assert abs(expected - 1.0) > 1e-3
    assert trained.normalisation == pytest.approx(expected, rel=1e-5)


def test_normalise_keeps_the_scale_of_the_output_near_one(data, monkeypatch):
    """The loss is blind to it; where nothing held it, it wandered, and trainings were lost."""
    settings = make_settings(epochs=60, learning_rate=0.02, learning_rate_decay=0.98)

    def farthest():
        ends = [train.train(data, settings, seed=seed).normalisation for seed in range(4)]
        return np.abs(np.log10(ends)).max()

    held = farthest()
    monkeypatch.setattr(CONSTRAINTS["normalise"], "penalty", Constraint.penalty)
    assert held < 0.1 < farthest()


def test_training_lowers_the_loss(data):
    settings = make_settings(epochs=40, learning_rate=0.02, learning_rate_decay=0.98)
    history = train.train(data, settings, seed=0).history
    assert history["loss_per_cell"][-1] < 0.9 * history["loss_per_cell"][0]
    np.testing.assert_allclose(history["learning_rate"], 0.02 * 0.98 ** np.arange(40))


def other_box(data):
    """Return the same cells with another halo field."""
    target = np.roll(data.target, 1)
    return TrainingSet(data.inputs, data.cell_start, data.cell_factor, target, data.n_cells)


def test_validation_loss_is_that_of_the_field_divided_by_its_mean(data):
    validation = other_box(data)
    trained = train.train(data, make_settings(), seed=4, validation=validation)
    masses = slow_masses(trained.weights, validation)
    expected = np.mean((masses / (masses.sum() / 100) - validation.target) ** 2)
    found = trained.history["validation_loss_per_cell"]
    assert found.shape == (6,) and len(set(found)) == 6
    assert found[-1] == pytest.approx(expected, rel=1e-5)


def test_training_takes_no_notice_of_the_validation_box(data):
    with_it = train.train(data, make_settings(), seed=4, validation=other_box(data))
    without = train.train(data, make_settings(), seed=4)
    assert np.isnan(without.history["validation_loss_per_cell"]).all()
    without.history["validation_loss_per_cell"] = with_it.history["validation_loss_per_cell"]
    assert_equal(with_it, without)


def test_equal_seeds_give_equal_networks(data):
    first, again, other = (train.train(data, make_settings(), seed=seed) for seed in (3, 3, 4))
    assert_equal(first, again)
    assert not np.array_equal(first.weights["layers.0.weight"], other.weights["layers.0.weight"])


@pytest.mark.parametrize("fixed", [False, True])
def test_batches_are_partitions_dealt_anew_unless_fixed(data, fixed):
    run = train._start(data, None, make_settings(fixed_batches=fixed), 0, "cpu")
    first, again, second = run.batches(1), run.batches(1), run.batches(2)
    assert [len(batch) for batch in first] == [23, 23, 22, 22]
    np.testing.assert_array_equal(np.sort(np.concatenate(first)), np.arange(90))
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(again))
    assert np.array_equal(np.concatenate(first), np.concatenate(second)) == fixed


class Interruption(Exception):
    """Stands for the end of a job's time."""


def interrupt_in(monkeypatch, epoch_of_interruption):
    original = train._train_epoch

    def interrupted(run, epoch, steps):
        if epoch == epoch_of_interruption:
            raise Interruption
        return original(run, epoch, steps)

    monkeypatch.setattr(train, "_train_epoch", interrupted)
    return original


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_resumed_equals_unbroken_bit_by_bit(data, constraint, tmp_path, monkeypatch):
    settings, path = make_settings(constraint=constraint), tmp_path / "checkpoint"
    unbroken = train.train(data, settings, seed=1)
    arguments = {"seed": 1, "checkpoint": path, "checkpoint_interval": 0.0}
    original = interrupt_in(monkeypatch, 4)
    with pytest.raises(Interruption):
        train.train(data, settings, **arguments)
    epochs = []

    def counted(run, epoch, steps):
        epochs.append(epoch)
        return original(run, epoch, steps)

    monkeypatch.setattr(train, "_train_epoch", counted)
    assert_equal(train.train(data, settings, **arguments), unbroken)
    assert epochs == [4, 5, 6]


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("request_", [Terminated(signal.SIGTERM), KeyboardInterrupt()], ids=repr)
def test_a_training_told_to_end_keeps_its_last_whole_epoch(
    data, constraint, request_, tmp_path, monkeypatch, caplog
):
    """In the middle of an epoch, long before a checkpoint is due."""
    settings, path = make_settings(constraint=constraint), tmp_path / "checkpoint"
    unbroken = train.train(data, settings, seed=1)
    squares, seen = losses.LOSSES["squared"], 0

    def interrupted(model, target):
        nonlocal seen
        seen += len(model)
        if seen > 3.5 * len(data.target):  # cells: in the fourth epoch
            raise request_
        return squares(model, target)

    with monkeypatch.context() as patched, pytest.raises(type(request_)):
        patched.setitem(losses.LOSSES, "squared", interrupted)
        train.train(data, settings, seed=1, checkpoint=path)
    assert store.read(path, "checkpoint").attributes["epoch"] == 3
    assert "its state after epoch 3 is kept" in caplog.text
    assert_equal(train.train(data, settings, seed=1, checkpoint=path), unbroken)


def test_a_failed_training_keeps_nothing(data, tmp_path, monkeypatch):
    interrupt_in(monkeypatch, 4)
    with pytest.raises(Interruption):
        train.train(data, make_settings(), seed=1, checkpoint=tmp_path / "checkpoint")
    assert list(tmp_path.iterdir()) == []


def test_a_finished_checkpoint_gives_the_result_again(data, tmp_path):
    path = tmp_path / "checkpoint"
    arguments = {"seed": 1, "checkpoint": path, "checkpoint_interval": 0.0}
    first = train.train(data, make_settings(), **arguments)
    assert path.exists()
    assert_equal(train.train(data, make_settings(), **arguments), first)


def test_checkpoints_keep_their_interval(data, tmp_path):
    train.train(data, make_settings(), seed=1, checkpoint=tmp_path / "checkpoint")
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_or_damaged_checkpoint_is_ignored(data, tmp_path, caplog):
    path = tmp_path / "checkpoint"
    arguments = {"checkpoint": path, "checkpoint_interval": 0.0}
    train.train(data, make_settings(), seed=1, **arguments)
    with caplog.at_level(logging.WARNING):
        other = train.train(data, make_settings(), seed=2, **arguments)
    assert "other settings or data" in caplog.text
    assert_equal(other, train.train(data, make_settings(), seed=2))
    path.write_bytes(b"not HDF5")
    with caplog.at_level(logging.WARNING):
        again = train.train(data, make_settings(), seed=2, **arguments)
    assert "Checkpoint ignored" in caplog.text
    assert_equal(again, other)


def test_fingerprint_sees_settings_and_data(data):
    def key(changes=None, target=data.target):
        changed = TrainingSet(data.inputs, data.cell_start, data.cell_factor, target, data.n_cells)
        settings = make_settings(**changes or {})
        return checkpoint.fingerprint([data, changed], settings, seed=0, device="cpu")

    assert key() == key()
    assert key() != key({"learning_rate": 1e-3})
    assert key() != key(target=data.target + np.float32(1e-6))


def test_values_that_are_not_finite_stop_the_training(data):
    inputs = data.inputs.copy()
    inputs[17] = np.nan
    broken = TrainingSet(inputs, data.cell_start, data.cell_factor, data.target, data.n_cells)
    with pytest.raises(TrainingDiverged, match=r"epoch 1: .* not finite from step \d of 4"):
        train.train(broken, make_settings(), seed=0)


def test_a_loss_that_runs_away_stops_the_training(data, monkeypatch):
    monkeypatch.setitem(train.LOSSES, "huge", lambda model, target: 1e4 * squared(model, target))
    with pytest.raises(TrainingDiverged, match=r"epoch 2: .* 100 times .* was 0\.0018\. Lower"):
        train.train(data, make_settings(loss="huge"), seed=0)


@pytest.mark.parametrize("key", ["loss", "constraint"])
def test_unknown_names_are_refused(data, key):
    with pytest.raises(ValueError, match=f"training.{key} = 'cubic' is not known; choose one of"):
        train.train(data, make_settings(**{key: "cubic"}), seed=0)


def test_a_full_gpu_stops_the_training_and_keeps_the_checkpoint(data, tmp_path, monkeypatch):
    settings, original = make_settings(), train._step
    arguments = {"seed": 1, "checkpoint": tmp_path / "checkpoint", "checkpoint_interval": 0.0}
    unbroken = train.train(data, settings, seed=1)

    def full(run, epoch, *batch):
        if epoch == 4:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB.")
        return original(run, epoch, *batch)

    monkeypatch.setattr(train, "_step", full)
    with pytest.raises(DeviceFull, match=r"up to \d+ particles .*checkpoint.*cells_per_batch"):
        train.train(data, settings, **arguments)
    monkeypatch.setattr(train, "_step", original)
    assert checkpoint.store.read(tmp_path / "checkpoint").attributes["epoch"] == 3
    assert_equal(train.train(data, settings, **arguments), unbroken)


def test_without_a_terminal_every_fifth_epoch_is_logged(data, caplog):
    with caplog.at_level(logging.INFO):
        train.train(data, make_settings(), seed=0)
    epochs = [line.split(" of ")[0] for line in caplog.messages if "epoch" in line]
    assert epochs == ["Seed 0, epoch 1", "Seed 0, epoch 5", "Seed 0, epoch 6"]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_cuda_trains_like_the_cpu(data, constraint):
    settings = make_settings(constraint=constraint)
    on_cpu, on_cuda = (train.train(data, settings, seed=0, device=d) for d in ("cpu", "cuda"))
    for name, values in on_cpu.history.items():
        # both have NaN where there is no validation box
        np.testing.assert_allclose(on_cuda.history[name], values, rtol=1e-2, err_msg=name)
