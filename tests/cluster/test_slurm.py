"""The workflow through its profile on a real SLURM, with what goes wrong on clusters."""

import shutil
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import replace

import pytest
import yaml

pytestmark = pytest.mark.cluster

#: A branch of the workflow with every computing rule in it.
TARGET = "results/tiny/spectra/box0/threshold/3Rf/full/on_box1.h5"
#: Features of one of its boxes.
FEATURES = tuple(f"results/tiny/features/box1/rf{rf}.h5" for rf in ("1.41", "2.83", "5.66"))
#: Training of some five seconds: a checkpoint is written after two.
LONGER = {"training": {"epochs": 150, "learning_rate_decay": 0.98}}
#: Less than a simulation of the tiny run takes (420 MB, and Snakemake 135 MB), and more [MB].
TOO_LITTLE, ENOUGH = 400, 2000
#: A training with the shortest time that SLURM knows hangs once it has written a checkpoint.
HANG = """
if snakemake.resources.runtime == 1:
    import time

    from lagbias import checkpoint

    written = checkpoint.write

    def write_and_hang(*arguments, **options):
        written(*arguments, **options)
        time.sleep(3600)

    checkpoint.write = write_and_hang

"""


CONFIGURATION = ("--configfile", "config/tiny.yaml", "longer.yaml")
#: One thread everywhere: results depend on their number, which may be limited by the machine.
CONFIGURATION += ("--set-threads", "simulate_box=1")
LOCALLY = ("--workflow-profile", "profiles/default")
#: What is made before networks are trained.
BEFORE = ("boxes", "features", "halo_fields", "whitening")


@pytest.fixture(scope="session")
def prepared(checkouts):
    """Make checkouts with the edits above, by name."""

    def new(name):
        checkout = checkouts(name)
        script = checkout.root / "workflow" / "scripts" / "train_network.py"
        head, start, rest = script.read_text().partition("with job.start(snakemake)")
        script.write_text(head + HANG + start + rest)
        (checkout.root / "longer.yaml").write_text(yaml.safe_dump(LONGER))
        return checkout

    return new


@pytest.fixture(scope="session")
def simulated(prepared):
    """A checkout in which the features were made without SLURM."""
    checkout = prepared("local")
    checkout.snakemake(*CONFIGURATION, *LOCALLY, "--", *FEATURES)
    return checkout


@pytest.fixture(scope="session")
def local(simulated):
    """The same checkout, in which the target was made as well."""
    simulated.snakemake(*CONFIGURATION, *LOCALLY, "--", TARGET)
    return simulated


