"""Reading of the features of particles."""

from collections.abc import Sequence
from itertools import islice, product
from pathlib import Path

import numpy as np

from lagbias.artefacts import store
from lagbias.features.particles import COLUMNS, ParticleFeatures

__all__ = ["STRIDE", "count_particles", "load_features"]

#: Every third particle represents a box evenly: no divisor of usual grid sizes.
STRIDE = 3


def load_features(
    paths: Sequence[str | Path], rows: slice | np.ndarray, *, columns: int | None = None
) -> np.ndarray:
    """Read features of particles: float32, shape (P, 3 len(paths)), [δ_1, ∇²δ_1, G2_1, δ_2, …].

    `rows` are a slice without a step, or row numbers. One column is read at a time, from the first
    to the last of the rows, so that neighbouring particles take little memory and time. `columns`
    limits the number of columns.
    """
    span, chosen = rows, slice(None)
    if not isinstance(rows, slice):
        first, last = (int(rows.min()), int(rows.max())) if rows.size else (0, -1)
        span, chosen = slice(first, last + 1), rows - first
    names = list(islice(product(paths, COLUMNS), columns))
    theta = np.empty((0, len(names)), np.float32)
    for column, (path, name) in enumerate(names):
        values = store.read_array(path, ParticleFeatures, name, rows=span)[chosen]
        if not column:
            theta = np.empty((len(values), len(names)), np.float32)
        theta[:, column] = values
    return theta


def count_particles(paths: Sequence[str | Path]) -> int:
    """Return the number of particles whose features the files hold."""
    return store.length(paths[0], ParticleFeatures, COLUMNS[0])
