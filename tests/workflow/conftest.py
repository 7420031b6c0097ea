"""The workflow in a checkout of its own, so that tests can edit it, kill it and fill its disk."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil  # Snakemake needs it
import pytest

PARTS = (
    "Snakefile",
    "workflow",
    "config",
    "profiles",
    "src",
    "environment.yml",
    "environment.post-deploy.sh",
)


@dataclass(frozen=True)
class Checkout:
    """A copy of the repository in which Snakemake is run on one of its configurations."""

    root: Path
    configfile: str = "config/tiny.yaml"

    def command(self, *arguments: str) -> list[str]:
        chosen = ("--configfile", self.configfile)
        return [sys.executable, "-m", "snakemake", *chosen, "--cores", "2", *arguments]

    def environment(self) -> dict[str, str]:
        """Return this process's environment without what would lead to another checkout."""
        return {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def snakemake(self, *arguments: str, **options) -> str:
        """Run Snakemake and return all that it printed."""
        return self.run(self.command(*arguments), **options)

    def run(
        self,
        command: Sequence[str | Path],
        *,
        check: bool = True,
        cwd: Path | None = None,
        environment: dict[str, str] | None = None,
        **options,
    ) -> str:
        """Run a command and return all that it printed; without `check` it has to fail."""
        done = subprocess.run(
            command,
            cwd=cwd or self.root,
            env=self.environment() | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **options,
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(map(str, command))} failed:\n{done.stdout}")
        if not check:
            assert done.returncode, f"Snakemake was expected to fail:\n{done.stdout}"
        return done.stdout

    def start(self, *arguments: str, **options) -> subprocess.Popen:
        """Start Snakemake in a session of its own, so that all its jobs can be signalled."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.root,
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **options,
        )

    def copy(self, target: Path) -> "Checkout":
        """Copy everything, with results and Snakemake's records of them."""
        shutil.copytree(self.root, target)
        return replace(self, root=target)

    def jobs(self) -> dict[int, str]:
        """Return the rules whose scripts run in this checkout, by process number."""
        found = {}
        for process in psutil.process_iter(["cmdline", "cwd"]):
            here = process.info["cwd"] == str(self.root.resolve())
            name = re.search(r"/tmp\w+\.(\w+)\.py", " ".join(process.info["cmdline"] or ()))
            if here and name and "python" in process.info["cmdline"][0]:
                found[process.pid] = name[1]
        return found

    def plan(self, *arguments: str) -> dict[str, int]:
        """Return how many jobs of each rule Snakemake would run."""
        return read_plan(self.snakemake("--dry-run", *arguments))

    def artefacts(self) -> dict[str, bytes]:
        """Return the content of every artefact."""
        results = self.root / "results"
        return {str(p.relative_to(results)): p.read_bytes() for p in sorted(results.rglob("*.h5"))}


def read_plan(text: str) -> dict[str, int]:
    """Read the table of jobs that a dry run prints."""
    if "Nothing to be done" in text:
        return {}
    table = re.search(r"^job +count\n[- ]+\n(.*?)^total ", text, re.MULTILINE | re.DOTALL)
    assert table, text
    counts = dict(line.split() for line in table[1].splitlines())
    return {rule: int(count) for rule, count in counts.items() if rule != "all"}


@pytest.fixture(scope="session")
def jobs_in() -> Callable[[str], dict[str, int]]:
    """Read the table of jobs that a dry run prints."""
    return read_plan


def copy_repository(source: Path, target: Path) -> Checkout:
    """Copy what the workflow needs, compiled kernels included, with times kept."""
    target.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        copy = shutil.copytree if (source / part).is_dir() else shutil.copy2
        copy(source / part, target / part)
    return Checkout(target)


@pytest.fixture(scope="session", autouse=True)
def fftw_plans(repository, tmp_path_factory):
    """Plans of FFTW for the tiny run: FFTW chooses them by timing, and with them the last bits.

    Files of plans are named by processor; on another one the reference is compared to tolerances.
    """
    cache = tmp_path_factory.mktemp("fftw")
    for plan in (repository / "tests" / "reference" / "fftw").iterdir():
        shutil.copy(plan, cache)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAGBIAS_CACHE_DIR", str(cache))
        yield


@pytest.fixture
def new_checkout(repository, tmp_path) -> Callable[[str], Checkout]:
    """Make checkouts without results, by name."""
    return lambda name: copy_repository(repository, tmp_path / name)


@pytest.fixture(scope="session")
def shared_checkout(repository, tmp_path_factory) -> Callable[[str], Checkout]:
    """Make checkouts that several tests share, by name."""
    return lambda name: copy_repository(repository, tmp_path_factory.mktemp(name) / "checkout")


@pytest.fixture(scope="session")
def finished(shared_checkout) -> Checkout:
    """A checkout in which the tiny configuration has been run to the end: to be left unchanged."""
    done = shared_checkout("finished")
    done.snakemake()
    return done


@pytest.fixture
def another(finished, tmp_path) -> Checkout:
    """A copy of it that a test may do anything to."""
    return finished.copy(tmp_path / "another")
