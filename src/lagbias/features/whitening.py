"""Orthogonal, unit-variance inputs from correlated features (Wu, Muñoz & Eisenstein 2023, §2.1).

Features of neighbouring smoothing radii are nearly degenerate. The eigenvectors of their
covariance over particles, divided by the square root of the eigenvalues, are the inputs of the
network; the smallest directions, which are mostly noise, are dropped.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Whitening", "apply_map", "decompose", "fit"]

_CHUNK_ROWS = 1 << 18
# Components this close to the largest count as equal when the sign is chosen, so that noise in
# the covariance does not flip directions such as (1, -1)/√2.
_SIGN_TIE = 0.05
# Variances below this fraction of the largest are rounding, not signal.
_RANK_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Whitening:
    """A linear map from the 3n features to 2n + 1 orthogonal inputs.

    Attributes
    ----------
    smoothing_radii : ndarray, float64, shape (n,)
        R_f of the features [Mpc/h], in the order of the columns.
    eigenvectors : ndarray, float64, shape (3n, 3n)
        Columns are directions in the space of [δ_1, ∇²δ_1, G2_1, δ_2, …]: first the 2n of δ and
        ∇²δ by descending eigenvalue, then the n of G2 likewise. The largest component of each
        is positive (of several within 5 %, the first).
    eigenvalues : ndarray, float64, shape (3n,)
        Variances along these directions, dimensionless.
    kept : ndarray, int64, shape (2n + 1,)
        Columns of `eigenvectors` that become inputs, in their order.
    covariance : ndarray, float64, shape (3n, 3n)
        Uncentred covariance of all features, dimensionless. The directions come from its two
        blocks; what correlates G2 with δ and ∇²δ is kept as a check only.
    """

    smoothing_radii: np.ndarray
    eigenvectors: np.ndarray
    eigenvalues: np.ndarray
    kept: np.ndarray
    covariance: np.ndarray

    @property
    def matrix(self) -> np.ndarray:
        """The map P Λ^{-1/2} Vᵀ (eqs. 2.3, 2.4), float64, shape (2n + 1, 3n)."""
        scale = 1.0 / np.sqrt(self.eigenvalues[self.kept])
        return scale[:, None] * self.eigenvectors[:, self.kept].T

    def transform(self, theta: np.ndarray) -> np.ndarray:
        """Turn features into inputs.

        Parameters
        ----------
        theta : ndarray, float32, shape (P, 3n)
            Normalised features, columns [δ_1, ∇²δ_1, G2_1, δ_2, …], dimensionless.

        Returns
        -------
        ndarray, float32, shape (P, 2n + 1)
            Inputs, dimensionless. The arithmetic is float64, because the entries of the map
            span four decades when smoothing radii are close.

        Raises
        ------
        ValueError
            If `theta` does not have 3n columns.
        """
        return apply_map(theta, self.matrix)


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
        Inputs, dimensionless; the arithmetic is float64, a quarter of a million rows at a time.

    Raises
    ------
    ValueError
        If `theta` does not have 3n columns.
    """
    _check_columns(theta, matrix.shape[1] // 3)
    inputs = np.empty((len(theta), len(matrix)), dtype=np.float32)
    for start in range(0, len(theta), _CHUNK_ROWS):
        rows = slice(start, start + _CHUNK_ROWS)
        inputs[rows] = theta[rows].astype(np.float64) @ matrix.T
    return inputs


def fit(theta_chunks: Iterable[np.ndarray], smoothing_radii: Sequence[float]) -> Whitening:
    """Find the orthogonal directions of the features of a set of particles.

    The δ, ∇²δ rows and the G2 rows have separate covariances (they are independent in a Gaussian
    field); both are uncentred and divided by the number of particles less one. The n + 1 largest
    directions of the first block and all n of the second are kept.

    Parameters
    ----------
    theta_chunks : iterable of ndarray, each float32, shape (p, 3n)
        Normalised features of the training box's particles, dimensionless, columns
        [δ_1, ∇²δ_1, G2_1, δ_2, …]; all chunks together are the sample.
    smoothing_radii : sequence of float, length n
        R_f of the features [Mpc/h].

    Returns
    -------
    Whitening
        The directions, their variances and which are kept.

    Raises
    ------
    ValueError
        If a chunk has the wrong shape, or a direction that must be kept has no variance.
    """
    radii = np.asarray(smoothing_radii, dtype=np.float64)
    product = np.zeros((3 * len(radii), 3 * len(radii)))
    n_particles = 0
    for chunk in theta_chunks:
        _check_columns(chunk, len(radii))
        n_particles += len(chunk)
        for start in range(0, len(chunk), _CHUNK_ROWS):
            rows = chunk[start : start + _CHUNK_ROWS].astype(np.float64)
            product += rows.T @ rows
    if n_particles < 2 * len(radii):
        raise ValueError(
            f"The features of {n_particles} particles cannot be orthogonalised; give at least "
            f"{2 * len(radii)}, twice the number of smoothing radii."
        )
    return decompose(product / (n_particles - 1), radii)


def decompose(covariance: np.ndarray, smoothing_radii: Sequence[float]) -> Whitening:
    """Find the directions from a covariance that is already known.

    Parameters
    ----------
    covariance : ndarray, float64, shape (3n, 3n)
        Uncentred covariance of [δ_1, ∇²δ_1, G2_1, δ_2, …], dimensionless.
    smoothing_radii : sequence of float, length n
        R_f of the features [Mpc/h].

    Returns
    -------
    Whitening
        The directions, their variances and which are kept.

    Raises
    ------
    ValueError
        If the covariance is not finite, or a direction that must be kept has no variance.
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
    kept = np.asarray(kept, dtype=np.int64)
    return Whitening(radii, eigenvectors, eigenvalues, kept, np.asarray(covariance))


def _blocks(n_radii: int) -> list[tuple[np.ndarray, int]]:
    """Return (columns of the features, number of directions to keep) of each block."""
    first = 3 * np.arange(n_radii)
    linear = np.sort(np.concatenate([first, first + 1]))
    return [(linear, n_radii + 1), (first + 2, n_radii)]


def _fix_signs(vectors: np.ndarray) -> np.ndarray:
    size = np.abs(vectors)
    leading = np.argmax(size >= (1.0 - _SIGN_TIE) * size.max(axis=0), axis=0)
    return vectors * np.sign(vectors[leading, np.arange(vectors.shape[1])])


def _check_columns(theta: np.ndarray, n_radii: int) -> None:
    if theta.ndim != 2 or theta.shape[1] != 3 * n_radii:
        raise ValueError(
            f"theta has shape {theta.shape}; {n_radii} smoothing radii need {3 * n_radii} columns "
            "[δ, ∇²δ, G2] for each radius."
        )
