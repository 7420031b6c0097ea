"""A run that is killed or told to end, and started again, has the result of an unbroken run."""

import os
import shutil
import signal
import time
from contextlib import contextmanager, suppress

import pytest
import yaml

from lagbias.training import checkpoint

pytestmark = pytest.mark.workflow

#: A branch of the workflow with a simulation, two trainings and an evaluation.
TARGET = "results/tiny/spectra/box0/threshold/3Rf/full/on_box1.h5"
#: Training long enough to be interrupted three times: some seven seconds.
LONGER = {"training": {"epochs": 200, "learning_rate_decay": 0.99}}
CONFIGURATION = ("--configfile", "config/tiny.yaml", "longer.yaml")
ARGUMENTS = (*CONFIGURATION, "--cores", "2", "--", TARGET)
#: Longest wait for the moment to strike, and for a process to end [s].
PATIENCE = 300


@contextmanager
def struck(checkout, moment):
    """Start the workflow, and wait for a moment; whatever is left in the end is killed."""
    process = checkout.start(*ARGUMENTS)
    try:
        wait_for(moment, process)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(moment, process=None):
    deadline = time.monotonic() + PATIENCE
    while not moment():
        assert process is None or process.poll() is None, "the workflow ended before its moment"
        assert time.monotonic() < deadline, "the moment never came"
        time.sleep(0.02)


def logs_of(checkout, rule):
    return [file.read_text() for file in (checkout.root / "logs").rglob(f"{rule}/*.log")]


def epochs(checkout):
    """Return the epochs after which the trainings' checkpoints were written."""
    paths = sorted((checkout.root / "results").rglob("*.checkpoint"))
    return [int(checkpoint.read(path)["epoch"]) for path in paths]


@pytest.fixture
def begun(another):
    """A checkout in which the target's validation box is to be simulated, and networks trained."""
    (another.root / "longer.yaml").write_text(yaml.safe_dump(LONGER))
    results = another.root / "results" / "tiny"
    for name in ("boxes/box1", "features/box1", "networks", "spectra", "model_fields"):
        shutil.rmtree(results / name)
    shutil.rmtree(another.root / "logs")
    return another


def test_killed_and_told_to_end(begun, tmp_path):
    """Killed in simulation and in training; then only trainings and then everything is ended."""
    unbroken = begun.copy(tmp_path / "unbroken")
    unbroken.snakemake(*ARGUMENTS)
    results = begun.root / "results"

    def trainings():
        return [pid for pid, rule in begun.jobs().items() if rule == "train_network"]

    def at_work():
        texts = logs_of(begun, "train_network")
        return len(texts) == 2 and all("continues after epoch" in text for text in texts)

    with struck(begun, lambda: any("2LPT" in text for text in logs_of(begun, "simulate_box"))):
        pass
    text = begun.snakemake(*ARGUMENTS, check=False)
    assert "Directory cannot be locked" in text and "--unlock" in text
    begun.snakemake("--unlock")
    assert not list(results.rglob("box1/particles.h5"))
    # checkpoints are there after two seconds of training, networks after the last epoch
    with struck(begun, lambda: len(epochs(begun)) == 2):
        pass
    begun.snakemake("--unlock")
    first = epochs(begun)
    shutil.rmtree(begun.root / "logs")
    with struck(begun, at_work) as process:  # as by hand
        for pid in trainings():
            os.kill(pid, signal.SIGTERM)
        assert process.wait(PATIENCE) != 0
    assert all("ended by SIGTERM" in text for text in logs_of(begun, "train_network"))
    second = epochs(begun)
    shutil.rmtree(begun.root / "logs")
    with struck(begun, at_work) as process:  # as SLURM does it
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(PATIENCE) != 0
        wait_for(lambda: not trainings())  # Snakemake waits for their shells, which end sooner
    assert all(a <= b <= c for a, b, c in zip(first, second, epochs(begun), strict=True))
    assert not list(results.rglob("seed*.h5"))
    begun.snakemake(*ARGUMENTS)  # the directory is not locked
    expected, found = unbroken.artefacts(), begun.artefacts()
    assert TARGET.removeprefix("results/") in found
    assert sorted(found) == sorted(expected)
    assert [name for name in found if found[name] != expected[name]] == []
