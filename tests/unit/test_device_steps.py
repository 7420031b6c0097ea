"""Training steps as a GPU takes them: no waiting, one device, recorded and replayed.

None of this needs a GPU: the code written for it runs on the CPU's tensors where
`device.on_host` says that they are elsewhere, and on tensors that only say where they would be.
"""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lagbias.runtime import device
from lagbias.training import cuda_graphs
from lagbias.training import loop as train
from lagbias.training.device_cells import DeviceCells
from lagbias.training.losses import CONSTRAINTS, LOSSES, non_negativity
from lagbias.training.network import HaloToMassNet
from lagbias.training.training_set import TrainingSet

#: PyTorch's layers and sums over padded batches against the compiled kernels: float32 roundings of
#: 6e-8, let grow by some thirty steps of Adam, as in test_fused_network.py.
CURVE_ROUNDING = 1e-4
#: Sums over a cell's particles: a few roundings of float32.
SUM_ROUNDING = 1e-6
#: A device whose tensors are never made, but that PyTorch knows in every build; a CUDA device is
#: unknown to builds for the CPU.
ELSEWHERE = "lazy:0"


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


def make_data(seed, cells=90):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 30, cells)
    return TrainingSet(
        inputs=rng.normal(size=(sizes.sum(), 3)).astype(np.float32),
        cell_start=np.concatenate(([0], np.cumsum(sizes))),
        cell_factor=rng.uniform(0.02, 0.05, cells).astype(np.float32),
        target=rng.exponential(size=cells).astype(np.float32),
        n_cells=cells + 10,
    )


@pytest.fixture
def data():
    return make_data(7)


@pytest.fixture
def elsewhere(monkeypatch):
    """Let tensors on the CPU be treated as if they were on a GPU."""
    monkeypatch.setattr(device, "on_host", lambda tensor: False)


def assert_equal(one, other):
    """Assert that two trained networks agree to the last bit."""
    assert one.normalisation == other.normalisation
    for mine, its in ((one.weights, other.weights), (one.history, other.history)):
        for name, values in mine.items():
            np.testing.assert_array_equal(values, its[name], err_msg=name)


def assert_close(one, other):
    """Assert that two trainings went the same way, to rounding."""
    for name, values in other.history.items():
        # both have NaN where there is no validation box
        np.testing.assert_allclose(one.history[name], values, rtol=CURVE_ROUNDING, err_msg=name)


# --- the same result ---


