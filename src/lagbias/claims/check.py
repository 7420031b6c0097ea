"""All claims, tested in the order of their identifiers."""

import math
from dataclasses import replace

from lagbias.claims import (
    box_claims,
    component_claims,
    data_claims,
    least_squares_claims,
    retraining_claims,
    set_claims,
    training_claims,
)
from lagbias.claims.base import FAILS, HOLDS, UNTESTED, Check, Untestable, Verdict
from lagbias.claims.evidence import Evidence

__all__ = ["CHECKS", "SUBJECTS", "check_all", "evaluate"]

#: The modules that hold claims.
SUBJECTS = (
    box_claims,
    component_claims,
    data_claims,
    least_squares_claims,
    retraining_claims,
    set_claims,
    training_claims,
)
#: All checks, sorted by identifier.
CHECKS: tuple[Check, ...] = tuple(
    sorted(
        (found for module in SUBJECTS for found in vars(module).values() if type(found) is Check),
        key=lambda check: check.claim.id,
    )
)


def check_all(evidence: Evidence) -> list[Verdict]:
    """Test every claim, in order (see `evaluate`)."""
    return [evaluate(check, evidence) for check in CHECKS]


def evaluate(check: Check, evidence: Evidence) -> Verdict:
    """Test one claim; untested if something is missing or a measured value is not finite.

    Raises `lagbias.artefacts.store.ArtefactError` if an artefact is damaged.
    """
    view = evidence.view()
    try:
        found = check.function(view, **check.claim.limits)
        if bad := [name for name, value in found.values.items() if not math.isfinite(value)]:
            raise Untestable(f"not finite in this run: {', '.join(bad)}")
    except Untestable as error:
        return Verdict(check.claim, UNTESTED, reason=str(error))
    found = replace(
        found,
        values={name: float(value) for name, value in found.values.items()},
        scatter=found.scatter and (float(found.scatter[0]), found.scatter[1]),
        holds=bool(found.holds),
        artefacts=view.used,
    )
    return Verdict(check.claim, HOLDS if found.holds else FAILS, found)
