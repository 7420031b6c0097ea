"""Principal components of the gradient of f (Wu, Muñoz & Eisenstein 2023, §4).

The average f of an ensemble varies mostly along a few directions in the space of its inputs: the
eigenvectors of the mean of ∇f ∇fᵀ over particles.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["STORED_COMPONENTS", "ComponentSample", "GradientPCA", "fit"]

#: Components along which the coordinates of a sample of particles are stored, for figures.
STORED_COMPONENTS = 4
_CHUNK_ROWS = 1 << 18


@dataclass(frozen=True)
class GradientPCA:
    """Orthogonal directions in the space of the inputs, by how much f changes along them.

    Attributes
    ----------
    smoothing_radii : ndarray, float64, shape (n,)
        R_f of the features [Mpc/h], in the order of the columns of `matrix`.
    eigenvalues : ndarray, float64, shape (d,)
        Mean square of u·∇f for each component u, descending, dimensionless.
    directions : ndarray, float64, shape (d, d)
        U: one component per column, orthonormal, each with a mean of u·∇f that is not negative.
    matrix : ndarray, float64, shape (d, 3n)
        M = Uᵀ P Λ^{-1/2} Vᵀ (eq. 4.1): the components as combinations of the normalised features
        [δ_1, ∇²δ_1, G2_1, δ_2, …], dimensionless.
    centred_eigenvalues : ndarray, float64, shape (d,)
        Eigenvalues of the covariance of ∇f about its mean, descending, dimensionless; a check of
        how much the choice of an uncentred covariance matters.
    """

    smoothing_radii: np.ndarray
    eigenvalues: np.ndarray
    directions: np.ndarray
    matrix: np.ndarray
    centred_eigenvalues: np.ndarray

    def coordinates(self, inputs: np.ndarray) -> np.ndarray:
        """Return θ_PC = Uᵀ θ of particles (eq. 4.1).

        Parameters
        ----------
        inputs : ndarray, float32, shape (P, d)
            Whitened features, dimensionless.

        Returns
        -------
        ndarray, float64, shape (P, d)
            Coordinates along the components, dimensionless; of unit variance like the inputs.

        Raises
        ------
        ValueError
            If `inputs` does not have d columns.
        """
        if inputs.ndim != 2 or inputs.shape[1] != len(self.directions):
            raise ValueError(
                f"The components combine {len(self.directions)} inputs but got an array of shape "
                f"{inputs.shape}; use the whitening that the networks were trained on."
            )
        return inputs.astype(np.float64) @ self.directions


@dataclass(frozen=True)
class ComponentSample:
    """Where some particles lie along the first components, and their f.

    Attributes
    ----------
    components : ndarray, float32, shape (N, c)
        Coordinates along the first c components, at most `STORED_COMPONENTS`, dimensionless.
    f : ndarray, float32, shape (N,)
        Average f of the particles, dimensionless.

    Raises
    ------
    ValueError
        If there are no particles or no components, or the arrays do not fit together.
    """

    components: np.ndarray
    f: np.ndarray

    def __post_init__(self) -> None:
        fits = self.components.ndim == 2 and self.f.shape == self.components.shape[:1]
        if not fits or self.components.size == 0:
            raise ValueError(
                f"A sample of particles needs components of shape (N, c) and f of shape (N,), "
                f"neither empty, but got {self.components.shape} and {self.f.shape}; make the "
                "gradient components again."
            )


def fit(
    gradients: np.ndarray, whitening_matrix: np.ndarray, smoothing_radii: Sequence[float]
) -> GradientPCA:
    """Find the principal components of ∇f.

    They are the eigenvectors of the mean of ∇f ∇fᵀ, which is not centred: a direction along which
    f rises evenly matters as much as one along which it rises and falls.

    Parameters
    ----------
    gradients : ndarray, float32, shape (N, d)
        ∇f of a sample of particles with respect to the d inputs, dimensionless.
    whitening_matrix : ndarray, float64, shape (d, 3n)
        The map P Λ^{-1/2} Vᵀ from normalised features to the inputs, dimensionless.
    smoothing_radii : sequence of float, length n
        R_f of the features [Mpc/h].

    Returns
    -------
    GradientPCA
        Directions by descending eigenvalue; their signs are such that f rises along each on
        average over the particles.

    Raises
    ------
    ValueError
        If the shapes do not fit together, there are fewer particles than inputs, or a gradient
        is not finite.
    """
    radii = np.asarray(smoothing_radii, dtype=np.float64)
    _check(gradients, whitening_matrix, radii)
    mean = gradients.mean(axis=0, dtype=np.float64)
    moment = _second_moment(gradients)
    values, vectors = np.linalg.eigh(moment)
    values, vectors = values[::-1], vectors[:, ::-1]
    directions = vectors * np.where(mean @ vectors < 0, -1.0, 1.0)
    centred = np.linalg.eigvalsh(moment - np.outer(mean, mean))[::-1]
    # neither has negative eigenvalues, except by rounding
    return GradientPCA(
        radii,
        np.maximum(values, 0.0),
        directions,
        directions.T @ whitening_matrix,
        np.maximum(centred, 0.0),
    )


def _check(gradients: np.ndarray, whitening_matrix: np.ndarray, radii: np.ndarray) -> None:
    """Raise ValueError where `fit` cannot work."""
    shape, expected = np.shape(whitening_matrix), (gradients.shape[-1], 3 * radii.size)
    if gradients.ndim != 2 or shape != expected:
        raise ValueError(
            f"Gradients of shape {gradients.shape} and a whitening of shape {shape} do not fit "
            f"together for R_f = {radii.tolist()} Mpc/h; they must be (N, d) and "
            f"(d, {3 * radii.size}). Use the whitening that the networks were trained on."
        )
    if len(gradients) < gradients.shape[1]:
        raise ValueError(
            f"The gradients of {len(gradients)} particles have no {gradients.shape[1]} principal "
            f"components; give at least {gradients.shape[1]} particles."
        )
    if not np.isfinite(gradients).all():
        bad = np.count_nonzero(~np.isfinite(gradients).all(axis=1))
        raise ValueError(
            f"The gradients of {bad} of {len(gradients)} particles contain NaN or infinite "
            "values; train the networks again, with a smaller learning rate."
        )


def _second_moment(gradients: np.ndarray) -> np.ndarray:
    """Return the mean of g gᵀ in float64, a part of the rows at a time."""
    product = np.zeros((gradients.shape[1], gradients.shape[1]))
    for start in range(0, len(gradients), _CHUNK_ROWS):
        rows = gradients[start : start + _CHUNK_ROWS].astype(np.float64)
        product += rows.T @ rows
    return product / len(gradients)
