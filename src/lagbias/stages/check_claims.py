"""Check of the paper's claims on what a run has made."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lagbias.claims import table
from lagbias.claims.check import check_all
from lagbias.claims.evidence import Evidence

__all__ = ["check_claims"]


def check_claims(
    paths: Sequence[str], roles: Mapping[str, Any], outputs: Mapping[str, str | Path]
) -> None:
    """Check every claim and write the verdicts to ``json``, ``markdown`` and ``html``."""
    table.write(check_all(Evidence(paths, roles)), roles["run"], outputs)
