"""Interleaved timing of contenders that have been seen to agree."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .machine import Limits

__all__ = [
    "Comparison",
    "Contender",
    "Disagreement",
    "distances",
    "measure",
    "say",
    "torch_threads",
]

#: Rounds below which a median says little.
_LEAST_ROUNDS = 3


class Disagreement(AssertionError):
    """Contenders gave different results: their times would mean nothing."""


@dataclass(frozen=True)
class Contender:
    """One way of doing the work.

    Parameters
    ----------
    name : str
        For the table.
    run : callable
        Does the work once and returns the result.
    work : float
        Units of work in one call; a slow contender may do less than the others.
    """

    name: str
    run: Callable[[], Any]
    work: float


@dataclass(frozen=True)
class Comparison:
    """Several ways of doing the same.

    Parameters
    ----------
    stage, title, unit : str
        Stage of the suite, what is done to how much, and what work is counted in.
    contenders : sequence of Contender
        The library's first.
    check : callable
        Returns the distance of each other contender's result from the library's, dimensionless;
        None for one that does something else and is there for orientation only.
    tolerance : float
        Largest distance.
    because : str
        Why they may differ by that much.
    least_bytes, least_operations : float
        Memory traffic and float32 operations that a unit of work needs at the very least.
    """

    stage: str
    title: str
    unit: str
    contenders: Sequence[Contender]
    check: Callable[[], dict[str, float | None]]
    tolerance: float
    because: str
    least_bytes: float = 0.0
    least_operations: float = 0.0


def measure(comparison: Comparison, limits: Limits, *, rounds: int, seconds: float) -> dict:
    """Check that all agree, then time them in turns.

    Parameters
    ----------
    comparison : Comparison
        What is compared.
    limits : Limits
        Probed in every round, so that a busy machine slows the limits as it slows the work.
    rounds : int, keyword-only
        How often each contender runs.
    seconds : float, keyword-only
        No further round is begun after this time, once there are three.

    Returns
    -------
    dict
        Medians, rates, ratios, limits and distances, ready for JSON. ``speed_up`` is the median
        over rounds of the library's rate over a contender's.

    Raises
    ------
    Disagreement
        If a result is farther from the library's than the tolerance.
    """
    say(f"{comparison.stage}: {comparison.title}")
    found = _checked(comparison)
    times = {contender.name: [] for contender in comparison.contenders}
    probes = []
    started = time.perf_counter()
    for number in range(rounds):
        if number >= _LEAST_ROUNDS and time.perf_counter() - started > seconds:
            break
        probes.append(limits.probe())
        for contender in comparison.contenders:
            begun = time.perf_counter()
            contender.run()
            times[contender.name].append(time.perf_counter() - begun)
        latest = ", ".join(f"{name} {_duration(spent[-1])}" for name, spent in times.items())
        say(f"  round {number + 1}: {latest}")
    return _summary(comparison, times, _median_limits(probes), found)


def distances(
    contenders: Sequence[Contender], distance: Callable[[Any, Any], float]
) -> dict[str, float]:
    """Run every contender once and measure how far each is from the first."""
    reference = contenders[0].run()
    return {other.name: float(distance(reference, other.run())) for other in contenders[1:]}


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let torch use so many threads in the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def say(text: str) -> None:
    """Tell the user how far the suite is."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _checked(comparison: Comparison) -> dict[str, float | None]:
    found = {n: None if d is None else float(d) for n, d in comparison.check().items()}
    for name, distance in found.items():
        # not "distance > tolerance", which NaN would pass
        if distance is not None and not distance <= comparison.tolerance:
            raise Disagreement(
                f"{comparison.stage}, {comparison.title}: {name} is {distance:.3g} away from "
                f"{comparison.contenders[0].name}, more than the {comparison.tolerance:g} that "
                f"{comparison.because} explains. One of them is wrong; nothing was timed."
            )
    return found


def _median_limits(probes: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.median([probe[name] for probe in probes])) for name in probes[0]}


def _summary(
    comparison: Comparison,
    times: dict[str, list[float]],
    limits: dict[str, float],
    found: dict[str, float | None],
) -> dict:
    first = comparison.contenders[0]
    own = np.array(times[first.name]) / first.work
    bandwidth = max(limits["copy"], limits["triad"])
    memory, arithmetic = (
        comparison.least_bytes / bandwidth,
        comparison.least_operations / limits["sgemm"],
    )
    entries = [
        {
            "name": contender.name,
            "median_s": float(np.median(spent := np.array(times[contender.name]))),
            "fastest_s": float(spent.min()),
            "slowest_s": float(spent.max()),
            "work": contender.work,
            "rate": contender.work / float(np.median(spent)),
            "speed_up": float(np.median(spent / contender.work / own)),
            "distance": found.get(contender.name),
        }
        for contender in comparison.contenders
    ]
    return {
        "stage": comparison.stage,
        "title": comparison.title,
        "unit": comparison.unit,
        "rounds": len(own),
        "tolerance": comparison.tolerance,
        "tolerance_because": comparison.because,
        "contenders": entries,
        "machine": limits,
        "limit": {
            "rate": 1.0 / max(memory, arithmetic),
            "by": "memory" if memory > arithmetic else "sgemm",
            "share_reached": max(memory, arithmetic) / float(np.median(own)),
        },
    }


def _duration(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"
