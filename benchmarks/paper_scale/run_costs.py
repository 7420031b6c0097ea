"""What a run of the workflow cost, out of the benchmarks and logs that it leaves.

Snakemake writes one table per job, `benchmarks/RUN/RULE/JOB.tsv`. Trainings log some of their
epochs in `logs/RUN/train_networks/JOB.log`, which holds all networks of a job, told apart by seed.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

__all__ = [
    "RuleCost",
    "TrainingSpeed",
    "common_jobs",
    "job_counts",
    "rule_costs",
    "training_speed",
]

_EPOCH = re.compile(
    r"^(?P<time>\S+ \S+) .*Seed (?P<seed>\d+), epoch (?P<epoch>\d+) of (?P<epochs>\d+): "
    r".* (?P<speed>[-+.e\d]+) particles/s"
)
_TIME = "%Y-%m-%d %H:%M:%S,%f"
_COUNT = re.compile(r"^(\w+) +(\d+)$", re.MULTILINE)


class RuleCost(NamedTuple):
    """What the jobs of a rule took.

    Attributes
    ----------
    jobs : int
        Jobs measured.
    seconds, longest : float
        Mean and largest wall-clock time of a job [s].
    cpu_seconds : float
        Mean processor time of a job [s], as far as Snakemake saw it; NaN where it never did.
    peak : float
        Largest resident memory of any job [MiB]; NaN where it was not seen.
    """

    jobs: int
    seconds: float
    longest: float
    cpu_seconds: float
    peak: float


class TrainingSpeed(NamedTuple):
    """How fast networks were trained.

    Attributes
    ----------
    jobs, networks : int
        Jobs and, in all of them together, networks measured.
    at_once : float
        Networks that a job trained at a time, in the mean over the time in which it trained.
    epochs : int
        Epochs of each network.
    seconds_per_epoch : float
        Mean over networks of the wall-clock time of an epoch with its validation [s].
    particles_per_second : float
        Mean over networks and logged epochs, without validation [1/s].
    """

    jobs: int
    networks: int
    at_once: float
    epochs: int
    seconds_per_epoch: float
    particles_per_second: float

    @property
    def seconds_per_job(self) -> float:
        """Mean over jobs of the wall-clock time of all trainings of a job [s]."""
        in_turn = self.networks / self.jobs / self.at_once
        return in_turn * self.epochs * self.seconds_per_epoch


def common_jobs(directories: Iterable[str | Path]) -> set[str]:
    """Return the jobs, RULE/JOB, that all of some runs have in their benchmarks."""
    each = [
        {path.relative_to(run).as_posix() for path in Path(run).glob("*/*.tsv")}
        for run in directories
    ]
    return set.intersection(*each)


def rule_costs(directory: str | Path, only: Collection[str] | None = None) -> dict[str, RuleCost]:
    """Read the benchmarks of a run.

    Parameters
    ----------
    directory : str or Path
        ``benchmarks/RUN``, with one directory per rule.
    only : collection of str, optional
        Jobs that are read, from `common_jobs`; all by default.

    Returns
    -------
    dict of str to RuleCost
        By rule, in alphabetical order.

    Raises
    ------
    FileNotFoundError
        If there are none.
    ValueError
        If a table lacks a column.
    """
    directory = Path(directory)
    tables: dict[str, list[Path]] = {}
    for path in sorted(directory.glob("*/*.tsv")):
        if only is None or path.relative_to(directory).as_posix() in only:
            tables.setdefault(path.parent.name, []).append(path)
    costs = {
        rule: _cost([row for path in paths for row in _rows(path)])
        for rule, paths in sorted(tables.items())
    }
    if not costs:
        raise FileNotFoundError(
            f"{directory} holds no benchmarks (RULE/JOB.tsv). Give benchmarks/RUN of a run that "
            "is done."
        )
    return costs


def training_speed(logs: Iterable[str | Path]) -> TrainingSpeed:
    """Read the logs of trainings.

    Parameters
    ----------
    logs : iterable of str or Path
        Log files of the rule train_networks, one per job, all of the same number of epochs. Lines
        of networks that were trained at the same time may be mixed.

    Returns
    -------
    TrainingSpeed
        Means.

    Raises
    ------
    ValueError
        If there are no logs, a network has fewer than two epochs in them, or numbers of epochs
        differ.
    """
    jobs, epochs, seconds, speeds = 0, set(), [], []
    trained = busy = 0.0
    for path in map(Path, logs):
        spans = []
        for found in _networks(path):
            first, last = found[0], found[-1]
            start, end = _time(first), _time(last)
            spans.append((start, end))
            seconds.append((end - start) / (int(last["epoch"]) - int(first["epoch"])))
            epochs |= {int(match["epochs"]) for match in found}
            speeds += [float(match["speed"]) for match in found]
        jobs += 1
        trained += math.fsum(end - start for start, end in spans)
        busy += _union(spans)
    if len(epochs) != 1:
        raise ValueError(
            f"Logs of trainings are of {sorted(epochs) or 'no'} epochs; give those of one run, "
            "in which all networks are trained equally long."
        )
    at_once = trained / busy if busy else 1.0
    return TrainingSpeed(jobs, len(seconds), at_once, epochs.pop(), fmean(seconds), fmean(speeds))


def job_counts(text: str) -> dict[str, int]:
    """Read how many jobs each rule has.

    Parameters
    ----------
    text : str
        A JSON object {rule: jobs}, or what ``snakemake -n`` prints.

    Returns
    -------
    dict of str to int
        By rule, without the rule ``all`` and the total.

    Raises
    ------
    ValueError
        If nothing of either form is found.
    """
    if text.lstrip().startswith("{"):
        counts = {str(rule): int(jobs) for rule, jobs in json.loads(text).items()}
    else:
        _, _, table = text.partition("Job stats:")
        # the table ends at its total; further output may hold words and numbers too
        table = re.split(r"^total ", table, maxsplit=1, flags=re.MULTILINE)[0]
        counts = {rule: int(jobs) for rule, jobs in _COUNT.findall(table)}
    counts = {rule: jobs for rule, jobs in counts.items() if rule not in ("all", "total")}
    if not counts:
        raise ValueError(
            "No numbers of jobs were found. Give a JSON object {rule: jobs} or the output of "
            "snakemake -n, which has a table under 'Job stats:'."
        )
    return counts


def _rows(path: Path) -> list[dict[str, float]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    wanted = ("s", "max_rss", "cpu_time")
    for row in rows:
        if missing := [name for name in wanted if row.get(name) is None]:
            raise ValueError(
                f"{path} lacks the column {missing[0]!r}, so it is no benchmark of Snakemake, or "
                "was cut off. Delete it, or run its job again."
            )
    return [{name: _number(row[name]) for name in wanted} for row in rows]


def _number(text: str) -> float:
    """Return a number; Snakemake has '-' or 'NA' where a job was too short to be looked at."""
    return math.nan if text in ("-", "NA", "") else float(text)


def _cost(rows: list[Mapping[str, float]]) -> RuleCost:
    seconds = [row["s"] for row in rows]
    seen = [row["cpu_time"] for row in rows if not math.isnan(row["cpu_time"])]
    peaks = [row["max_rss"] for row in rows if not math.isnan(row["max_rss"])]
    return RuleCost(
        jobs=len(rows),
        seconds=fmean(seconds),
        longest=max(seconds),
        cpu_seconds=fmean(seen) if seen else math.nan,
        peak=max(peaks, default=math.nan),
    )


def _networks(path: Path) -> list[list[re.Match]]:
    """Return the epochs logged of each network of a job."""
    networks = {}
    for line in path.read_text("utf-8").splitlines():
        if match := _EPOCH.match(line):
            networks.setdefault(f"seed {match['seed']}", []).append(match)
    for which, found in networks.items() or [("any seed", [])]:
        if len(found) < 2:
            raise ValueError(
                f"{path} tells of {len(found)} epochs of {which}, but two are needed to tell "
                "how long one takes. Train for two epochs or more, without a terminal."
            )
    return list(networks.values())


def _union(spans: Iterable[tuple[float, float]]) -> float:
    """Return the length of the time that is within any of some spans."""
    length, reached = 0.0, -math.inf
    for start, end in sorted(spans):
        length += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return length


def _time(match: re.Match) -> float:
    return datetime.strptime(match["time"], _TIME).timestamp()
