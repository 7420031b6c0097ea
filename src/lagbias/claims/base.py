"""Claims of the paper, the functions that check them, and verdicts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

__all__ = [
    "FAILS",
    "HOLDS",
    "OUTCOMES",
    "UNTESTED",
    "Check",
    "Claim",
    "Measurement",
    "Untestable",
    "Verdict",
    "claim",
    "listed",
    "named",
    "span",
    "within",
]

HOLDS, FAILS, UNTESTED = "holds", "does not hold", "cannot be tested"
#: All possible outcomes.
OUTCOMES = (HOLDS, FAILS, UNTESTED)


class Untestable(Exception):
    """A claim cannot be tested on this run; the message says why."""


@dataclass(frozen=True)
class Claim:
    """A statement of Wu, Muñoz & Eisenstein 2023 and the criterion by which it holds."""

    id: str  # C01 to C44
    statement: str
    place: str  # section and figure of the paper
    metric: str  # the quantity that is measured
    paper: str  # the paper's value
    threshold: str  # condition on the measured values, in words
    limits: Mapping[str, float]  # the numbers in the threshold
    soft: bool = False  # the paper only mentions it in passing or shows it in a figure


@dataclass(frozen=True)
class Measurement:
    """Result of a check."""

    measured: str  # result in words, with any part of the claim that was not tested
    values: Mapping[str, float]  # in the units of the claim's metric
    holds: bool
    scatter: tuple[float, str] | None = None  # of the main number, in its units; of what
    artefacts: tuple[str, ...] = ()  # files used; `lagbias.claims.check.evaluate` fills them in


@dataclass(frozen=True)
class Verdict:
    """A claim and its outcome, one of `OUTCOMES`, with the measurement or why there is none."""

    claim: Claim
    outcome: str
    measurement: Measurement | None = None
    reason: str = ""


@dataclass(frozen=True)
class Check:
    """A claim and the function that tests it.

    The function takes a `lagbias.claims.evidence.Evidence` and the claim's limits as keywords, and
    returns a `Measurement` or raises `Untestable`.
    """

    claim: Claim
    function: Callable[..., Measurement]


def claim(
    identifier: str, statement: str, *, threshold: str, limits: Mapping[str, float], **texts
) -> Callable[[Callable[..., Measurement]], Check]:
    """Declare the decorated function as the check of a claim.

    The arguments are those of `Claim`. `threshold` has the name of each limit in braces, so that
    the printed numbers are the tested ones; ValueError if it names others than `limits`.
    """
    printed = {name for _, name, _, _ in Formatter().parse(threshold) if name}
    if printed != set(limits):
        raise ValueError(
            f"Claim {identifier}: the threshold names the limits {sorted(printed)}, but "
            f"{sorted(limits)} are given; they must be the same."
        )
    threshold = threshold.format(**limits)
    declared = Claim(identifier, statement, threshold=threshold, limits=limits, **texts)
    return lambda function: Check(declared, function)


def listed(values: Mapping[str, Any], form: str = ".3f") -> str:
    """Write named values in a line, such as ``3Rf 0.993, 3Rf_coarse 0.987``."""
    return ", ".join(f"{name} {value:{form}}" for name, value in values.items())


def named(quantity: str, values: Mapping[str, float]) -> dict[str, float]:
    """Prefix the keys of a mapping with the name of a quantity."""
    return {f"{quantity} {name}": value for name, value in values.items()}


def span(values: Mapping[str, float]) -> float:
    """Return the range (max − min) of named numbers."""
    return max(values.values()) - min(values.values())


def within(values: Mapping[str, float], least: float, most: float) -> bool:
    """Return whether all named numbers lie from `least` to `most`."""
    return least <= min(values.values()) and max(values.values()) <= most
