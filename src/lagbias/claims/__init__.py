"""The claims of Wu, Muñoz & Eisenstein 2023 as checks on what a run has made.

Each claim is one function, registered with its text, its metric and its threshold; the verdict is
computed from artefacts only. `check_all` tests all of them, `lagbias.claims.table` writes them.
"""

from lagbias.claims import (
    box_claims,
    component_claims,
    data_claims,
    least_squares_claims,
    retraining_claims,
    set_claims,
    thin_mass_claims,
    training_claims,
)
from lagbias.claims.base import check_all, registered
from lagbias.claims.evidence import Evidence

#: The modules whose import registers the claims, by subject.
SUBJECTS = (
    box_claims,
    component_claims,
    data_claims,
    least_squares_claims,
    retraining_claims,
    set_claims,
    thin_mass_claims,
    training_claims,
)

__all__ = ["SUBJECTS", "Evidence", "check_all", "registered"]
