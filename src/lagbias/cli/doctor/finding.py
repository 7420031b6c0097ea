"""A finding of ``lagbias doctor``."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Mark", "gigabytes"]


class Mark(StrEnum):
    """How a finding is to be taken."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes
    ----------
    mark : Mark
        Whether something is in order, costs something, or has to be changed.
    topic : str
        What it is about, in a word or two.
    what : str
        What was found.
    cost : str
        What that costs; empty where nothing does.
    remedy : str
        What to do about it, a sentence; empty where nothing needs to be done.
    """

    mark: Mark
    topic: str
    what: str
    cost: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.topic}: {self.what}" + (f": {self.cost}" if self.cost else "")
        return f"{self.mark:<9}{text}. {self.remedy}".removesuffix(". ")


def gigabytes(count: float) -> str:
    """Write a number of bytes in GB."""
    return f"{count / 1e9:.1f} GB"
