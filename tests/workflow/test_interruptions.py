"""A run that is killed and started again ends with the result of an unbroken run."""

import os
import signal
import subprocess
import time

import pytest
import yaml

pytestmark = pytest.mark.workflow

#: A branch of the workflow with every computing rule in it.
TARGET = "results/tiny/spectra/box0/threshold/3Rf/full/on_box1.h5"
#: Training long enough to be killed after a checkpoint: some ten seconds.
LONGER = {"training": {"epochs": 300, "learning_rate_decay": 0.99}}
#: Longest wait for the moment to strike [s].
PATIENCE = 300


def branch(checkout):
    """Return the arguments that make the target with longer training."""
    (checkout.root / "longer.yaml").write_text(yaml.safe_dump(LONGER))
    return ("--configfile", "config/tiny.yaml", "longer.yaml", "--cores", "2", "--", TARGET)


def kill_when(checkout, moment):
    """Start the workflow, and kill it and all its jobs when `moment` comes."""
    process = subprocess.Popen(
        checkout.command(*branch(checkout)),
        cwd=checkout.root,
        env=checkout.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while not moment():
            assert process.poll() is None, "the workflow ended before it could be killed"
            assert time.monotonic() < deadline, "the moment to kill the workflow never came"
            time.sleep(0.02)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    checkout.snakemake("--unlock")


def test_killed_in_simulation_and_in_training(new_checkout):
    checkout, unbroken = new_checkout("broken"), new_checkout("unbroken")
    results, logs = checkout.root / "results", checkout.root / "logs"

    def simulating():
        return any("2LPT start" in file.read_text() for file in logs.rglob("simulate_box/*.log"))

    def training():
        # a checkpoint is there after two seconds of training, the network after the last epoch
        return any(results.rglob("*.checkpoint"))

    kill_when(checkout, simulating)
    assert not list(results.rglob("particles.h5"))
    kill_when(checkout, training)
    assert not list(results.rglob("seed*.h5"))
    checkout.snakemake(*branch(checkout))
    train_logs = [file.read_text() for file in logs.rglob("train_network/*.log")]
    assert any("continu" in text for text in train_logs)  # from the checkpoint, not anew

    unbroken.snakemake(*branch(unbroken))
    expected, found = unbroken.artefacts(), checkout.artefacts()
    assert TARGET.removeprefix("results/") in found
    assert sorted(found) == sorted(expected)
    assert [name for name in found if found[name] != expected[name]] == []
