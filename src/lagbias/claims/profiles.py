"""f of a sample of particles along the components of its gradient."""

from dataclasses import dataclass

import numpy as np

from lagbias.claims.base import Untestable

__all__ = ["BIN", "MIN_PARTICLES", "Profile", "profile", "ridge", "variance_at_fixed"]

#: Width of the bins along the first component, in its standard deviations.
BIN = 0.25
#: Fewest particles in a bin that counts.
MIN_PARTICLES = 50
#: Width of the bins along another component.
_OTHER_BIN = 0.5
#: Range of another component.
_OTHER_RANGE = (-2.0, 2.0)


@dataclass(frozen=True)
class Profile:
    """Mean f in bins along the first component.

    Attributes
    ----------
    centre : ndarray (b,)
        Middle of each bin that holds enough particles, in standard deviations.
    mean, error : ndarray (b,)
        Mean f and its standard error, dimensionless.
    """

    centre: np.ndarray
    mean: np.ndarray
    error: np.ndarray


def profile(x: np.ndarray, f: np.ndarray, low: float, high: float) -> Profile:
    """Average f in bins of `BIN` of one coordinate.

    Parameters
    ----------
    x, f : ndarray, shape (N,)
        Coordinate and f of particles, dimensionless.
    low, high : float
        Range of the bins.

    Returns
    -------
    Profile
        Bins with at least `MIN_PARTICLES`.

    Raises
    ------
    Untestable
        If fewer than three bins hold so many.
    """
    count = round((high - low) / BIN)
    edges = low + BIN * np.arange(count + 1)
    n, mean, error = _moments(_bin(x, edges), f, count)
    full = n >= MIN_PARTICLES
    if full.sum() < 3:
        raise Untestable(
            f"fewer than three bins between {low:g} and {high:g} σ hold {MIN_PARTICLES} of the "
            f"{len(f)} particles; take more (gradient_pca.particles)"
        )
    return Profile((edges[:-1] + 0.5 * BIN)[full], mean[full], error[full])


def variance_at_fixed(
    x: np.ndarray, other: np.ndarray, f: np.ndarray, low: float, high: float
) -> tuple[float, float]:
    """Measure how much f varies with a second coordinate where the first is fixed.

    Parameters
    ----------
    x, other, f : ndarray, shape (N,)
        The coordinate that is fixed, the one that varies, and f, dimensionless.
    low, high : float
        Range of x.

    Returns
    -------
    variance, noise : float
        Variance of the mean f between bins of `other` in a bin of x, averaged over the particles
        and less what the errors of the means contribute; and this contribution.

    Raises
    ------
    Untestable
        If no bin of x has two or more bins of `other` with `MIN_PARTICLES`.
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
    """Find where along the first coordinate f lies, for each bin of a second one.

    Parameters
    ----------
    x, other, f : ndarray, shape (N,)
        First and second coordinate and f of particles, dimensionless.
    low, high : float
        Range of x.

    Returns
    -------
    at, position : ndarray, shape (m,)
        Middle of each bin of `other`, and the mean x there, each bin of x weighing as much as
        its mean f and not as it has particles; where all bins of x hold `MIN_PARTICLES`.

    Raises
    ------
    Untestable
        If fewer than three bins of `other` do.
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
