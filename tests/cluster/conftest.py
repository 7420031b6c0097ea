"""A SLURM cluster of one node, and checkouts of the workflow whose jobs it runs."""

import importlib.util
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

#: Longest wait for something to happen on the cluster [s].
PATIENCE = 900


@dataclass(frozen=True)
class Cluster:
    """One node that is up."""

    script: Path
    node: str

    def do(self, *arguments: str) -> None:
        """Run the script that starts and stops daemons."""
        subprocess.run([self.script, *arguments], check=True, timeout=60)

    def ask(self, *command: str) -> str:
        """Return what a command of SLURM prints."""
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        return done.stdout

    def jobs(self, *states: str) -> list[str]:
        """Return the numbers of the jobs in some states, such as RUNNING or TIMEOUT."""
        chosen = ("--states", ",".join(states or ["all"]))
        return self.ask("squeue", "--noheader", "--format=%i", *chosen).split()

    def description(self, job: str) -> dict[str, str]:
        """Return what the controller knows of a job."""
        words = self.ask("scontrol", "--oneliner", "show", "job", job).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def alike(self, job: str) -> list[str]:
        """Return the numbers of the jobs that were to make the same, first to last."""
        lines = self.ask("squeue", "--noheader", "--states=all", "--format=%i %k").splitlines()
        comments = dict(line.split(maxsplit=1) for line in lines if " " in line.strip())
        return sorted((each for each in comments if comments[each] == comments[job]), key=int)

    def cancel(self) -> None:
        """End every job."""
        self.ask("scancel", "--user", str(os.getuid()))

    def set_node(self, state: str) -> None:
        """Drain the node, declare it down, or resume it."""
        command = ("scontrol", "update", f"nodename={self.node}", f"state={state}")
        if state == "resume":  # refused until the node is what it was declared to be
            wait_until(lambda: subprocess.run(command, check=False, timeout=60).returncode == 0)
        else:
            self.ask(*command, "reason=test")


def wait_until(moment: Callable[[], object], process: subprocess.Popen | None = None) -> None:
    """Wait until `moment` comes, as long as a process is at work."""
    deadline = time.monotonic() + PATIENCE
    while not moment():
        assert process is None or process.poll() is None, "the workflow ended before the moment"
        assert time.monotonic() < deadline, "the moment never came"
        time.sleep(0.5)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Bring the cluster up, and take it down after the tests."""
    if os.environ.get("LAGBIAS_SLURM") not in ("use", "install"):
        pytest.skip(
            "no SLURM is started unless LAGBIAS_SLURM is `use` or `install`: make test-cluster"
        )
    script = Path(__file__).with_name("one_node.sh")
    begun = subprocess.run([script, "up"], capture_output=True, text=True, check=False)
    if begun.returncode:
        subprocess.run([script, "down"], check=False, capture_output=True)
        pytest.skip(f"no SLURM cluster here: {begun.stderr.strip()[-300:]}")
    node = subprocess.run(["sinfo", "-hN", "-o%N"], capture_output=True, text=True, check=True)
    yield Cluster(script, node.stdout.split()[0])
    subprocess.run([script, "down"], check=False)


@pytest.fixture(scope="session")
def checkouts(repository, tmp_path_factory):
    """Make checkouts without results, by name, as the tests of the workflow do."""
    conftest = Path(__file__).parents[1] / "workflow" / "conftest.py"
    spec = importlib.util.spec_from_file_location("workflow_checkouts", conftest)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def new(name: str):
        checkout = module.copy_repository(repository, tmp_path_factory.mktemp(name) / "checkout")
        _adapt(checkout.root / "profiles" / "slurm" / "config.v8+.yaml")
        return checkout

    return new


def _adapt(profile: Path) -> None:
    """Fit the profile to a cluster of one small node that answers at once, and to short jobs."""
    text = profile.read_text()
    for was, now in (
        ("checks: 40", "checks: 5"),
        ("latency-wait: 120", "latency-wait: 10"),
        ("cores: 16", "cores: 4"),
        # the profile's own proposal for short jobs
        ("# predict_spectra: spectra", "predict_spectra: spectra"),
        ("# spectra: 4", "spectra: 4"),
        # two jobs, which run side by side
        ("figures: 20", "figures: 7"),
    ):
        assert text.count(was) == 1, was
        text = text.replace(was, now)
    profile.write_text(text)


@contextmanager
def running(words: list[str], checkout) -> Iterator[subprocess.Popen]:
    """Run a command in a checkout, its output in `run.log`, and end it with the block."""
    with (checkout.root / "run.log").open("w") as output:
        process = subprocess.Popen(
            words,
            cwd=checkout.root,
            env=checkout.environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):  # with its own processes
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="session")
def run_in():
    """Run a command in a checkout, and end it with the block."""
    return running


@pytest.fixture(scope="session")
def wait_for():
    """Wait until a moment comes."""
    return wait_until
