"""Inputs of networks: named linear maps of the normalised features."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lagbias.features.whitening import Whitening

__all__ = ["input_matrix"]

#: Components of ∇f that a retrained network takes (paper §4).
_N_COMPONENTS = 2


def input_matrix(
    name: str,
    fitted: Whitening,
    components: np.ndarray | None = None,
    eigenvalue_cut: float | None = None,
) -> np.ndarray:
    """Return the map from features to a network's inputs.

    Parameters
    ----------
    name : str
        ``full``: the 2n + 1 whitened features (eq. 2.4). ``density``: those of δ and ∇²δ only, as
        in the comparison with least squares (§3.1). ``nested``: n δ, the ∇²δ of the smallest
        radius and n G2, whitened (footnote 1). ``cut``: the whitened directions of largest
        eigenvalues (footnote 2). ``pc2``: the first two components of ∇f (§4).
    fitted : Whitening
        The whitening of the training box's features.
    components : ndarray, float64, shape (d, 3n), optional
        M of eq. 4.1, for ``pc2``.
    eigenvalue_cut : float, optional
        Fraction of the largest eigenvalue of δ and ∇²δ, or of G2, above which ``cut`` keeps a
        direction.

    Returns
    -------
    ndarray, float64, shape (n_inputs, 3n)
        For `lagbias.features.whitening.apply_map`, dimensionless.

    Raises
    ------
    ValueError
        If the name is unknown or the components are missing.
    """
    if name not in _INPUTS:
        raise ValueError(f"Unknown inputs {name!r}; choose one of {', '.join(_INPUTS)}.")
    return _INPUTS[name](fitted, components, eigenvalue_cut)


def _full(fitted: Whitening, *_) -> np.ndarray:
    return fitted.matrix


def _density(fitted: Whitening, *_) -> np.ndarray:
    matrix = fitted.matrix
    return matrix[~matrix[:, 2::3].any(axis=1)]


def _nested(fitted: Whitening, *_) -> np.ndarray:
    n_features = len(fitted.covariance)
    chosen = np.flatnonzero((np.arange(n_features) % 3 == 0) | (np.arange(n_features) == 1))
    values, vectors = np.linalg.eigh(fitted.covariance[np.ix_(chosen, chosen)])
    linear = np.zeros((len(chosen), n_features))
    linear[:, chosen] = vectors[:, ::-1].T / np.sqrt(values[::-1, None])
    matrix = fitted.matrix
    return np.vstack([linear, matrix[matrix[:, 2::3].any(axis=1)]])


def _cut(fitted: Whitening, _, fraction: float) -> np.ndarray:
    blocks = np.split(fitted.eigenvalues, [2 * len(fitted.smoothing_radii)])
    above = np.concatenate([block > fraction * block[0] for block in blocks])
    return replace(fitted, kept=np.flatnonzero(above)).matrix


def _pc2(_, components: np.ndarray | None, *__) -> np.ndarray:
    if components is None:
        raise ValueError("Inputs pc2 need the components of ∇f; pass the matrix of a gradient PCA.")
    return components[:_N_COMPONENTS]


#: Maps by their names in paths and in the configuration.
_INPUTS: dict[str, Callable[..., np.ndarray]] = {
    "full": _full,
    "density": _density,
    "nested": _nested,
    "cut": _cut,
    "pc2": _pc2,
}
