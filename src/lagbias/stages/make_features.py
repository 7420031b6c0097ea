"""Features of one box at one smoothing radius."""

from pathlib import Path

from lagbias.artefacts import store
from lagbias.features.grids import FeatureGrids, feature_grids
from lagbias.sources.base import LinearDensity

__all__ = ["make_features"]


def make_features(linear_density: str | Path, *, rf: float, threads: int) -> FeatureGrids:
    """Compute normalised δ, ∇²δ and G2 (see `lagbias.features.grids.feature_grids`)."""
    density = store.read(linear_density, LinearDensity)
    return feature_grids(density.delta, density.box_size, rf, threads=threads)
