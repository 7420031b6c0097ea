"""f of a sample of particles along the components of its gradient."""

from dataclasses import dataclass

import numpy as np

from lagbias.claims.base import Untestable

__all__ = ["BIN", "MIN_PARTICLES", "Profile", "profile", "ridge", "variance_at_fixed"]

#: Width of the bins along the first component, in its standard deviations.
BIN = 0.25
#: Minimum number of particles in a bin.
MIN_PARTICLES = 50
#: Range and width of the bins along another component.
_OTHER_RANGE, _OTHER_BIN = (-2.0, 2.0), 0.5


@dataclass(frozen=True)
class Profile:
    """Mean f and its standard error in bins along the first component, each of shape (b,).

    `centre` is in standard deviations of the component.
    """

    centre: np.ndarray
    mean: np.ndarray
    error: np.ndarray


def profile(x: np.ndarray, f: np.ndarray, low: float, high: float) -> Profile:
    """Average f (N,) in the bins of x (N,) from `low` to `high` that hold `MIN_PARTICLES`.

    Raises Untestable if fewer than three bins do.
    """
    count = round((high - low) / BIN)
    edges = low + BIN * np.arange(count + 1)
    n, mean, error = _moments(_bin(x, edges), f, count)
    full = n >= MIN_PARTICLES
    if full.sum() < 3:
        raise Untestable(
            f"fewer than three bins between {low:g} and {high:g} σ hold {MIN_PARTICLES} of the "
            f"{len(f)} particles; increase gradient_pca.particles"
        )
    return Profile((edges[:-1] + 0.5 * BIN)[full], mean[full], error[full])


def variance_at_fixed(
    x: np.ndarray, other: np.ndarray, f: np.ndarray, low: float, high: float
) -> tuple[float, float]:
    """Measure the variance of f along a second coordinate at fixed first coordinate.

    Parameters
    ----------
    x, other, f : ndarray, shape (N,)
        Fixed coordinate (of which `low` to `high` counts), varying coordinate, and f.

    Returns
    -------
    variance, noise : float
        Variance of the mean f between bins of `other` within a bin of x, averaged over particles,
        minus the contribution of the errors of the means; and that contribution.
    """
    rows, columns = round((high - low) / BIN), round(np.ptp(_OTHER_RANGE) / _OTHER_BIN)
    row = _bin(x, low + BIN * np.arange(rows + 1))
    column = _bin(other, _OTHER_RANGE[0] + _OTHER_BIN * np.arange(columns + 1))
    cell = np.where((row < 0) | (column < 0), -1, row * columns + column)
    n, mean, error = (a.reshape(rows, columns) for a in _moments(cell, f, rows * columns))
    weight = np.where(n >= MIN_PARTICLES, n, 0)
    usable = (weight > 0).sum(axis=1) > 1
    if not usable.any():
        raise Untestable(
            f"{len(f)} particles do not fill bins of two components; take more "
            "(gradient_pca.particles)"
        )
    weight, mean, error = weight[usable], mean[usable], error[usable]
    total = weight.sum(axis=1)
    centre = (weight * mean).sum(axis=1, keepdims=True) / total[:, None]
    spread = (weight * (mean - centre) ** 2).sum() / total.sum()
    noise = (weight * error**2).sum() / total.sum()
    return float(spread - noise), float(noise)


def ridge(
    x: np.ndarray, other: np.ndarray, f: np.ndarray, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the f-weighted mean of the first coordinate in bins of a second one.

    Parameters
    ----------
    x, other, f : ndarray, shape (N,)
        First coordinate (of which `low` to `high` counts), second coordinate, and f.

    Returns
    -------
    at, position : ndarray, shape (m,)
        Centre of each bin of `other`, and mean x there. Bins of x are weighted by their mean f,
        not by their particles. Only where all bins of x have at least `MIN_PARTICLES`.
    """
    at, position = [], []
    for start in np.arange(*_OTHER_RANGE, _OTHER_BIN):
        chosen = (other >= start) & (other < start + _OTHER_BIN)
        try:
            along = profile(x[chosen], f[chosen], low, high)
        except Untestable:
            continue
        if len(along.centre) == round((high - low) / BIN) and along.mean.sum() > 0:
            at.append(start + 0.5 * _OTHER_BIN)
            position.append(np.average(along.centre, weights=along.mean))
    if len(at) < 3:
        raise Untestable(
            f"{len(f)} particles do not fill the plane of two components; take more "
            "(gradient_pca.particles)"
        )
    return np.array(at), np.array(position)


def _bin(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the bin of each value, or -1 outside."""
    index = np.searchsorted(edges, x, side="right") - 1
    return np.where(index < len(edges) - 1, index, -1)


def _moments(index: np.ndarray, f: np.ndarray, count: int) -> tuple[np.ndarray, ...]:
    """Return number, mean and standard error of the mean in bins; -1 is no bin."""
    inside = index >= 0
    index, f = index[inside], f[inside]
    n = np.bincount(index, minlength=count)
    mean = np.bincount(index, weights=f, minlength=count) / np.maximum(n, 1)
    squares = np.bincount(index, weights=(f - mean[index]) ** 2, minlength=count)
    return n, mean, np.sqrt(squares / np.maximum(n - 1, 1) / np.maximum(n, 1))
