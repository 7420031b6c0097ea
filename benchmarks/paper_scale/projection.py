"""From what a short run cost to what the whole paper would cost, and tables of both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from run_costs import RuleCost, TrainingSpeed

from lagbias.runtime.markdown import markdown_table

__all__ = [
    "TRAINING",
    "Machine",
    "Projection",
    "Table",
    "costs_table",
    "growth_table",
    "projection_table",
    "projections",
    "speed_table",
    "totals_table",
]

TRAINING = "train_networks"
"""The rule whose time depends on the numbers of epochs and of networks in a job."""

_UNKNOWN = "–"


class Machine(NamedTuple):
    """Where the whole would run.

    Attributes
    ----------
    cores : int
        Cores.
    memory : float
        Memory [GiB]; infinite if it is of no concern.
    """

    cores: int
    memory: float = math.inf


class Projection(NamedTuple):
    """What all jobs of a rule would take.

    Attributes
    ----------
    jobs, threads : int
        Jobs of the rule, threads of each.
    seconds : float
        Of one job [s]; NaN where the rule was not measured.
    peak : float
        Memory of one job [MiB].
    """

    jobs: int
    threads: int
    seconds: float
    peak: float

    @property
    def core_hours(self) -> float:
        """Time of all jobs, times their threads [h]."""
        return self.jobs * self.threads * self.seconds / 3600.0

    def side_by_side(self, machine: Machine) -> int:
        """Return how many jobs run at once."""
        at_once = machine.cores // self.threads
        if self.peak > 0.0 and math.isfinite(machine.memory):  # False for NaN
            at_once = min(at_once, int(machine.memory * 1024.0 / self.peak))
        return max(1, min(at_once, self.jobs))

    def hours(self, machine: Machine) -> float:
        """Return the wall-clock time of all jobs, as many at once as fit [h]."""
        return math.ceil(self.jobs / self.side_by_side(machine)) * self.seconds / 3600.0


class Table(NamedTuple):
    """Rows of text.

    Attributes
    ----------
    header : tuple of str
        Names of columns; the first holds names, the others numbers.
    rows : list of tuple of str
        Cells.
    """

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def as_markdown(self) -> str:
        """Return a table in Markdown."""
        return markdown_table(self.header, self.rows, align_right=True)

    def as_text(self) -> str:
        """Return columns of equal width."""
        columns = list(zip(self.header, *self.rows, strict=True))
        widths = [max(map(len, column)) for column in columns]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if column else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
            ).rstrip()
            for cells in [self.header, *self.rows]
        )


def projections(
    costs: Mapping[str, RuleCost],
    jobs: Mapping[str, int],
    speed: TrainingSpeed | None = None,
    *,
    epochs: int,
    seeds: int,
    threads: Mapping[str, int] | None = None,
    gpu_speed: float | None = None,
) -> dict[str, Projection]:
    """Scale measured jobs to other numbers of jobs, of epochs and of networks in a job.

    Parameters
    ----------
    costs : Mapping of str to RuleCost
        What was measured.
    jobs : Mapping of str to int
        Jobs of each rule in the whole.
    speed : TrainingSpeed, optional
        Of the same run; needed if networks are trained.
    epochs : int, keyword-only
        Epochs in the whole.
    seeds : int, keyword-only
        Networks of a job in the whole, one for each seed. With several threads a job trains as
        many of them at once, each as fast as by itself.
    threads : Mapping of str to int, keyword-only, optional
        Threads of jobs that have more than one.
    gpu_speed : float, keyword-only, optional
        An assumption [particles/s]: epochs then take less by its ratio to the speed measured, and
        networks are trained one after another.

    Returns
    -------
    dict of str to Projection
        By rule, in the order of `jobs`. Rules not measured have NaN seconds.

    Raises
    ------
    ValueError
        If networks are trained and `speed` is missing.
    """
    found = {}
    for rule, count in jobs.items():
        cost, cores = costs.get(rule), (threads or {}).get(rule, 1)
        seconds, peak = (math.nan, math.nan) if cost is None else (cost.seconds, cost.peak)
        if rule == TRAINING and cost is not None:
            in_turn = math.ceil(seeds / cores) if gpu_speed is None else seeds
            seconds = _training_seconds(seconds, speed, in_turn * epochs, gpu_speed)
        found[rule] = Projection(count, cores, seconds, peak)
    return found


def costs_table(costs: Mapping[str, RuleCost]) -> Table:
    """Return what was measured, one row per rule."""
    header = ("rule", "jobs", "seconds", "longest", "CPU seconds", "peak memory [GiB]")
    rows = [
        (
            rule,
            str(cost.jobs),
            *(_figures(value) for value in (cost.seconds, cost.longest, cost.cpu_seconds)),
            _figures(cost.peak / 1024.0),
        )
        for rule, cost in costs.items()
    ]
    return Table(header, rows)


def growth_table(runs: Mapping[float, Mapping[str, RuleCost]]) -> Table:
    """Return how the cost of a job grows with the particles of a box.

    Parameters
    ----------
    runs : Mapping of float to Mapping of str to RuleCost
        What was measured, by the number of particles, ascending.

    Returns
    -------
    Table
        One row for each rule: the mean processor time of its jobs [s] in every run, and p of
        time ∝ particles^p between the last two.
    """
    sizes = list(runs)
    header = ("rule", *(f"{size:.2g} particles" for size in sizes), "exponent")
    rows = []
    for rule in runs[sizes[-1]]:
        times = [costs[rule].cpu_seconds for costs in runs.values()]
        exponent = _UNKNOWN
        if min(times[-2:]) > 0:  # False for NaN
            growth = math.log(times[-1] / times[-2]) / math.log(sizes[-1] / sizes[-2])
            exponent = f"{growth:.2f}"
        rows.append((rule, *map(_figures, times), exponent))
    return Table(header, rows)


def speed_table(speed: TrainingSpeed) -> Table:
    """Return how fast networks were trained."""
    rows = [
        ("jobs", str(speed.jobs)),
        ("networks per job", _figures(speed.networks / speed.jobs)),
        ("of these at once", _figures(speed.at_once)),
        ("epochs of each", str(speed.epochs)),
        ("seconds per epoch, with validation", _figures(speed.seconds_per_epoch)),
        ("particles per second", f"{speed.particles_per_second:.2g}"),
    ]
    return Table(("training", "mean"), rows)


def projection_table(projected: Mapping[str, Projection], machine: Machine) -> Table:
    """Return what all jobs would take on a machine, one row per rule."""
    header = ("rule", "jobs", "seconds each", "core hours", "at once", "hours")
    rows = [
        (
            rule,
            str(part.jobs),
            _figures(part.seconds),
            _figures(part.core_hours),
            str(part.side_by_side(machine)),
            _figures(part.hours(machine)),
        )
        for rule, part in projected.items()
    ]
    return Table(header, rows)


def totals_table(
    on_cores: Mapping[str, Projection],
    machines: Sequence[Machine],
    on_gpu: Mapping[str, Projection] | None = None,
) -> Table:
    """Return the sums over rules; those not measured do not count.

    Parameters
    ----------
    on_cores : Mapping of str to Projection
        With trainings on cores.
    machines : sequence of Machine
        Machines.
    on_gpu : Mapping of str to Projection, optional
        With trainings on a GPU; jobs run one after another there.

    Returns
    -------
    Table
        Core hours, and hours on each machine, rule after rule.
    """
    rows = [("core hours, all on cores", _figures(_sum(p.core_hours for p in on_cores.values())))]
    for machine in machines:
        hours = _sum(part.hours(machine) for part in on_cores.values())
        rows.append((f"hours on {machine.cores} cores", _figures(hours)))
        if on_gpu is not None:
            one = Machine(on_gpu[TRAINING].threads) if TRAINING in on_gpu else machine
            hours = _sum(
                part.hours(one if rule == TRAINING else machine) for rule, part in on_gpu.items()
            )
            rows.append((f"hours on {machine.cores} cores and one GPU", _figures(hours)))
    missing = [rule for rule, part in on_cores.items() if math.isnan(part.seconds)]
    if missing:
        rows.append((f"not measured: {', '.join(missing)}", _UNKNOWN))
    return Table(("whole paper", "total"), rows)


def _training_seconds(
    seconds: float, speed: TrainingSpeed | None, epochs: int, gpu_speed: float | None
) -> float:
    """Return the time of a job that trains for so many epochs in turn, of all its networks."""
    if speed is None:
        raise ValueError(
            f"The time of {TRAINING} with other epochs or seeds cannot be told without the speed "
            "of training. Give the logs of the trainings."
        )
    # what does not depend on epochs: reading, sampling, the mean of f over the box
    fixed = max(0.0, seconds - speed.seconds_per_job)
    ratio = 1.0 if gpu_speed is None else speed.particles_per_second / gpu_speed
    return fixed + epochs * speed.seconds_per_epoch * ratio


def _sum(values) -> float:
    return math.fsum(value for value in values if not math.isnan(value))


def _figures(value: float) -> str:
    """Write a number with three significant digits, or a dash."""
    if math.isnan(value):
        return _UNKNOWN
    return f"{value:.0f}" if value >= 100.0 else f"{value:#.3g}".rstrip(".")
