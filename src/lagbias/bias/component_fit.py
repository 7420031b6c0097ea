"""Principal components of the gradient of f (Wu, Muñoz & Eisenstein 2023, §4).

The average f of an ensemble varies mostly along a few directions in the space of its inputs, the
leading eigenvectors of the mean of ∇f ∇fᵀ over particles.
"""

from collections.abc import Sequence

import numpy as np

from lagbias.bias.components import GradientPCA

__all__ = ["STORED_COMPONENTS", "fit"]

#: Number of components stored for a sample of particles.
STORED_COMPONENTS = 4
_CHUNK_ROWS = 1 << 18


def fit(
    gradients: np.ndarray,
    whitening_matrix: np.ndarray,
    smoothing_radii: Sequence[float],
    *,
    inputs: np.ndarray,
    f: np.ndarray,
) -> GradientPCA:
    """Find the principal components of ∇f.

    The second moment of ∇f is not centred: a direction with a constant slope matters as much as
    one whose slope varies.

    Parameters
    ----------
    gradients : ndarray, float32, shape (N, d)
        ∇f of a sample of particles with respect to the d inputs, dimensionless.
    whitening_matrix : ndarray, float64, shape (d, 3n)
        The map P Λ^{-1/2} Vᵀ from normalised features to the inputs, dimensionless.
    smoothing_radii : sequence of float, length n
        R_f of the features [Mpc/h].
    inputs : ndarray, float32, shape (N, d), keyword-only
        Whitened features of these particles, dimensionless.
    f : ndarray, float32, shape (N,), keyword-only
        Their average f, dimensionless.

    Raises
    ------
    ValueError
        If there are fewer particles than inputs, or a gradient is not finite.
    """
    if len(gradients) < gradients.shape[1]:
        raise ValueError(
            f"Gradients of {len(gradients)} particles do not determine {gradients.shape[1]} "
            f"components; give at least {gradients.shape[1]} particles."
        )
    if not np.isfinite(gradients).all():
        bad = np.count_nonzero(~np.isfinite(gradients).all(axis=1))
        raise ValueError(
            f"The gradients of {bad} of {len(gradients)} particles contain NaN or infinite "
            "values; retrain the networks with a smaller learning rate."
        )
    mean = gradients.mean(axis=0, dtype=np.float64)
    moment = _second_moment(gradients)
    values, vectors = np.linalg.eigh(moment)
    values, vectors = values[::-1], vectors[:, ::-1]
    directions = vectors * np.where(mean @ vectors < 0, -1.0, 1.0)
    centred = np.linalg.eigvalsh(moment - np.outer(mean, mean))[::-1]
    coordinates = inputs.astype(np.float64) @ directions
    # rounding can make eigenvalues negative
    return GradientPCA(
        smoothing_radii=np.asarray(smoothing_radii, dtype=np.float64),
        eigenvalues=np.maximum(values, 0.0),
        directions=directions,
        matrix=directions.T @ whitening_matrix,
        centred_eigenvalues=np.maximum(centred, 0.0),
        components=coordinates[:, :STORED_COMPONENTS].astype(np.float32),
        f=f,
    )


def _second_moment(gradients: np.ndarray) -> np.ndarray:
    """Return the mean of g gᵀ, accumulated in float64."""
    product = np.zeros((gradients.shape[1], gradients.shape[1]))
    for start in range(0, len(gradients), _CHUNK_ROWS):
        rows = gradients[start : start + _CHUNK_ROWS].astype(np.float64)
        product += rows.T @ rows
    return product / len(gradients)
