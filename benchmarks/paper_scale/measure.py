r"""Say what a short run at the paper's scale cost, and what the whole paper would cost.

    snakemake -n --configfile PAPER.yaml > plan.txt
    python benchmarks/paper_scale/measure.py --benchmarks benchmarks/RUN --logs logs/RUN \
        --jobs plan.txt --epochs 50 --seeds 5 --cores 16 64 --memory 256 --gpu-speed 2e7 --markdown
    python benchmarks/paper_scale/measure.py --benchmarks benchmarks/RUN --particles 1.55e8 \
        --smaller 2.4e6=benchmarks/SMALL 1.9e7=benchmarks/MEDIUM --markdown

Totals run one rule after another, the jobs of a rule side by side as far as cores and memory go;
Snakemake overlaps rules, so they are upper limits. --gpu-speed is an assumption, not measured.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

from projection import (
    TRAINING,
    Machine,
    Table,
    costs_table,
    growth_table,
    projection_table,
    projections,
    speed_table,
    totals_table,
)
from run_costs import common_jobs, job_counts, rule_costs, training_speed

__all__ = ["main", "tables"]


def tables(chosen: argparse.Namespace) -> Iterator[tuple[str, Table]]:
    """Make the tables that were asked for.

    Parameters
    ----------
    chosen : argparse.Namespace
        Arguments of the command line.

    Yields
    ------
    str
        Title.
    Table
        The table.
    """
    costs = rule_costs(chosen.benchmarks)
    yield "Measured", costs_table(costs)
    logs = sorted(Path(chosen.logs, TRAINING).glob("*.log")) if chosen.logs else []
    speed = training_speed(logs) if logs else None
    if speed:
        yield "Measured training", speed_table(speed)
    if chosen.smaller:
        runs = {float(n): path for n, path in chosen.smaller} | {
            chosen.particles: chosen.benchmarks
        }
        common = common_jobs(runs.values())
        by_size = {size: rule_costs(path, common) for size, path in runs.items()}
        yield "CPU seconds of a job, of jobs that all runs have", growth_table(by_size)
    if chosen.jobs is None:
        return
    settings = {"epochs": chosen.epochs, "seeds": chosen.seeds}
    settings["threads"] = json.loads(chosen.threads)
    jobs = job_counts(_text(chosen.jobs))
    on_cores = projections(costs, jobs, speed, **settings)
    on_gpu = None
    if chosen.gpu_speed:
        on_gpu = projections(costs, jobs, speed, gpu_speed=chosen.gpu_speed, **settings)
    machines = [Machine(cores, chosen.memory) for cores in chosen.cores]
    for machine in machines:
        title = f"Projected: {chosen.epochs} epochs, {chosen.seeds} seeds, {_described(machine)}"
        yield title, projection_table(on_cores, machine)
    assumed = f", a GPU of {chosen.gpu_speed:.2g} particles/s assumed" if chosen.gpu_speed else ""
    yield f"Projected totals{assumed}", totals_table(on_cores, machines, on_gpu)


def _text(source: str) -> str:
    """Return the content of a file, standard input for '-', or JSON as it is."""
    if source.lstrip().startswith("{"):
        return source
    return sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")


def _described(machine: Machine) -> str:
    memory = f", {machine.memory:g} GiB" if math.isfinite(machine.memory) else ""
    return f"{machine.cores} cores{memory}"


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--benchmarks", type=Path, required=True, help="benchmarks/RUN")
    add("--logs", type=Path, help="logs/RUN")
    add("--jobs", help="{rule: jobs} as JSON, a file of it, or of what snakemake -n prints")
    add("--epochs", type=int, default=50, help="epochs of the whole (default: 50)")
    add("--seeds", type=int, default=5, help="networks per job in the whole (default: 5)")
    add("--cores", type=int, nargs="+", default=[16], help="cores of machines (default: 16)")
    add("--memory", type=float, default=math.inf, help="their memory [GiB] (default: no limit)")
    add("--threads", default="{}", help="{rule: threads} as JSON where it is not 1")
    add("--gpu-speed", type=float, help="assumed speed of training on a GPU [particles/s]")
    add("--particles", type=float, help="particles of a box of the run, for --smaller")
    add(
        "--smaller",
        type=lambda text: text.split("=", 1),
        nargs="+",
        default=[],
        help="PARTICLES=benchmarks/RUN of runs with fewer particles, ascending: growth of costs",
    )
    add("--markdown", action="store_true", help="tables in Markdown")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Run from the command line.

    Parameters
    ----------
    argv : list of str, optional
        Arguments; those of the process by default.
    """
    chosen = _arguments(argv)
    try:
        for title, table in tables(chosen):
            text = table.as_markdown() if chosen.markdown else table.as_text()
            sys.stdout.write(f"{title}\n\n{text}\n\n")
    except (OSError, ValueError) as error:
        sys.exit(f"measure.py: {error}")


if __name__ == "__main__":
    main()
