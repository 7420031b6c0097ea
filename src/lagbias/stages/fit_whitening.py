"""Whitening of one smoothing set."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lagbias.features import whitening
from lagbias.stages.sites import load_at_sites, load_sites

__all__ = ["fit_whitening"]

_CHUNK = 1 << 20  # particles held at a time


def fit_whitening(
    particles: str | Path, features: Sequence[str | Path], *, radii: Sequence[float]
) -> whitening.Whitening:
    """Fit the whitening to all particles of a box (see `lagbias.features.whitening.fit`)."""
    sites = load_sites(particles)
    parts = np.array_split(sites, 1 + sites.size // _CHUNK)
    return whitening.fit((load_at_sites(features, part) for part in parts), radii)
