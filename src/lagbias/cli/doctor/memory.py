"""Memory, against what the jobs of a run need."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lagbias.cli.doctor import control_group
from lagbias.cli.doctor.finding import Finding, Mark, gigabytes

if TYPE_CHECKING:
    from lagbias.config.model import Config

__all__ = [
    "ABACUS",
    "DEFAULT_RUN",
    "READING",
    "SIMULATION",
    "Largest",
    "Memory",
    "judge",
    "largest_job",
    "measure",
]

#: Bytes of a simulation, fixed and for each particle; tests hold workflow/rules/embedded.smk to it.
SIMULATION = (400e6, 96.0)
#: Bytes of reading a box of another source, fixed, for each particle of the simulation and for each
#: node of the density; tests hold workflow/rules/read_source.smk to it.
READING = (400e6, 80.0, 24.0)
#: Bytes of the largest job with AbacusSummit small boxes (config/abacus.yaml).
ABACUS = 8.3e9


@dataclass(frozen=True)
class Memory:
    """Memory in bytes.

    Attributes
    ----------
    available : int
        What programs can still get.
    limit : float or None
        Of the control group.
    """

    available: int
    limit: float | None


@dataclass(frozen=True)
class Largest:
    """The jobs of a run that need most memory.

    Attributes
    ----------
    run : str
        What is run.
    rule : str
        Their rule.
    bytes : float
        What each needs.
    count : int
        How many there are.
    """

    run: str
    rule: str
    bytes: float
    count: int


#: 400³ particles in each of five boxes.
DEFAULT_RUN = Largest("the default run", "simulate_box", SIMULATION[0] + SIMULATION[1] * 400**3, 5)


def measure(information: Path = Path("/proc/meminfo")) -> Memory:
    """Ask the system."""
    try:
        lines = information.read_text().splitlines()
        (line,) = (line for line in lines if line.startswith("MemAvailable:"))
        available = int(line.split()[1]) * 1024
    except (OSError, ValueError):  # not Linux: all there is
        available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Memory(available, control_group.memory())


def largest_job(config: Config) -> Largest | None:
    """Return the largest jobs of a run; None for large boxes of AbacusSummit."""
    run, count, settings = f"run {config.run}", len(config.box_names()), config.settings()
    assert settings is not None  # a configuration has the section of its source
    particles, nodes = settings.particles_per_side**3, settings.density_grid**3
    if config.source == "embedded":
        return Largest(run, "simulate_box", SIMULATION[0] + SIMULATION[1] * particles, count)
    if config.source != "abacus":
        needed = READING[0] + READING[1] * particles + READING[2] * nodes
        return Largest(run, "read_source", needed, count)
    small = config.abacus is not None and config.abacus.small
    return Largest(run, "the largest job", ABACUS, count) if small else None


def judge(facts: Memory, largest: Largest | None, cores: int) -> Iterator[Finding]:
    """Compare memory with the largest jobs of a run.

    Parameters
    ----------
    facts : Memory
    largest : Largest or None
        Those jobs, if known.
    cores : int
        Jobs that ``--cores all`` runs at once.
    """
    room = facts.available if facts.limit is None else min(facts.available, facts.limit)
    what = f"{gigabytes(room)} available"
    if facts.limit is not None and facts.limit < facts.available:
        what += f" (limit of the control group; the machine has {gigabytes(facts.available)})"
    if largest is None:
        yield Finding(Mark.OK, "memory", what)
        return
    at_once = min(cores, largest.count)
    needs = f"{largest.rule} of {largest.run} needs {gigabytes(largest.bytes)}"
    if room < largest.bytes:
        yield Finding(
            Mark.PROBLEM,
            "memory",
            what,
            f"{needs}, and the system will end it",
            "Choose fewer particles, end other programs, or take a larger machine.",
        )
    elif room < at_once * largest.bytes:
        fit = int(room // largest.bytes)
        yield Finding(
            Mark.NOTE,
            "memory",
            what,
            f"{needs}, and {at_once} run at once with `--cores all`: the system may end one",
            f"Use --cores {fit}, or --workflow-profile profiles/local with mem_mb: "
            f"{room / 1e6:.0f}.",
        )
    else:
        yield Finding(Mark.OK, "memory", f"{what}; {needs}, {at_once} at once")
