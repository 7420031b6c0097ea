"""Two runs in one directory, and the lock that a killed run leaves."""

import os
import signal
import socket
import time
from contextlib import contextmanager

import pytest
import yaml

pytestmark = pytest.mark.workflow

#: Longest wait for a run to begin [s].
PATIENCE = 300
DAY = 86_400
TARGET = "results/tiny/spectra/box0/threshold/1Rf/least_squares/on_box1.h5"
OTHER = "results/other/configuration.html"


@pytest.fixture
def unfinished(another):
    """A checkout in which one spectrum is still to be made."""
    (another.root / TARGET).unlink()
    return another


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


def assert_same(checkout, finished):
    assert checkout.artefacts() == finished.artefacts()
    assert records(checkout) == []


def test_a_second_run_is_refused_and_another_name_is_not(unfinished, finished):
    (unfinished.root / "other.yaml").write_text(yaml.safe_dump({"run": "other"}))
    other = ("--configfile", "config/tiny.yaml", "other.yaml", "--cores", "2", "--")
    with begun(unfinished, "--", TARGET) as first:
        who = f"process {first.pid} on {socket.gethostname()}, begun "
        os.killpg(first.pid, signal.SIGSTOP)  # it is at work as long as this test likes
        text = unfinished.snakemake("--", TARGET, check=False)
        assert f"Files in results/tiny are being made by another run: {who}" in text
        assert "Directory cannot be locked" in text
        assert "no longer alive" not in text
        # another run at the same time, at whose end Snakemake forgets all locks
        text = unfinished.snakemake(*other, OTHER)
        assert "another run" not in text
        assert not (unfinished.root / ".snakemake" / "locks").exists()
        text = unfinished.snakemake("--", TARGET, check=False)
        assert f"Another run is at work on the same files: {who}" in text
        assert "Traceback" not in text
        os.killpg(first.pid, signal.SIGCONT)
        assert first.wait(PATIENCE) == 0
    assert_same(unfinished, finished)
    assert (unfinished.root / OTHER).exists()


def test_the_lock_of_a_killed_run_is_explained(unfinished, finished):
    """And what its jobs were writing is cleared away later, by the next run that does anything."""
    left = unfinished.root / "results" / "tiny" / ".spectra.h5.4711.tmp"
    left.write_text("half a file")
    os.utime(left, (time.time() - DAY, time.time() - DAY))
    with begun(unfinished, "--", TARGET) as first:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    text = unfinished.snakemake("--", TARGET, check=False)
    assert "results/tiny is locked by a run that is no longer alive" in text
    assert f"process {first.pid} on {socket.gethostname()}" in text
    assert "Unlock the directory with `snakemake --unlock`, and run again" in text
    assert "no longer alive" not in unfinished.snakemake("--unlock")
    text = unfinished.snakemake("--", TARGET)
    assert "locked" not in text
    assert not left.exists()
    assert_same(unfinished, finished)
