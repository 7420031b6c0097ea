"""A run that is killed and started again ends with the result of an unbroken run."""

import os
import signal
import subprocess
import time

import pytest

pytestmark = pytest.mark.workflow

#: A branch of the workflow with every computing rule in it.
TARGET = "results/tiny/spectra/box0/threshold/3Rf/full/on_box1.h5"
#: Longest wait for the moment to strike [s].
PATIENCE = 300


def kill_when(checkout, moment):
    """Start the workflow, and kill it and all its jobs when `moment` comes."""
    process = subprocess.Popen(
        checkout.command(TARGET),
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


def test_killed_in_simulation_and_in_training(checkout, finished):
    results, logs = checkout.root / "results", checkout.root / "logs"

    def simulating():
        files = list(logs.rglob("simulate_box/*.log"))
        return any("particle-mesh" in file.read_text() for file in files)

    def training():
        # a checkpoint is there after the first epoch; the network only after the last
        return any(results.rglob("*.checkpoint"))

    kill_when(checkout, simulating)
    assert not list(results.rglob("particles.h5"))
    kill_when(checkout, training)
    assert not list(results.rglob("seed0.h5"))
    checkout.snakemake(TARGET)

    broken, unbroken = checkout.artefacts(), finished.artefacts()
    assert TARGET.removeprefix("results/") in broken
    different = [name for name, content in broken.items() if content != unbroken[name]]
    assert different == []
