"""Two runs in one directory, and the lock that a killed run leaves."""

import os
import shutil
import signal
import socket
import time
from contextlib import contextmanager

import numpy as np
import pytest
import yaml

from lagbias import store

pytestmark = pytest.mark.workflow

#: Longest wait for a run to begin [s].
PATIENCE = 300
HALO_FIELDS = "halo_fields/box1/threshold.h5"


@pytest.fixture
def unfinished(another_branch):
    """A checkout in which evaluations are still to be made, which takes some seconds."""
    for name in ("spectra", "binned_f"):
        shutil.rmtree(another_branch.root / "results" / "tiny" / name)
    return another_branch


def records(checkout):
    return list((checkout.root / ".snakemake" / "lagbias_runs").glob("*.json"))


@contextmanager
def begun(checkout, *arguments):
    """Start a run, and wait until it has its lock; what is left of it in the end is killed."""
    process = checkout.start(*arguments)
    try:
        deadline = time.monotonic() + PATIENCE
        while not records(checkout):
            assert process.poll() is None, "the run ended before its time"
            assert time.monotonic() < deadline, "the run did not begin"
            time.sleep(0.02)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def assert_finished(checkout, branch_done):
    expected, found = branch_done.artefacts(), checkout.artefacts()
    assert {
        name: found.get(name) == content for name, content in expected.items()
    } == dict.fromkeys(expected, True)
    assert records(checkout) == []


def test_a_second_run_is_refused_and_another_name_is_not(unfinished, branch, branch_done):
    (unfinished.root / "other.yaml").write_text(yaml.safe_dump({"run": "other"}))
    other = ("--configfile", "config/tiny.yaml", "other.yaml", "--cores", "2", "--")
    with begun(unfinished, "--", *branch) as first:
        who = f"process {first.pid} on {socket.gethostname()}, begun "
        os.killpg(first.pid, signal.SIGSTOP)  # it is at work as long as this test likes
        text = unfinished.snakemake("--", *branch, check=False)
        assert f"Files in results/tiny are being made by another run: {who}" in text
        assert "Directory cannot be locked" in text
        assert "no longer alive" not in text
        # another run at the same time, at whose end Snakemake forgets all locks
        text = unfinished.snakemake(*other, f"results/other/{HALO_FIELDS}")
        assert "another run" not in text
        assert not (unfinished.root / ".snakemake" / "locks").exists()
        text = unfinished.snakemake("--", *branch, check=False)
        assert f"Another run is at work on the same files: {who}" in text
        assert "Traceback" not in text
        os.killpg(first.pid, signal.SIGCONT)
        assert first.wait(PATIENCE) == 0
    assert_finished(unfinished, branch_done)
    results = unfinished.root / "results"
    mine, its = (store.read(results / run / HALO_FIELDS) for run in ("tiny", "other"))
    for name in mine.arrays:
        np.testing.assert_array_equal(mine[name], its[name])


def test_the_lock_of_a_killed_run_is_explained(unfinished, branch, branch_done):
    with begun(unfinished, "--", *branch) as first:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    text = unfinished.snakemake("--", *branch, check=False)
    assert "results/tiny is locked by a run that is no longer alive" in text
    assert f"process {first.pid} on {socket.gethostname()}" in text
    assert "Unlock the directory with `snakemake --unlock`, and run again" in text
    assert "no longer alive" not in unfinished.snakemake("--unlock")
    text = unfinished.snakemake("--", *branch)
    assert "locked" not in text
    assert_finished(unfinished, branch_done)
