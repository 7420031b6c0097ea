"""Simulation of one box of the embedded source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lagbias.sources import base, embedded

if TYPE_CHECKING:
    from lagbias.config.sections import EmbeddedSettings

__all__ = ["simulate_box"]


def simulate_box(
    settings: EmbeddedSettings, *, seed: int, threads: int, checkpoint: Path
) -> base.Box:
    """Simulate a box and check it (see `lagbias.sources.embedded.make_box`)."""
    box = embedded.make_box(settings, seed=seed, threads=threads, checkpoint=checkpoint)
    base.check_contract(box, unique_sites=True)
    return box
