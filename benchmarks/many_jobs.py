"""Run the workflow for many boxes through SLURM, with stand-ins that wait and make empty outputs.

    LAGBIAS_SLURM_CPUS=64 LAGBIAS_SLURM_MEMORY=1000000 tests/cluster/one_node.sh up
    python benchmarks/many_jobs.py --directory DIRECTORY --boxes 100 --seconds 5 --fail 0.02
    tests/cluster/one_node.sh down

Snakemake, its executor, the profile, sbatch, the queue and the controller are the real ones; only
what a job executes is replaced. Shows how deep the queue becomes, what controller and Snakemake
take, and whether a job is lost: at the end every target has to be there, and a second plan empty.
Needs a SLURM for tests, whose node offers more than it has (tests/cluster/one_node.sh).
"""

from __future__ import annotations

import argparse
import resource
import shlex
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import snakemake.cli
import yaml
from snakemake_executor_plugin_slurm import Executor

REPOSITORY = Path(__file__).resolve().parents[1]
STAND_IN = Path(__file__).with_name("many_jobs_stand_in.py")
#: Seconds between looks at the queue.
INTERVAL = 5.0


@dataclass
class Watch:
    """The queue and its controller, looked at now and then."""

    name: str = "slurmctld"
    depths: list[int] = field(default_factory=list)
    running: list[int] = field(default_factory=list)
    before: float = 0.0
    done: threading.Event = field(default_factory=threading.Event)

    def controller(self) -> psutil.Process:
        """Return the controller's process."""
        return next(each for each in psutil.process_iter() if each.name() == self.name)

    def cpu_seconds(self) -> float:
        """Return the controller's processor time so far [s]."""
        times = self.controller().cpu_times()
        return times.user + times.system

    def __enter__(self) -> Watch:
        """Begin to look."""
        self.before = self.cpu_seconds()
        threading.Thread(target=self._look, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self.done.set()

    def _look(self) -> None:
        while not self.done.wait(INTERVAL):
            states = Counter(queue("PENDING,RUNNING"))
            self.depths.append(states.total())
            self.running.append(states["RUNNING"])


def queue(states: str) -> list[str]:
    """Return the state of every job, or task of an array, that is in one of some states."""
    command = ("squeue", "--noheader", "--array", "--format=%T", "--states", states)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def settings(n_boxes: int) -> dict:
    """Return a configuration of so many training boxes, and one for validation."""
    boxes = [f"box{i}" for i in range(n_boxes + 1)]
    return {
        "run": "many",
        "embedded": {"boxes": {box: 5000 + i for i, box in enumerate(boxes)}},
        "boxes": {"train": [box for box in boxes if box != "box1"], "validation": boxes[1:]},
    }


def targets(n_boxes: int, every_set: bool) -> list[str]:
    """Return the spectra of all sets trained on every box, or nothing: the figures."""
    if not every_set:
        return []
    base = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text("utf-8"))
    sets = [name for name in base["smoothing_sets"] if name != "thin"]
    return [
        f"results/many/spectra/{box}/threshold/{name}/full/on_box1.h5"
        for box in settings(n_boxes)["boxes"]["train"]
        for name in sets
    ]


def stand_in(seconds: float, fail: float) -> None:
    """Replace what jobs execute; a share of them fails at the first attempt."""

    def command(_executor: Executor, job) -> str:
        members = job.jobs if job.is_group() else [job]
        made = [path for each in members for path in (*each.output, each.benchmark) if path]
        outputs = [str(path) for path in made]
        unlucky = zlib.crc32(outputs[0].encode()) < fail * 2**32
        status = int(unlucky and getattr(job, "attempt", 1) == 1)
        words = [sys.executable, "-IS", str(STAND_IN), f"{seconds:g}", str(status), *outputs]
        return shlex.join(words)

    Executor.format_job_exec = command


def arguments_of(options: argparse.Namespace) -> list[str]:
    """Return Snakemake's arguments."""
    configfile = options.directory / "many.yaml"
    configfile.write_text(yaml.safe_dump(settings(options.boxes)), "utf-8")
    return [
        *("--snakefile", str(REPOSITORY / "workflow" / "Snakefile")),
        *("--directory", str(options.directory)),
        *("--configfile", str(configfile)),
        *("--workflow-profile", str(REPOSITORY / "profiles" / "slurm")),
        *options.snakemake,
        *("--", *targets(options.boxes, options.every_set)),
    ]


def main() -> None:
    """Run, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--directory", type=Path, required=True, help="for results; must be new")
    parser.add_argument("--boxes", type=int, default=100, help="training boxes")
    parser.add_argument("--every-set", action="store_true", help="of all sets, instead of figures")
    parser.add_argument("--seconds", type=float, default=5.0, help="that every job takes")
    parser.add_argument("--fail", type=float, default=0.0, help="share that fails once")
    parser.add_argument("snakemake", nargs="*", help="further arguments of Snakemake, after --")
    options = parser.parse_args()
    options.directory = options.directory.resolve()
    options.directory.mkdir(parents=True)
    arguments = arguments_of(options)
    stand_in(options.seconds, options.fail)
    begin, earlier = time.monotonic(), len(queue("all"))
    with Watch() as watch:
        try:
            snakemake.cli.main(arguments)
        except SystemExit as end:
            status = end.code
    seconds = time.monotonic() - begin
    own, children = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    states = Counter(queue("all")[earlier:])
    plan = [sys.executable, "-m", "snakemake", "-n", "--quiet", *arguments]
    again = subprocess.run(plan, capture_output=True, text=True, cwd=options.directory)
    controller = watch.cpu_seconds() - watch.before
    lines = {
        "Snakemake ended with": status,
        "left to do": "nothing" if "Nothing to be done" in again.stdout + again.stderr else "jobs",
        "SLURM jobs, by their end": ", ".join(f"{n} {state}" for state, n in states.items()),
        "seconds": f"{seconds:.0f}",
        "deepest queue, pending and running": max(watch.depths, default=0),
        "most running at once": max(watch.running, default=0),
        "controller, CPU seconds": f"{controller:.1f}",
        "Snakemake, CPU seconds": f"{own.ru_utime + own.ru_stime:.0f}",
        "sbatch and squeue, CPU seconds": f"{children.ru_utime + children.ru_stime:.0f}",
        "Snakemake, peak memory [MB]": f"{own.ru_maxrss / 1000:.0f}",
    }
    for name, value in lines.items():
        sys.stdout.write(f"| {name} | {value} |\n")


if __name__ == "__main__":
    main()
