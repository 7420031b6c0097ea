"""Reading of features at the Lagrangian sites of particles."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from lagbias.artefacts import store
from lagbias.features.grids import FeatureGrids, values_at_sites
from lagbias.sources.base import Particles

__all__ = ["STRIDE", "load_at_sites", "load_sites"]

#: Every third particle represents a box evenly: no divisor of usual grid sizes.
STRIDE = 3


def load_at_sites(
    paths: Sequence[str | Path], sites: np.ndarray, *, columns: int | None = None
) -> np.ndarray:
    """Read features at sites: float32, shape (P, 3 len(paths)), [δ_1, ∇²δ_1, G2_1, δ_2, …].

    One grid at a time, and only its planes that hold a site, so that particles in the order of
    their sites take little memory and time. `columns` limits the number of columns.
    """
    plane = store.length(paths[0], FeatureGrids, "delta") ** 2
    planes = slice(0, 1)
    if sites.size:
        planes = slice(max(int(sites.min()) // plane, 0), int(sites.max()) // plane + 1)
    grids = (
        store.read_array(path, FeatureGrids, name, rows=planes)
        for path in paths
        for name in ("delta", "lap_delta", "g2")
    )
    return values_at_sites(islice(grids, columns), sites - planes.start * plane)


def load_sites(path: str | Path) -> np.ndarray:
    """Read the Lagrangian sites of a box's particles, int32, shape (P,)."""
    return store.read_array(path, Particles, "lagrangian_site")