def test_particles_beyond_the_batch_change_nothing(data, elsewhere):
    cells = DeviceCells.on_device(data, "cpu")
    network = HaloToMassNet(3, 2, 8, generator=torch.Generator().manual_seed(1))
    chosen = torch.tensor([40, 3, 89, 17])
    total = int(cells.size[chosen].sum())
    results = []
    for padding in (0, 1, 100):
        output, sums = cells.evaluate(network, chosen, total + padding)
        assert len(output) == total + padding
        assert not output[total:].any()
        penalty = non_negativity(3.0 * output - 5.0)
        loss = (sums * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum() + penalty
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        results.append([output[:total], sums, penalty, *gradients])
    for padded in results[1:]:
        for mine, its in zip(padded, results[0], strict=True):
            # products of matrices may be summed in another order where there are more rows
            torch.testing.assert_close(mine, its, rtol=SUM_ROUNDING, atol=SUM_ROUNDING)
    f = 10.0 ** results[0][0].detach().double()
    expected = [part.sum() for part in f.split(cells.size[chosen].tolist())]
    torch.testing.assert_close(results[0][1].double(), torch.stack(expected), rtol=1e-6, atol=0)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("loss", LOSSES)
def test_steps_for_a_gpu_give_the_curve_of_those_for_the_cpu(data, constraint, loss, monkeypatch):
    settings = make_settings(constraint=constraint, loss=loss)
    on_cpu = train.train(data, settings, seed=1, validation=make_data(8))
    monkeypatch.setattr(device, "on_host", lambda tensor: False)
    elsewhere = train.train(data, settings, seed=1, validation=make_data(8))
    assert_close(elsewhere, on_cpu)


# --- no waiting ---


class Waited(Exception):
    """Python asked for what only the device knows, or copied between the two."""


class NoWaiting(TorchDispatchMode):
    """Refuse whatever makes Python wait for a GPU."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal", "is_nonzero")

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name, kwargs = func.overloadpacket.__name__, kwargs or {}
        tensors = [leaf for leaf in tree_leaves(args) if isinstance(leaf, torch.Tensor)]
        if name.startswith(self.WAITING):
            raise Waited(name)
        # a mask says how many only when it has been counted
        if name in ("index", "index_put_", "index_put", "_index_put_impl_") and any(
            index.dtype in (torch.bool, torch.uint8) for index in tree_leaves(args[1])
        ):
            raise Waited(f"{name} with a mask")
        if name in ("repeat_interleave",) and kwargs.get("output_size") is None:
            raise Waited(f"{name} of unknown size")
        target = kwargs.get("device") if name == "_to_copy" else None
        places = {tensor.device.type for tensor in tensors if tensor.ndim}
        places |= {torch.device(target).type} if target is not None else set()
        if name in ("_to_copy", "copy_") and len(places) > 1:
            raise Waited(f"{name} between {places}")
        return func(*args, **kwargs)


@pytest.fixture
def no_waiting(monkeypatch):
    """Train with steps that must not wait; return how many were taken."""
    original, taken = train._step, []

    def watched(*arguments):
        with NoWaiting():
            taken.append(original(*arguments))
        return taken[-1]

    monkeypatch.setattr(train, "_step", watched)
    return taken


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("loss", LOSSES)
def test_no_step_waits_for_the_gpu(data, constraint, loss, elsewhere, no_waiting):
    train.train(data, make_settings(constraint=constraint, loss=loss, epochs=3), seed=0)
    assert len(no_waiting) == 3 * 4


def test_waiting_would_be_found(data, no_waiting):
    """The CPU's own steps look at numbers, which costs nothing there."""
    with pytest.raises(Waited, match="_local_scalar_dense"):
        train.train(data, make_settings(), seed=0)
    numbers = torch.arange(3.0)
    for wait in (
        lambda: numbers[numbers > 1],
        lambda: numbers.nonzero(),
        lambda: numbers.sum().item(),
        lambda: torch.repeat_interleave(numbers, torch.tensor([1, 2, 0])),
        lambda: numbers.to("meta"),
    ):
        with pytest.raises(Waited), NoWaiting():
            wait()


# --- one device ---


@pytest.fixture
def pretence(monkeypatch):
    """Make tensors without content, on devices that need not exist."""

    def move(network, place):
        for layer in network.layers:
            for name in ("weight", "bias"):
                moved = getattr(layer, name).detach().to(place)
                setattr(layer, name, torch.nn.Parameter(moved))
        return network

    # Module.to swaps what is inside parameters, which those without content do not allow
    monkeypatch.setattr(HaloToMassNet, "to", move)
    # drawn on the CPU before the first step, by numbers that are not there
    monkeypatch.setattr(DeviceCells, "draw_inputs", lambda cells, count, _: cells.inputs[:count])
    with FakeTensorMode():
        yield


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_no_step_mixes_devices(data, constraint, pretence):
    settings = make_settings(constraint=constraint, cuda_graphs=True)
    run = train._start(data, make_data(8), settings, 0, ELSEWHERE)
    assert not run.cells.on_host
    for epoch in (1, 2):  # penalties begin with the second
        batch = run.batches(epoch)[0]
        chosen = torch.from_numpy(batch).to(ELSEWHERE)
        result = train._step(run, epoch, chosen, run.most_rows)
    masses = run.validation.masses(run.network)
    everything = [result, masses, run.constraint.state, *run.network.parameters()]
    everything += [parameter.grad for parameter in run.network.parameters()]
    everything += [*run.optimiser.first_moments, *run.optimiser.steps]
    assert {tensor.device for tensor in everything} == {torch.device(ELSEWHERE)}
    assert result.shape == (2,) and masses.shape == (90,)


def test_mixed_devices_would_be_found(data, pretence):
    run = train._start(data, None, make_settings(cuda_graphs=True), 0, ELSEWHERE)
    run.constraint.state = torch.zeros(90)
    chosen = torch.from_numpy(run.batches(1)[0]).to(ELSEWHERE)
    with pytest.raises(RuntimeError, match="lazy:0"):
        train._step(run, 1, chosen, run.most_rows)


# --- recorded and replayed ---


class Recording(TorchDispatchMode):
    """Do on the CPU what a CUDA graph does: every operation again, on the memory it had.

    Like a graph it keeps all numbers that Python gave, and recording leaves no traces.
    """

    def __init__(self):
        super().__init__()
        self.calls, self.before = [], []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        written = [
            value
            for argument, value in zip(func._schema.arguments, args, strict=False)
            if argument.alias_info is not None and argument.alias_info.is_write
        ]
        self.before += [(tensor, tensor.clone()) for tensor in tree_leaves(written)]
        result = func(*args, **kwargs)
        self.calls.append((func, args, kwargs, result))
        return result

    def undo(self):
        with torch.no_grad():
            for tensor, value in reversed(self.before):
                tensor.copy_(value)

    @torch.no_grad()
    def replay(self):
        for func, args, kwargs, result in self.calls:
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


@pytest.fixture
def recordings(monkeypatch):
    """Record on the CPU; return the recordings."""
    made = []

    def capture(work):
        with Recording() as recording:
            result = work()
        recording.undo()
        made.append(recording)
        return recording.replay, result

    monkeypatch.setattr(cuda_graphs, "capture", capture)
    return made


@pytest.mark.parametrize("fixed", [False, True])
def test_recorded_batches_have_room_for_every_batch(data, fixed, elsewhere):
    settings = make_settings(fixed_batches=fixed, cuda_graphs=True)
    run = train._start(data, None, settings, 1, "cpu")
    sizes = [run.cells.host_size[batch].sum() for e in range(1, 7) for batch in run.batches(e)]
    assert run.most_rows == max(sizes) > min(sizes)


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_replayed_steps_are_the_steps_themselves(
    data, constraint, fixed, elsewhere, recordings, monkeypatch
):
    settings = {"constraint": constraint, "fixed_batches": fixed}
    plain = train.train(data, make_settings(**settings), seed=2)
    assert recordings == []
    replayed = train.train(data, make_settings(**settings, cuda_graphs=True), seed=2)
    # batches of 23 and 22 cells in every epoch; the first three steps are taken as they are
    assert len(recordings) == 6 * 2 - 1
    assert_close(replayed, plain)
    # on batches that are filled up alike, to the last bit
    monkeypatch.setattr(cuda_graphs, "_WARM_UP", 1000)
    assert_equal(replayed, train.train(data, make_settings(**settings, cuda_graphs=True), seed=2))


def test_a_recording_does_not_see_what_python_changes(recordings):
    """The stand-in is as strict as a graph: numbers of Python are those of the recording."""
    factor, state = [2.0], torch.zeros(2)

    def step(cells, total):
        state.add_(factor[0] * cells)
        return state.clone()

    replayed = cuda_graphs.Graphs().replayed(step)
    taken = []
    for number in range(6):
        factor[0] = 2.0 + number
        taken.append(replayed(torch.tensor([1.0, number]), 0).tolist())
    # three steps as they are, one recorded and replayed, two replayed with the fourth's factor
    assert taken == [
        [2.0, 0.0],
        [5.0, 3.0],
        [9.0, 11.0],
        [14.0, 26.0],
        [19.0, 46.0],
        [24.0, 71.0],
    ]
    assert len(recordings) == 1


def test_training_goes_on_where_steps_cannot_be_recorded(data, elsewhere, monkeypatch, caplog):
    def refuse(work):
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(cuda_graphs, "capture", refuse)
    expected = train.train(data, make_settings(), seed=2)
    with caplog.at_level(logging.WARNING):
        without = train.train(data, make_settings(cuda_graphs=True), seed=2)
    assert len(caplog.messages) == 1
    assert "operation not permitted when stream is capturing); training goes" in caplog.text
    assert_close(without, expected)


def test_the_cpu_records_nothing(data, monkeypatch):
    monkeypatch.setattr(cuda_graphs, "capture", None)
    settings = [make_settings(cuda_graphs=graphs) for graphs in (False, True)]
    assert_equal(*(train.train(data, chosen, seed=2) for chosen in settings))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_cuda_graphs_give_the_curve_of_plain_steps(data, constraint, caplog):
    settings = [make_settings(constraint=constraint, cuda_graphs=g) for g in (False, True)]
    with caplog.at_level(logging.WARNING):
        plain, replayed = (train.train(data, s, seed=0, device="cuda") for s in settings)
    assert caplog.messages == []
    assert_close(replayed, plain)
