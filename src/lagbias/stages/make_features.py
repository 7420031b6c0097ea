"""Features of the particles of one box at one smoothing radius."""

from pathlib import Path

import numpy as np

from lagbias.artefacts import store
from lagbias.features.grids import feature_grids, values_at_sites
from lagbias.features.particles import COLUMNS, ParticleFeatures
from lagbias.sources.base import LinearDensity, Particles

__all__ = ["make_features"]

#: Particles at a time: NumPy copies the sites of each part as int64.
_CHUNK = 1 << 20


def make_features(
    linear_density: str | Path, particles: str | Path, *, rf: float, threads: int
) -> ParticleFeatures:
    """Compute δ, ∇²δ and G2 on the grid, and take them at the sites of the particles.

    See `lagbias.features.grids.feature_grids`.
    """
    density = store.read(linear_density, LinearDensity)
    features = dict(vars(feature_grids(density.delta, density.box_size, rf, threads=threads)))
    del density
    sites = store.read_array(particles, Particles, "lagrangian_site")
    for name in COLUMNS:  # in place of its grid, so that the memory of the transforms is the peak
        features[name] = _at_sites(features[name], sites)
    return ParticleFeatures(**features)


def _at_sites(grid: np.ndarray, sites: np.ndarray) -> np.ndarray:
    """Return the values of a grid at sites (P,), float32 (P,)."""
    values = np.empty(sites.size, np.float32)
    for first in range(0, sites.size, _CHUNK):
        rows = slice(first, first + _CHUNK)
        values[rows] = values_at_sites([grid], sites[rows])[:, 0]
    return values
