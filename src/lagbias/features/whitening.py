"""Orthogonal, unit-variance inputs from correlated features (Wu, Muñoz & Eisenstein 2023, §2.1).

Features of neighbouring smoothing radii are nearly degenerate. The inputs of the network are their
projections on the eigenvectors of their covariance over particles, divided by the square root of
the eigenvalues; the directions of smallest variance, mostly noise, are dropped.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import numpy as np

from lagbias.schema import fields

__all__ = ["Whitening", "apply_map", "decompose", "fit", "fit_particles"]

_CHUNK_ROWS = 1 << 18
_PARTICLES_AT_ONCE = 1 << 20
# Relative tolerance for ties of the largest component, which fixes the sign of a direction: noise
# in the covariance must not flip directions such as (1, -1)/√2.
_SIGN_TIE = 0.05
# Variances below this fraction of the largest are rounding errors.
_RANK_TOLERANCE = 1e-12


@dataclass(frozen=True, kw_only=True)
class Whitening:
    """A linear map from the 3n features [δ_1, ∇²δ_1, G2_1, δ_2, …] to 2n + 1 orthogonal inputs.

    The largest component of each direction is positive (the first of those within 5 %).
    """

    KIND: ClassVar[str] = "whitening"
    smoothing_radii: np.ndarray = fields.array("Mpc/h", "radius", "R_f of the features")
    eigenvectors: np.ndarray = fields.array(
        "1",
        "feature feature",
        "V, one direction per column: 2n of δ and ∇²δ by descending eigenvalue, then n of G2",
    )
    eigenvalues: np.ndarray = fields.array("1", "feature", "diagonal of Λ, the variances")
    kept: np.ndarray = fields.array("1", "input", "columns of V that are inputs", code="i")
    covariance: np.ndarray = fields.array("1", "feature feature", "of the features, uncentred")
    n_particles: int = fields.number("1", "particles in the sample", default=0)
    box: str = fields.label("box")
    smoothing_set: str = fields.label("smoothing set")

    @property
    def matrix(self) -> np.ndarray:
        """The map P Λ^{-1/2} Vᵀ (eqs. 2.3, 2.4), float64, shape (2n + 1, 3n)."""
        scale = 1.0 / np.sqrt(self.eigenvalues[self.kept])
        return scale[:, None] * self.eigenvectors[:, self.kept].T


def apply_map(theta: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Multiply features by a linear map, row by row.

    Parameters
    ----------
    theta : ndarray, float32, shape (P, 3n)
        Normalised features, columns [δ_1, ∇²δ_1, G2_1, δ_2, …], dimensionless.
    matrix : ndarray, float64, shape (m, 3n)
        The map, dimensionless.

    Returns
    -------
    ndarray, float32, shape (P, m)
        Inputs, dimensionless. The arithmetic is float64, because the entries of a whitening map
        span four decades when smoothing radii are close.
    """
    inputs = np.empty((len(theta), len(matrix)), dtype=np.float32)
    for start in range(0, len(theta), _CHUNK_ROWS):
        rows = slice(start, start + _CHUNK_ROWS)
        inputs[rows] = theta[rows].astype(np.float64) @ matrix.T
    return inputs


def fit(theta_chunks: Iterable[np.ndarray], smoothing_radii: Sequence[float]) -> Whitening:
    """Fit the whitening of the features of a sample of particles.

    δ, ∇²δ and G2, which are uncorrelated with them in a Gaussian field, form separate blocks. Both
    covariances are uncentred and divided by the number of particles minus one. The n + 1 directions
    of largest variance of the first block and all n of the second are kept.

    Parameters
    ----------
    theta_chunks : iterable of ndarray, each float32, shape (p, 3n)
        Normalised features of the training box's particles, dimensionless, columns
        [δ_1, ∇²δ_1, G2_1, δ_2, …].
    smoothing_radii : sequence of float, length n
        R_f of the features [Mpc/h].

    Raises
    ------
    ValueError
        As in `decompose`.
    """
    radii = np.asarray(smoothing_radii, dtype=np.float64)
    product = np.zeros((3 * len(radii), 3 * len(radii)))
    n_particles = 0
    for chunk in theta_chunks:
        n_particles += len(chunk)
        for start in range(0, len(chunk), _CHUNK_ROWS):
            rows = chunk[start : start + _CHUNK_ROWS].astype(np.float64)
            product += rows.T @ rows
    return replace(decompose(product / (n_particles - 1), radii), n_particles=n_particles)


