"""Whitening of one smoothing set."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from lagbias.features import whitening
from lagbias.stages.particle_features import count_particles, load_features

__all__ = ["fit_whitening"]


def fit_whitening(features: Sequence[str | Path], *, radii: Sequence[float]) -> whitening.Whitening:
    """Fit the whitening to all particles of a box (see `lagbias.features.whitening.fit`)."""
    particles = count_particles(features)
    return whitening.fit_particles(partial(load_features, features), particles, radii)
