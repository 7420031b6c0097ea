"""What a claim of the paper is, and how a verdict on it is reached."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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
    "check_all",
    "claim",
    "evaluate",
    "listed",
    "named",
    "registered",
]

HOLDS, FAILS, UNTESTED = "holds", "does not hold", "cannot be tested"
#: Everything that a verdict can say.
OUTCOMES = (HOLDS, FAILS, UNTESTED)


class Untestable(Exception):
    """A claim cannot be tested with what the run has made; the message says why."""


@dataclass(frozen=True)
class Claim:
    """A statement of Wu, Muñoz & Eisenstein 2023 and what would count as its confirmation.

    Attributes
    ----------
    id : str
        ``C01`` to ``C44``.
    statement : str
        The claim in one sentence.
    place : str
        Section and figure of the paper.
    metric : str
        What is measured.
    paper : str
        The paper's value.
    threshold : str
        What the measured value must satisfy.
    limits : Mapping
        The numbers in `threshold`, by their name in the check.
    soft : bool
        Whether the paper says this in passing or in a picture only.
    """

    id: str
    statement: str
    place: str
    metric: str
    paper: str
    threshold: str
    limits: Mapping[str, float] = field(default_factory=dict)
    soft: bool = False


@dataclass(frozen=True)
class Measurement:
    """What a check found.

    Attributes
    ----------
    measured : str
        The result in words and numbers; says which part of the claim was left out, if any.
    values : Mapping
        The numbers by name, in the units of the claim's metric.
    holds : bool
        Whether they satisfy the threshold.
    scatter : float or None
        How much the main number varies, in its own units; None where that has no meaning.
    scatter_of : str
        What varies: networks, boxes, ….
    artefacts : tuple of str
        Files that were looked at; filled in by `evaluate`.
    """

    measured: str
    values: Mapping[str, float]
    holds: bool
    scatter: float | None = None
    scatter_of: str = ""
    artefacts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """A claim with what became of it.

    Attributes
    ----------
    claim : Claim
        The claim.
    outcome : str
        One of `OUTCOMES`.
    measurement : Measurement or None
        None where the claim cannot be tested.
    reason : str
        Why it cannot be tested, or empty.
    """

    claim: Claim
    outcome: str
    measurement: Measurement | None = None
    reason: str = ""


@dataclass(frozen=True)
class Check:
    """A claim and the function that tests it.

    Attributes
    ----------
    claim : Claim
        The claim.
    function : callable
        Takes a `lagbias.claims.evidence.Evidence` and the claim's limits as keywords, and returns
        a `Measurement` or raises `Untestable`.
    """

    claim: Claim
    function: Callable[..., Measurement]


_CHECKS: dict[str, Check] = {}


def claim(identifier: str, statement: str, *, threshold: str, **described: Any) -> Callable:
    """Register the decorated function as the check of a claim.

    Parameters
    ----------
    identifier, statement : str
        See `Claim`.
    threshold : str, keyword-only
        Text with the name of each limit in braces, so that what is printed is what is tested.
    **described
        ``place``, ``metric``, ``paper`` and ``soft`` of the `Claim`; all others are limits.

    Returns
    -------
    callable
        The decorator, which leaves the function as it is.

    Raises
    ------
    ValueError
        If the identifier is taken, or the limits are not those that the threshold names.
    """
    limits = {k: v for k, v in described.items() if k not in Claim.__dataclass_fields__}
    texts = {k: v for k, v in described.items() if k in Claim.__dataclass_fields__}
    printed = {name for _, name, _, _ in Formatter().parse(threshold) if name}
    if identifier in _CHECKS or printed != set(limits):
        raise ValueError(
            f"Claim {identifier} cannot be registered: its threshold names the limits "
            f"{sorted(printed)} and it has {sorted(limits)}, which must be the same; and an "
            f"identifier can be used once (taken: {sorted(_CHECKS)})."
        )
    made = Claim(
        id=identifier,
        statement=statement,
        threshold=threshold.format(**limits),
        limits=limits,
        **texts,
    )

    def register(function: Callable[..., Measurement]) -> Callable[..., Measurement]:
        _CHECKS[identifier] = Check(made, function)
        return function

    return register


def registered() -> list[Check]:
    """Return all checks in the order of their identifiers."""
    return [_CHECKS[identifier] for identifier in sorted(_CHECKS)]


def evaluate(check: Check, evidence: Any) -> Verdict:
    """Test one claim.

    Parameters
    ----------
    check : Check
        The claim and its test.
    evidence : lagbias.claims.evidence.Evidence
        What the run has made.

    Returns
    -------
    Verdict
        Also where the claim cannot be tested, or gives numbers that are not finite.

    Raises
    ------
    lagbias.artefacts.store.ArtefactError
        If an artefact is damaged.
    """
    witness = evidence.witness()
    try:
        found = check.function(witness, **check.claim.limits)
        _require_finite(found.values)
    except Untestable as why:
        return Verdict(check.claim, UNTESTED, reason=str(why))
    values = {name: float(value) for name, value in found.values.items()}
    scatter = None if found.scatter is None else float(found.scatter)
    found = replace(
        found, values=values, scatter=scatter, holds=bool(found.holds), artefacts=witness.used
    )
    return Verdict(check.claim, HOLDS if found.holds else FAILS, found)


def check_all(evidence: Any) -> list[Verdict]:
    """Test every claim, in order (see `evaluate`)."""
    return [evaluate(check, evidence) for check in registered()]


def listed(values: Mapping[str, float], form: str = ".3f") -> str:
    """Write named numbers in a line, such as ``3Rf 0.993, 3Rf_coarse 0.987``."""
    return ", ".join(f"{name} {value:{form}}" for name, value in values.items())


def named(quantity: str, values: Mapping[str, float]) -> dict[str, float]:
    """Put the name of a quantity before the names of its values."""
    return {f"{quantity} {name}": value for name, value in values.items()}


def _require_finite(values: Mapping[str, float]) -> None:
    bad = [name for name, value in values.items() if not math.isfinite(value)]
    if bad:
        raise Untestable(f"not finite in this run: {', '.join(bad)}")
