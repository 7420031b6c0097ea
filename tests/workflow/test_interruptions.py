"""A run that is killed or told to end, and started again, has the result of an unbroken run."""

import os
import shutil
import signal
import time
from contextlib import contextmanager, suppress

import pytest
import yaml

from lagbias.runtime import checkpoints

pytestmark = pytest.mark.workflow

#: A branch of the workflow with a simulation, an ensemble of two networks and an evaluation.
TARGET = "results/tiny/spectra/box0/threshold/3Rf/full/on_box1.h5"
NETWORKS = "results/tiny/networks/box0/threshold/3Rf/full"
#: Training long enough to be interrupted three times: some eight seconds for each network.
LONGER = {"training": {"epochs": 2500, "learning_rate_decay": 0.999}}
CONFIGURATION = ("--configfile", "config/tiny.yaml", "longer.yaml")
ARGUMENTS = (*CONFIGURATION, "--cores", "2", "--", TARGET)
BOTH_AT_ONCE = ("--set-threads", "train_networks=2")
#: Longest wait for the moment to strike, and for a process to end [s].
PATIENCE = 300


@contextmanager
def struck(checkout, moment, *options):
    """Start the workflow, and wait for a moment; whatever is left in the end is killed."""
    process = checkout.start(*options, *ARGUMENTS)
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
    return [int(checkpoints.read(path)["epoch"]) for path in paths]


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
    """Killed in simulation; trainings told to end, two at once, then one after another; killed."""
    unbroken = begun.copy(tmp_path / "unbroken")
    unbroken.snakemake(*ARGUMENTS)
    networks = begun.root / NETWORKS

    def trainings():
        return [pid for pid, rule in begun.jobs().items() if rule == "train_networks"]

    def log():
        return "".join(logs_of(begun, "train_networks"))

    def second_at_work():
        """The first network is done, and the second goes on from its checkpoint."""
        return log().count("continues after epoch") == 2 and (networks / "seed0.h5").exists()

    with struck(begun, lambda: any("2LPT" in text for text in logs_of(begun, "simulate_box"))):
        pass
    text = begun.snakemake(*ARGUMENTS, check=False)
    assert "Directory cannot be locked" in text and "--unlock" in text
    begun.snakemake("--unlock")
    assert not list((begun.root / "results").rglob("box1/particles.h5"))
    # checkpoints are there after two seconds of training, networks after the last epoch
    with struck(begun, lambda: len(epochs(begun)) == 2, *BOTH_AT_ONCE) as process:  # as by hand
        for pid in trainings():
            os.kill(pid, signal.SIGTERM)
        assert process.wait(PATIENCE) != 0
    assert "ended by SIGTERM" in log() and log().count("is kept") == 2
    assert not list(networks.glob("*.h5"))
    first = epochs(begun)
    assert max(first) < LONGER["training"]["epochs"]
    shutil.rmtree(begun.root / "logs")
    with struck(begun, second_at_work) as process:  # as SLURM does it
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(PATIENCE) != 0
        wait_for(lambda: not trainings())  # Snakemake waits for their shells, which end sooner
    assert not list(networks.glob("*.h5"))  # Snakemake removes what a failed job has made
    second = epochs(begun)
    assert first[0] < second[0] == LONGER["training"]["epochs"] > second[1] >= first[1]
    shutil.rmtree(begun.root / "logs")
    with struck(begun, second_at_work):
        pass
    begun.snakemake("--unlock")
    done = (networks / "seed0.h5").stat().st_ino
    assert all(a <= b for a, b in zip(second, epochs(begun), strict=True))
    begun.snakemake(*ARGUMENTS)
    assert log().count("continues after epoch") == 1  # the second network only
    assert (networks / "seed0.h5").stat().st_ino == done
    expected, found = unbroken.artefacts(), begun.artefacts()
    assert TARGET.removeprefix("results/") in found
    assert sorted(found) == sorted(expected)
    assert [name for name in found if found[name] != expected[name]] == []
    assert epochs(begun) == []  # no checkpoint is left
