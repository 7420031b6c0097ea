"""The workflow through its profile on a real SLURM, with what goes wrong on clusters."""

import signal
from contextlib import contextmanager

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]

#: Longest run [s].
LONGEST = 2400
#: What interrupted runs make: features of one box.
FEATURES = tuple(f"results/tiny/features/box1/rf{rf}.h5" for rf in ("1.41", "2.83", "5.66"))
#: Less than a simulation of the tiny run takes (420 MB, and Snakemake 135 MB), and more [MB].
TOO_LITTLE, ENOUGH = 400, 2000
LITTLE = f"{TOO_LITTLE} if wildcards.box == 'box0' and attempt == 1 else {ENOUGH}"
#: The first networks of two jobs, which meet with most faults; little else waits for these jobs.
HELD = tuple(
    f"results/tiny/networks/{ensemble}/seed0.h5"
    for ensemble in ("box2/threshold/3Rf/full", "box0/threshold/1Rf/density")
)
#: In SLURM they wait for the faults: once they have written a checkpoint, which they do after every
#: epoch, they write down epoch and job, and do nothing more. No speed thus matters.
HOLD = f"""
import os
import time
from functools import partial
from pathlib import Path

from lagbias.bias import ensemble_training as stage
from lagbias.runtime.checkpoints import read
from lagbias.training.checkpoint import CheckpointWriter

stage.train = partial(stage.train, checkpoint_interval=-1)
write, waited = CheckpointWriter._write, []


def write_and_wait(writer):
    write(writer)
    path = writer._path
    job, network = os.environ.get("SLURM_JOB_ID"), str(path).removesuffix(".checkpoint")
    if job and network in {HELD} and not waited:
        waited.append(path)
        with Path("held.txt").open("a") as record:
            record.write(f"{{network}} {{read(path)['epoch']}} {{job}}\\n")
        time.sleep(3600)


CheckpointWriter._write = write_and_wait

"""

#: One thread everywhere: results depend on their number, which may be limited by the machine.
ONE_THREAD = ("--set-threads", "simulate_box=1")


@pytest.fixture(scope="session")
def prepared(checkouts):
    """Make checkouts in which some trainings wait, by name."""

    def new(name):
        checkout = checkouts(name)
        script = checkout.root / "workflow" / "scripts" / "train_networks.py"
        head, start, rest = script.read_text().partition("with job.start(snakemake)")
        script.write_text(head + HOLD + start + rest)
        return checkout

    return new


@pytest.fixture(scope="session")
def local(cluster, prepared):
    """What the whole tiny configuration makes without SLURM (where there is one for the tests)."""
    checkout = prepared("local")
    checkout.snakemake(*ONE_THREAD)
    return content(checkout)


@pytest.fixture(scope="session")
def on_slurm(prepared):
    """The checkout for SLURM, in which each test takes up what it finds."""
    return prepared("slurm")


@pytest.fixture
def start(cluster, on_slurm, run_in):
    """Run Snakemake with SLURM's profile, and end it and its jobs with the block."""

    @contextmanager
    def started(*arguments):
        words = [word for word in on_slurm.command() if word not in ("--cores", "2")]
        words += [*ONE_THREAD, "--workflow-profile", "profiles/slurm", *arguments]
        try:
            with run_in(words, on_slurm) as process:
                yield process
        finally:
            cluster.cancel()

    return started


def finish(process, checkout):
    """Wait for the end of a run, which is to be a good one."""
    assert process.wait(timeout=LONGEST) == 0, (checkout.root / "run.log").read_text()


def content(checkout):
    """Return the content of every result: artefacts, figures and claims."""
    results = checkout.root / "results"
    files = sorted(path for path in results.rglob("*") if path.is_file())
    return {str(path.relative_to(results)): path.read_bytes() for path in files}


def held(checkout):
    """Return epoch and job of every halt of the two networks."""
    record = checkout.root / "held.txt"
    lines = [line.split() for line in record.read_text().splitlines()] if record.exists() else []
    return [[(int(epoch), job) for name, epoch, job in lines if name == each] for each in HELD]


