"""Whitening of one smoothing set."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from lagbias.features import whitening
from lagbias.stages.sites import load_at_sites, load_sites

__all__ = ["fit_whitening"]


def fit_whitening(
    particles: str | Path, features: Sequence[str | Path], *, radii: Sequence[float]
) -> whitening.Whitening:
    """Fit the whitening to all particles of a box (see `lagbias.features.whitening.fit`)."""
    return whitening.fit_at_sites(partial(load_at_sites, features), load_sites(particles), radii)
