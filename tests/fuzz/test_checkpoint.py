"""Checkpoints that are whole files but no states of a training: nothing of them is used."""

from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, assume, event, given, settings
from hypothesis import strategies as st

from lagbias.artefacts import store
from lagbias.training import checkpoint
from lagbias.training import loop as train
from lagbias.training.losses import CONSTRAINTS, ConstraintSetup
from lagbias.training.network import HaloToMassNet
from lagbias.training.optimiser import Adam
from lagbias.training.training_set import TrainingSet

pytestmark = [pytest.mark.timeout(6 * 3600), pytest.mark.usefixtures("bounded_memory")]
reusing_fixtures = settings(
    suppress_health_check=list(HealthCheck), phases=set(Phase) - {Phase.explain}
)

EPOCHS, KEY = 4, "the key of this training"
HISTORY = ("loss_per_cell", "mean_f", "learning_rate", "validation_loss_per_cell")
SETTINGS = SimpleNamespace(
    hidden_layers=1, width=4, epochs=EPOCHS, learning_rate=2e-3, learning_rate_decay=0.9,
    cells_per_batch=5, fixed_batches=False, loss="squared", constraint="normalise",
    constraint_sample=10,
)  # fmt: skip
NUMBERS = [0, -1, 1, 2, 3, EPOCHS + 1, 10**6, 2.0, 1.5, np.nan, np.inf, 1e300, -(2**63), True]
ATTRIBUTES = [*NUMBERS, "", "two", [1, 2], [], np.zeros(3), np.int8(-1), np.uint64(2**64 - 1)]


def fresh() -> dict:
    """Return what is trained, at its beginning."""
    network = HaloToMassNet(2, 1, 4, generator=torch.Generator().manual_seed(0))
    setup = ConstraintSetup(occupied_cells=20, n_cells=30, draw_sample=lambda: None)
    return {
        "network": network,
        "optimiser": Adam(network.parameters()),
        "constraint": CONSTRAINTS["normalise"](setup),
        "history": {name: [] for name in HISTORY},
    }


def content(state) -> list:
    """Return all that a checkpoint may change."""
    optimiser = state["optimiser"]
    tensors = [
        *state["network"].parameters(), *optimiser.first_moments, *optimiser.second_moments,
        *optimiser.steps, state["constraint"].state,
    ]  # fmt: skip
    return [tensor.detach().numpy().copy() for tensor in tensors]


def good() -> tuple[dict, dict]:
    """Return arrays and attributes of a checkpoint after two epochs of four steps."""
    size = sum(p.numel() for p in fresh()["network"].parameters())
    rng = np.random.default_rng(0)
    arrays = {
        "parameters": rng.normal(size=size).astype(np.float32),
        "first_moments": rng.normal(size=size).astype(np.float32),
        "second_moments": rng.uniform(size=size).astype(np.float32),
        "constraint_state": rng.uniform(size=20).astype(np.float32),
        **{name: rng.uniform(size=2) for name in HISTORY},
    }
    return arrays, {"fingerprint": KEY, "epoch": 2, "optimiser_steps": 8.0}


def write(path, arrays, attributes) -> None:
    """Write a checkpoint by the store's own means, whatever it is."""
    anything = {"finite": False} if "finite" in {f.name for f in fields(store.Dataset)} else {}
    datasets = {
        name: store.Dataset(values, "1", tuple(f"axis{i}" for i in range(values.ndim)), **anything)
        for name, values in arrays.items()
    }
    store.write(path, "checkpoint", datasets, attributes=attributes)


