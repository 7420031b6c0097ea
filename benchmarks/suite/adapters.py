"""The library's calls that may gain a faster form: the one place to switch to it."""

from collections.abc import Sequence

import numpy as np

from lagbias.features import grids as features
from lagbias.grids import paint

__all__ = ["features_of_radii", "paint_several"]


def features_of_radii(
    delta: np.ndarray, box_size: float, radii: Sequence[float], *, threads: int
) -> list[features.FeatureGrids]:
    """Return the features of every radius."""
    return [features.feature_grids(delta, box_size, rf, threads=threads) for rf in radii]


def paint_several(
    positions: np.ndarray, box_size: float, n_cells: int, weights: np.ndarray, *, threads: int
) -> np.ndarray:
    """Paint each row of `weights`, (n, P), on a CIC grid of its own; (n, N, N, N)."""
    return paint.paint_cic(positions, box_size, n_cells, weights=weights, threads=threads)