@contextmanager
def on_cluster(cluster, checkout, *arguments):
    """Run Snakemake with SLURM's profile, and end it and its jobs with the block."""
    words = [word for word in checkout.command() if word not in ("--cores", "2")]
    words += [*CONFIGURATION, "--workflow-profile", "profiles/slurm", *arguments]
    with (checkout.root / "run.log").open("w") as output:
        process = subprocess.Popen(
            words,
            cwd=checkout.root,
            env=checkout.environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            cluster.cancel()


def finish(process, checkout):
    """Wait for the end of a run, which is to be a good one."""
    assert process.wait(timeout=400) == 0, (checkout.root / "run.log").read_text()


def memory(cluster, job):
    """Return what a job asked for [MB]."""
    return cluster.description(job)["MinMemoryNode"]


def test_too_little_memory_a_drained_and_a_lost_node(cluster, prepared, simulated, wait_for):
    checkout = prepared("nodes")
    known = set(cluster.jobs())
    with on_cluster(
        cluster,
        checkout,
        "--set-resources",
        f"simulate_box:mem_mb={TOO_LITTLE} if attempt == 1 else {ENOUGH}",
        "--",
        *FEATURES,
    ) as process:
        # the simulation is killed for its memory, and begun again with more
        wait_for(lambda: set(cluster.jobs("OUT_OF_MEMORY", "FAILED")) - known, process)
        wait_for(lambda: cluster.jobs("RUNNING"), process)
        (again,) = cluster.jobs("RUNNING")
        assert memory(cluster, again) == f"{ENOUGH}M"
        # the node takes no more jobs: that one ends, the next one waits
        cluster.set_node("drain")
        wait_for(lambda: cluster.jobs("PENDING"), process)
        assert again in cluster.jobs("COMPLETED")
        cluster.set_node("resume")
        # the node is lost with a job on it, which SLURM queues again
        wait_for(lambda: cluster.jobs("RUNNING"), process)
        lost = cluster.jobs("RUNNING")
        cluster.set_node("down")
        wait_for(lambda: set(lost) <= set(cluster.jobs("PENDING")), process)
        cluster.set_node("resume")
        finish(process, checkout)
    assert set(lost) <= set(cluster.jobs("COMPLETED"))
    # a simulation twice, and one job for all features: SLURM queued the lost one again by itself
    assert len(set(cluster.jobs()) - known) == 3
    expected, found = simulated.artefacts(), checkout.artefacts()
    assert {name.removeprefix("results/") for name in FEATURES} <= found.keys()
    assert [name for name in found if found[name] != expected[name]] == []


def test_time_limits_and_an_absent_controller(cluster, local, tmp_path, wait_for):
    shutil.copytree(local.root, tmp_path / "checkout")
    checkout = replace(local, root=tmp_path / "checkout")
    results = checkout.root / "results" / "tiny"
    for made in results.iterdir():
        if made.name not in BEFORE:
            shutil.rmtree(made)
    known = set(cluster.jobs())
    shortest = "train_network:runtime=1 if attempt == 1 else 5"
    with on_cluster(cluster, checkout, "--set-resources", shortest, "--", TARGET) as process:
        # both trainings have checkpoints, and hang; nobody answers for ten seconds
        wait_for(lambda: len(list(results.rglob("*.checkpoint"))) == 2, process)
        cluster.do("restart-controller", "10")
        wait_for(lambda: len(cluster.jobs("TIMEOUT")) == 2, process)
        finish(process, checkout)
    # two trainings twice, and the evaluation
    assert len(set(cluster.jobs()) - known) == 5
    logs = list((checkout.root / "logs" / "tiny" / "train_network").glob("*.log"))
    assert len(logs) == 2
    assert all("continu" in log.read_text() for log in logs)  # from the checkpoint
    assert checkout.artefacts() == local.artefacts()


def test_interrupted_and_killed_runs_are_taken_up(cluster, prepared, simulated, wait_for):
    checkout = prepared("interrupted")
    with on_cluster(cluster, checkout, "--", *FEATURES) as process:
        wait_for(lambda: cluster.jobs("RUNNING"), process)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) != 0
        wait_for(lambda: not cluster.jobs("RUNNING", "PENDING", "COMPLETING"))
    assert checkout.artefacts() == {}
    with on_cluster(cluster, checkout, "--", *FEATURES) as process:
        wait_for(lambda: cluster.jobs("RUNNING"), process)
        process.kill()
        process.wait()
        assert cluster.jobs("RUNNING")  # jobs go on without it
        cluster.cancel()
        wait_for(lambda: not cluster.jobs("RUNNING", "PENDING", "COMPLETING"))
    checkout.snakemake("--unlock")
    # the last time with a GPU, of which the cluster has a pretended one
    known = set(cluster.jobs())
    gpu = ("--set-resources", "simulate_box:gpu=1")
    with on_cluster(cluster, checkout, *gpu, "--", *FEATURES) as process:
        finish(process, checkout)
    begun = [cluster.description(job) for job in sorted(set(cluster.jobs()) - known, key=int)]
    assert [job.get("TresPerJob") for job in begun] == ["gres:gpu:1", None]
    expected, found = simulated.artefacts(), checkout.artefacts()
    assert [name for name in found if found[name] != expected[name]] == []