@st.composite
def spoiled(draw):
    """Return a checkpoint with one to three things wrong, or strange."""
    arrays, attributes = good()
    for _ in range(draw(st.integers(1, 3))):
        deed = draw(st.sampled_from(["attribute", "attribute", "lack", "value", "shape", "type"]))
        if deed == "attribute":
            name = draw(st.sampled_from(["epoch", "optimiser_steps", "fingerprint"]))
            attributes[name] = draw(st.sampled_from(ATTRIBUTES))
            if draw(st.booleans()):
                del attributes[name]
            continue
        name = draw(st.sampled_from(sorted(arrays)) if arrays else st.just(None))
        if name is None:
            continue
        values = arrays[name] = np.atleast_1d(arrays[name]).copy()
        if values.dtype.kind in "cS":
            continue
        if deed == "lack":
            del arrays[name]
        elif deed == "value" and values.size and values.dtype.kind == "f":
            at = draw(st.integers(0, values.size - 1))
            values.flat[at] = draw(st.sampled_from([np.nan, np.inf, -np.inf, -1.0, 1e30]))
        elif deed == "shape":
            shapes = [values[:0], values[:-1], np.tile(values, 2), values[None], values.ravel()[:1]]
            arrays[name] = draw(st.sampled_from([*shapes, values.ravel().sum(keepdims=True)[0]]))
            arrays[name] = np.asarray(arrays[name])
        elif deed == "type":
            kind = draw(st.sampled_from(["f8", "i4", "u1", "?", "c8", "S3", ">f4"]))
            with np.errstate(all="ignore"):
                arrays[name] = values.real.astype(kind)
    return arrays, attributes


@given(case=spoiled())
@reusing_fixtures
def test_a_strange_checkpoint_is_used_whole_or_not_at_all(case, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "spoiled.checkpoint"
    with np.errstate(all="ignore"):
        try:
            write(path, *case)
        except (store.ArtefactError, ValueError, TypeError):
            assume(False)  # not even the store takes it
    state = fresh()
    before = content(state)
    done = checkpoint.resume(path, KEY, **state, epochs=EPOCHS)
    event(f"epoch {done}")
    if not done:
        for one, other in zip(before, content(state), strict=True):
            np.testing.assert_array_equal(one, other)
        assert not any(state["history"].values())
    else:
        assert 1 <= done <= EPOCHS
        assert all(len(values) == done for values in state["history"].values())
        assert all(np.isfinite(values).all() for values in content(state))


def test_a_good_one_is_used(tmp_path):
    path = tmp_path / "good.checkpoint"
    arrays, attributes = good()
    write(path, arrays, attributes)
    state = fresh()
    assert checkpoint.resume(path, KEY, **state, epochs=EPOCHS) == 2
    assert state["history"]["mean_f"] == arrays["mean_f"].tolist()
    assert state["optimiser"].steps[0].item() == 8


def tiny_set() -> TrainingSet:
    rng = np.random.default_rng(1)
    return TrainingSet(
        inputs=rng.normal(size=(60, 2)).astype(np.float32),
        cell_start=np.arange(0, 61, 3),
        cell_factor=np.full(20, 0.3, np.float32),
        target=rng.exponential(size=20).astype(np.float32),
        n_cells=30,
    )


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("epoch", lambda arrays, attributes: attributes.update(epoch=EPOCHS + 1)),
        ("parameters", lambda arrays, attributes: arrays.update(parameters=np.zeros(3, "f4"))),
        ("parameters", lambda arrays, attributes: arrays["parameters"].fill(np.nan)),
        ("mean_f", lambda arrays, attributes: arrays.pop("mean_f")),
    ],
)
def test_training_starts_anew(tmp_path, caplog, name, spoil):
    """With the result that it has without the checkpoint, and a warning that says why."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    data, path = tiny_set(), tmp_path / "c.checkpoint"
    expected = train.train(data, SETTINGS, seed=0)
    train.train(data, SETTINGS, seed=0, checkpoint=path, checkpoint_interval=0.0)
    saved = store.read(path, "checkpoint")
    arrays, attributes = dict(saved.arrays), dict(saved.attributes)
    spoil(arrays, attributes)
    write(path, arrays, attributes)
    found = train.train(data, SETTINGS, seed=0, checkpoint=path)
    assert "is no state of this training" in caplog.text and name in caplog.text
    for key, values in expected.weights.items():
        np.testing.assert_array_equal(found.weights[key], values)
    torch.set_num_threads(threads)
