"""Where the time of a whole run goes: Snakemake's benchmark files, and the start-up of jobs."""

import ast
import csv
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from .data import ROOT
from .timing import say

__all__ = ["breakdown", "run_workflow"]

_SCRIPTS = ROOT / "workflow" / "scripts"
_SPEED = re.compile(r"([0-9.e+]+) particles/s")
#: Starts of the interpreter that are timed for each set of imports.
_STARTS = 3


def breakdown(directory: Path, run: str) -> dict:
    """Add up the jobs of a finished run.

    Parameters
    ----------
    directory : Path
        Where the workflow ran: it holds ``benchmarks/<run>/`` and ``logs/<run>/``.
    run : str
        Name of the run.

    Returns
    -------
    dict
        ``rules``, one entry a rule with its jobs, median and total time [s], peak memory [MB],
        share of all jobs' time and share of its own that is start-up; sums of these; ``span_s``
        from the first job's start to the last one's end; ``particles_per_second``, the median
        training speed in the logs. Start-up is timed now, on a machine that may be less busy.

    Raises
    ------
    FileNotFoundError
        If the run has left no benchmark files.
    """
    root = directory / "benchmarks" / run
    files = sorted(root.rglob("*.tsv"))
    if not files:
        raise FileNotFoundError(
            f"{root} holds no benchmark files. Choose the directory and "
            f"the name of a finished run with --run-directory and --run-name, or make one with "
            f"--run tiny."
        )
    jobs: dict[str, list[dict]] = {}
    for path in files:
        jobs.setdefault(_rule_of(path, root), []).append(_read(path))
    total = sum(job["s"] for group in jobs.values() for job in group)
    imports = {rule: _imports(group[0]["names"]) for rule, group in jobs.items()}
    starts = _start_up_times({*imports.values(), ()})
    rules = [_summary(rule, jobs[rule], total, starts[imports[rule]]) for rule in jobs]
    start_up, start_up_cpu = (
        sum(rule[kind] * rule["jobs"] for rule in rules)
        for kind in ("start_up_s", "start_up_cpu_s")
    )
    return {
        "run": run,
        "rules": sorted(rules, key=lambda rule: -rule["total_s"]),
        "jobs": len(files),
        "total_s": total,
        "cpu_s": (cpu := sum(rule["cpu_s"] for rule in rules)),
        "span_s": _span(jobs.values()),
        "start_up_share": start_up / total,
        "start_up_cpu_share": start_up_cpu / cpu if cpu else None,
        "empty_interpreter_s": starts[()][0],
        "particles_per_second": _training_speed(directory / "logs" / run / "train_networks"),
    }


def run_workflow(configuration: str, directory: Path, cores: int) -> float:
    """Run the whole workflow on one of the configurations, in an empty directory.

    Parameters
    ----------
    configuration : str
        ``tiny`` for config/tiny.yaml.
    directory : Path
        Where results, logs and benchmarks go.
    cores : int
        Cores for Snakemake.

    Returns
    -------
    float
        Wall-clock time of the run [s], Snakemake's own start included.
    """
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--directory", directory]
    command += ["--snakefile", ROOT / "Snakefile", "--quiet", "rules"]
    command += ["--workflow-profile", ROOT / "profiles" / "default"]
    files = [ROOT / "config" / f"{name}.yaml" for name in ("config", configuration)]
    say(f"running the workflow on config/{configuration}.yaml")
    started = time.perf_counter()
    subprocess.run([*map(str, command), "--configfile", *map(str, files)], cwd=ROOT, check=True)
    return time.perf_counter() - started


def _span(groups: Iterable[list[dict]]) -> float:
    """Return the time from the start of the first job to the end of the last [s]."""
    jobs = [job for group in groups for job in group]
    return max(job["ended"] for job in jobs) - min(job["ended"] - job["s"] for job in jobs)


def _rule_of(path: Path, root: Path) -> str:
    """Return the rule: the folder of its jobs, or the file's name where a rule has one job."""
    parts = path.relative_to(root).parts
    return parts[0] if len(parts) > 1 else path.stem


def _read(path: Path) -> dict:
    """Read the job's time, memory and script."""
    with path.open(newline="", encoding="utf-8") as handle:
        row = next(csv.DictReader(handle, delimiter="\t"))
    return {
        "s": float(row["s"]),
        # very short jobs end before Snakemake looks at them
        "max_rss": _number(row["max_rss"]),
        "cpu_time": _number(row["cpu_time"]),
        "names": [path.parent.name, path.stem],
        "ended": path.stat().st_mtime,
    }


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _summary(rule: str, group: list[dict], total: float, start_up: tuple) -> dict:
    seconds = np.array([job["s"] for job in group])
    return {
        "rule": rule,
        "jobs": len(group),
        "median_s": float(np.median(seconds)),
        "total_s": float(seconds.sum()),
        "cpu_s": sum(job["cpu_time"] for job in group),
        "peak_rss_mb": max(job["max_rss"] for job in group),
        "share": float(seconds.sum() / total),
        "start_up_s": start_up[0],
        "start_up_cpu_s": start_up[1],
        "start_up_share": min(1.0, start_up[0] * len(group) / float(seconds.sum())),
    }


def _imports(names: Iterable[str]) -> tuple[str, ...]:
    """Return the import statements of the first script there is of these names."""
    for name in names:
        if (path := _SCRIPTS / f"{name}.py").exists():
            body = ast.parse(path.read_text(encoding="utf-8")).body
            return tuple(ast.unparse(n) for n in body if isinstance(n, ast.Import | ast.ImportFrom))
    return ()


def _start_up_times(sets: Collection[tuple[str, ...]]) -> dict[tuple[str, ...], tuple]:
    """Time processes that import and do nothing else, in turns: median time and CPU time [s]."""
    paths = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    times = {imports: [] for imports in sets}
    for number in range(_STARTS):
        say(f"starting jobs that do nothing, round {number + 1}")
        for imports, spent in times.items():
            command = [sys.executable, "-c", "\n".join(imports)]
            started, before = time.perf_counter(), _children_cpu()
            subprocess.run(command, env=environment, cwd=ROOT, check=True)
            spent.append((time.perf_counter() - started, _children_cpu() - before))
    return {imports: tuple(np.median(spent, axis=0).tolist()) for imports, spent in times.items()}


def _children_cpu() -> float:
    """Return the processor time of all processes that were started and have ended [s]."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _training_speed(logs: Path) -> float | None:
    speeds = [
        float(speed)
        for path in sorted(logs.glob("*.log"))
        for speed in _SPEED.findall(path.read_text(encoding="utf-8"))
    ]
    return float(np.median(speeds)) if speeds else None
