"""A run that is killed or told to end, and started again, has the result of an unbroken run."""

import os
import shutil
import signal
import time
from contextlib import contextmanager, suppress

import pytest
import yaml

from lagbias.artefacts import store

pytestmark = pytest.mark.workflow

#: A branch of the workflow with simulations, trainings and an evaluation.
TARGET = "results/tiny/spectra/box0/threshold/3Rf/full/on_box1.h5"
#: Training long enough to be killed after a checkpoint: some ten seconds.
LONGER = {"training": {"epochs": 300, "learning_rate_decay": 0.99}}
CONFIGURATION = ("--configfile", "config/tiny.yaml", "longer.yaml")
ARGUMENTS = (*CONFIGURATION, "--cores", "2", "--", TARGET)
#: Longest wait for the moment to strike, and for a process to end [s].
PATIENCE = 300


@pytest.fixture(scope="module")
def unbroken(shared_checkout):
    """The target, made without a break."""
    checkout = with_longer_training(shared_checkout("unbroken"))
    checkout.snakemake(*ARGUMENTS)
    return checkout


def with_longer_training(checkout):
    (checkout.root / "longer.yaml").write_text(yaml.safe_dump(LONGER))
    return checkout


@contextmanager
def struck(checkout, moment):
    """Start the workflow, and wait for a moment; whatever is left in the end is killed."""
    process = checkout.start(*ARGUMENTS)
    try:
        deadline = time.monotonic() + PATIENCE
        while not moment():
            assert process.poll() is None, "the workflow ended before its moment"
            assert time.monotonic() < deadline, "the moment never came"
            time.sleep(0.02)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def assert_equal_results(checkout, unbroken):
    expected, found = unbroken.artefacts(), checkout.artefacts()
    assert TARGET.removeprefix("results/") in found
    assert sorted(found) == sorted(expected)
    assert [name for name in found if found[name] != expected[name]] == []


def logs_of(checkout, rule):
    return [file.read_text() for file in (checkout.root / "logs").rglob(f"{rule}/*.log")]


def test_killed_in_simulation_and_in_training(new_checkout, unbroken):
    checkout = with_longer_training(new_checkout("broken"))
    results = checkout.root / "results"

    def simulating():
        return any("2LPT start" in text for text in logs_of(checkout, "simulate_box"))

    def training():
        # a checkpoint is there after two seconds of training, the network after the last epoch
        return any(results.rglob("*.checkpoint"))

    with struck(checkout, simulating):
        pass
    checkout.snakemake("--unlock")
    assert not list(results.rglob("particles.h5"))
    with struck(checkout, training):
        pass
    checkout.snakemake("--unlock")
    assert not list(results.rglob("seed*.h5"))
    checkout.snakemake(*ARGUMENTS)
    # from the checkpoint, not anew
    assert any("continu" in text for text in logs_of(checkout, "train_network"))
    assert_equal_results(checkout, unbroken)


@pytest.fixture
def untrained(unbroken, tmp_path):
    """A copy of that checkout in which the networks are still to be trained."""
    checkout = unbroken.copy(tmp_path / "untrained")
    for name in ("networks", "spectra", "model_fields"):
        shutil.rmtree(checkout.root / "results" / "tiny" / name)
    return checkout


def test_told_to_end_while_training(untrained, unbroken):
    """Once the trainings only, as by hand, and once everything, as SLURM does it."""

    def training():
        texts = logs_of(untrained, "train_network")
        return len(texts) == 2 and all("epoch 5 of" in t or "continues" in t for t in texts)

    def trainings():
        return [pid for pid, rule in untrained.jobs().items() if rule == "train_network"]

    def epochs():
        paths = sorted((untrained.root / "results").rglob("*.checkpoint"))
        return [store.read(path, "checkpoint").attributes["epoch"] for path in paths]

    shutil.rmtree(untrained.root / "logs")
    with struck(untrained, training) as process:
        for pid in trainings():
            os.kill(pid, signal.SIGTERM)
        assert process.wait(PATIENCE) != 0
    texts = logs_of(untrained, "train_network")
    assert all("ended by SIGTERM" in text for text in texts)
    first = epochs()
    assert [f"its state after epoch {n} is kept" in "".join(texts) for n in first] == [True, True]
    shutil.rmtree(untrained.root / "logs")
    with struck(untrained, training) as process:
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(PATIENCE) != 0
        deadline = time.monotonic() + PATIENCE
        while trainings():  # Snakemake waits for their shells, which end sooner
            assert time.monotonic() < deadline, "a training did not end"
            time.sleep(0.02)
    assert all("continues after epoch" in text for text in logs_of(untrained, "train_network"))
    assert all(now >= before for now, before in zip(epochs(), first, strict=True))
    assert not list((untrained.root / "results").rglob("seed*.h5"))
    untrained.snakemake(*ARGUMENTS)  # the directory is not locked
    assert_equal_results(untrained, unbroken)