def fit_particles(
    features_of: Callable[[slice], np.ndarray],
    n_particles: int,
    smoothing_radii: Sequence[float],
) -> Whitening:
    """Fit the whitening of the features of particles, a million at a time.

    Parameters
    ----------
    features_of : callable
        Takes a slice of particles and returns their features (p, 3n), as `fit` needs them.
    n_particles : int
        Particles of the training box.
    smoothing_radii : sequence of float, length n
        R_f of the features [Mpc/h].

    Raises
    ------
    ValueError
        As in `decompose`.
    """
    n_parts = 1 + n_particles // _PARTICLES_AT_ONCE
    each, more = divmod(n_particles, n_parts)  # the first parts have one more
    edges = [part * each + min(part, more) for part in range(n_parts + 1)]
    return fit((features_of(slice(*part)) for part in pairwise(edges)), smoothing_radii)


def decompose(covariance: np.ndarray, smoothing_radii: Sequence[float]) -> Whitening:
    """Find the whitening of a given covariance.

    Parameters
    ----------
    covariance : ndarray, float64, shape (3n, 3n)
        Uncentred covariance of [δ_1, ∇²δ_1, G2_1, δ_2, …], dimensionless.
    smoothing_radii : sequence of float, length n
        R_f of the features [Mpc/h].

    Raises
    ------
    ValueError
        If the covariance is not finite, or a kept direction has no variance.
    """
    radii = np.asarray(smoothing_radii, dtype=np.float64)
    n_features = 3 * len(radii)
    eigenvectors = np.zeros((n_features, n_features))
    eigenvalues = np.empty(n_features)
    kept = []
    start = 0
    if not np.isfinite(covariance).all():
        raise ValueError(
            f"The features of R_f = {radii.tolist()} Mpc/h contain NaN or infinite values."
        )
    for columns, n_keep in _blocks(len(radii)):
        values, vectors = np.linalg.eigh(covariance[np.ix_(columns, columns)])
        values, vectors = values[::-1], _fix_signs(vectors[:, ::-1])
        if not values[n_keep - 1] > _RANK_TOLERANCE * values[0]:
            raise ValueError(
                f"The features of R_f = {radii.tolist()} Mpc/h have variances {values.tolist()} "
                f"along their principal directions, but {n_keep} of them must be positive; are "
                "two radii equal?"
            )
        stop = start + len(columns)
        eigenvectors[columns, start:stop] = vectors
        eigenvalues[start:stop] = values
        kept += range(start, start + n_keep)
        start = stop
    return Whitening(
        smoothing_radii=radii,
        eigenvectors=eigenvectors,
        eigenvalues=eigenvalues,
        kept=np.asarray(kept, dtype=np.int64),
        covariance=np.asarray(covariance),
    )


def _blocks(n_radii: int) -> list[tuple[np.ndarray, int]]:
    """Return (columns of the features, number of directions to keep) of each block."""
    first = 3 * np.arange(n_radii)
    linear = np.sort(np.concatenate([first, first + 1]))
    return [(linear, n_radii + 1), (first + 2, n_radii)]


def _fix_signs(vectors: np.ndarray) -> np.ndarray:
    size = np.abs(vectors)
    leading = np.argmax(size >= (1.0 - _SIGN_TIE) * size.max(axis=0), axis=0)
    return vectors * np.sign(vectors[leading, np.arange(vectors.shape[1])])