def test_interrupted_and_killed_runs_are_taken_up(cluster, on_slurm, local, start, wait_for):
    with start("--", *FEATURES) as process:
        wait_for(lambda: cluster.jobs("RUNNING"), process)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=LONGEST) != 0
        wait_for(lambda: not cluster.jobs("RUNNING", "PENDING", "COMPLETING"))
    assert content(on_slurm) == {}
    with start("--", *FEATURES) as process:
        wait_for(lambda: cluster.jobs("RUNNING"), process)
        process.kill()
        process.wait()
        assert cluster.jobs("RUNNING")  # jobs go on without it
        cluster.cancel()
        wait_for(lambda: not cluster.jobs("RUNNING", "PENDING", "COMPLETING"))
    on_slurm.snakemake("--unlock")
    # the last time with a GPU, of which the cluster has a pretended one
    known = set(cluster.jobs())
    with start("--set-resources", "simulate_box:gpu=1", "--", *FEATURES) as process:
        finish(process, on_slurm)
    begun = [cluster.description(job) for job in sorted(set(cluster.jobs()) - known, key=int)]
    assert [job.get("TresPerJob") for job in begun] == ["gres:gpu:1", None]
    # the second is a group, in which one job is done after another
    assert [job["NumCPUs"] for job in begun] == ["1", "1"]
    assert [job["TimeLimit"] for job in begun] == ["00:10:00", "00:30:00"]
    found = content(on_slurm)
    assert {name.removeprefix("results/") for name in FEATURES} <= found.keys()
    assert [name for name in found if found[name] != local[name]] == []


def lack_of_memory(cluster, process, known, wait_for):
    """Wait until a simulation was killed for its memory; return the job that makes it again."""
    wait_for(lambda: set(cluster.jobs("OUT_OF_MEMORY", "FAILED")) - known, process)
    (killed,) = set(cluster.jobs("OUT_OF_MEMORY", "FAILED")) - known
    wait_for(lambda: len(cluster.alike(killed)) == 2, process)
    _, again = cluster.alike(killed)
    memory = [cluster.description(job)["MinMemoryNode"] for job in (killed, again)]
    assert memory == [f"{TOO_LITTLE}M", f"{ENOUGH}M"]
    wait_for(lambda: again in cluster.jobs("RUNNING"), process)
    return again


def drained_node(cluster, process, wait_for):
    """Let a node take no more jobs: those on it end, the next ones wait."""
    cluster.set_node("drain")
    wait_for(lambda: cluster.jobs("PENDING") and not cluster.jobs("RUNNING", "COMPLETING"), process)
    cluster.set_node("resume")


def preemption(cluster):
    """Give the whole node to somebody else's job."""
    options = ("--partition=urgent", "--exclusive", "--mem=100", "--output=/dev/null")
    cluster.ask("sbatch", *options, "--wrap=true")


def lost_node(cluster, jobs, wait_for):
    """Kill all that runs on the node, tell the controller, and switch the node on again."""
    cluster.do("cut-power")
    cluster.set_node("down")
    wait_for(lambda: set(jobs) <= set(cluster.jobs("PENDING")))
    cluster.do("power-on")


def end_of_time(cluster, job):
    """Bring a job to its time limit; return the limit that it asked for."""
    limit = cluster.description(job)["TimeLimit"]
    cluster.ask("scontrol", "update", f"jobid={job}", "endtime=now")
    return limit


def test_the_whole_run_through_all_faults(cluster, on_slurm, local, start, wait_for):
    known = set(cluster.jobs("OUT_OF_MEMORY", "FAILED"))

    def both_wait_after(epoch):
        return all(stops and stops[-1][0] == epoch for stops in held(on_slurm))

    memory = ("--set-resources", f"simulate_box:mem_mb={LITTLE}")
    with start(*memory, "--prioritize", *HELD) as process:
        again = lack_of_memory(cluster, process, known, wait_for)
        drained_node(cluster, process, wait_for)
        assert again in cluster.jobs("COMPLETED")
        wait_for(lambda: both_wait_after(1), process)
        first, second = (stops[0][1] for stops in held(on_slurm))
        preemption(cluster)
        wait_for(lambda: both_wait_after(2), process)
        lost_node(cluster, (first, second), wait_for)
        wait_for(lambda: both_wait_after(3), process)
        # jobs that end meanwhile keep their cores for a minute: nothing may need the whole node now
        cluster.do("restart-controller", "10")
        limit = end_of_time(cluster, first)
        cluster.ask("scancel", "--signal=TERM", second)
        finish(process, on_slurm)
    # each network went on where it was, in the job that SLURM queued again, and then in another
    assert held(on_slurm) == [[(epoch, job) for epoch in (1, 2, 3)] for job in (first, second)]
    for job, states in ((first, ("TIMEOUT",)), (second, ("FAILED", "CANCELLED"))):
        assert job in cluster.jobs(*states)
        told, retried = (cluster.description(each) for each in cluster.alike(job))
        assert (told["Restarts"], retried["JobState"]) == ("2", "COMPLETED")
    _, retried = cluster.alike(first)
    assert (limit, cluster.description(retried)["TimeLimit"]) == ("00:10:00", "00:20:00")
    assert on_slurm.plan() == {}
    found = content(on_slurm)
    assert sorted(found) == sorted(local)
    assert [name for name in found if found[name] != local[name]] == []
