"""What a network takes in: linear maps of the normalised features, each by its name."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from lagbias.artefacts import kinds as artefacts
from lagbias.features.whitening import Whitening

__all__ = ["INPUTS", "input_matrix", "load_input_matrix"]

#: Components of ∇f that a retrained network sees (paper §4).
N_COMPONENTS = 2


def input_matrix(name: str, fitted: Whitening, components: np.ndarray | None = None) -> np.ndarray:
    """Return the map from features to a network's inputs.

    Parameters
    ----------
    name : str
        ``full``: the 2n + 1 whitened features (eq. 2.4). ``density``: those of δ and ∇²δ only, as
        in the comparison with least squares (§3.1). ``nested``: n δ, the ∇²δ of the smallest
        radius and n G2, whitened (footnote 1). ``pc2``: the first two components of ∇f, as they
        are (§4).
    fitted : Whitening
        The whitening of the training box's features.
    components : ndarray, float64, shape (d, 3n), optional
        M of eq. 4.1, for ``pc2``.

    Returns
    -------
    ndarray, float64, shape (n_inputs, 3n)
        For `lagbias.features.whitening.apply_map`, dimensionless.

    Raises
    ------
    ValueError
        If the name is unknown or the components are missing.
    """
    if name not in INPUTS:
        raise ValueError(f"inputs are {name!r}; choose one of {', '.join(INPUTS)}.")
    return INPUTS[name](fitted, components)


def load_input_matrix(
    name: str, whitening: str | Path, components: str | Path | None = None
) -> np.ndarray:
    """Return the map from features to a network's inputs, as stored by a run.

    Parameters
    ----------
    name : str
        See `input_matrix`.
    whitening : str or Path
        Whitening of the training box's features.
    components : str or Path, optional
        Gradient PCA, for ``pc2``.

    Returns
    -------
    ndarray, float64, shape (n_inputs, 3n)
        The map, dimensionless.

    Raises
    ------
    lagbias.artefacts.store.ArtefactError
        If a file cannot be read.
    ValueError
        As `input_matrix`.
    """
    fitted = Whitening(**artefacts.whitening_of(whitening))
    matrix = artefacts.gradient_pca_of(components)["matrix"] if components else None
    return input_matrix(name, fitted, matrix)


def _full(fitted: Whitening, _) -> np.ndarray:
    return fitted.matrix


def _density(fitted: Whitening, _) -> np.ndarray:
    matrix = fitted.matrix
    return matrix[~matrix[:, 2::3].any(axis=1)]


def _nested(fitted: Whitening, _) -> np.ndarray:
    n_features = len(fitted.covariance)
    chosen = np.flatnonzero((np.arange(n_features) % 3 == 0) | (np.arange(n_features) == 1))
    values, vectors = np.linalg.eigh(fitted.covariance[np.ix_(chosen, chosen)])
    linear = np.zeros((len(chosen), n_features))
    linear[:, chosen] = vectors[:, ::-1].T / np.sqrt(values[::-1, None])
    matrix = fitted.matrix
    return np.vstack([linear, matrix[matrix[:, 2::3].any(axis=1)]])


def _pc2(_, components: np.ndarray | None) -> np.ndarray:
    if components is None:
        raise ValueError("inputs pc2 need the components of ∇f; pass the matrix of a gradient PCA.")
    return components[:N_COMPONENTS]


#: Maps by their name in paths and in the configuration.
INPUTS: dict[str, Callable[[Whitening, np.ndarray | None], np.ndarray]] = {
    "full": _full,
    "density": _density,
    "nested": _nested,
    "pc2": _pc2,
}
