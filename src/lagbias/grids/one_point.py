"""One-point distributions of smoothed fields, their moments, and distances between them.

Distributions are those of the values at all grid points. Histogram and distances take the values
in ascending order, so that one sort serves them all.
"""

import numpy as np

from lagbias.grids.fourier import RealFFT, gaussian_window, wavenumbers

__all__ = ["density", "kolmogorov_smirnov", "moments", "smooth", "wasserstein"]


def smooth(modes: np.ndarray, box_size: float, radius: float, fft: RealFFT) -> np.ndarray:
    """Return a field smoothed with the Gaussian window W = exp(-k² R² / 2).

    Parameters
    ----------
    modes : ndarray, complex64, shape (N, N, N//2 + 1)
        Unnormalised real transform of the field, not modified.
    box_size : float
        Side of the periodic box [Mpc/h].
    radius : float
        Smoothing radius R [Mpc/h].
    fft : RealFFT
        Transforms of N³ grids.

    Returns
    -------
    ndarray, float32, shape (N, N, N)
        The smoothed field, in units of the field.
    """
    smoothed = fft.empty_modes()
    smoothed[...] = modes
    for k in wavenumbers(fft.n, box_size):
        smoothed *= gaussian_window(k**2, radius).astype(np.float32)
    return fft.inverse(smoothed)


def density(ordered: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the probability density in bins edges[i] ≤ δ < edges[i + 1].

    Parameters
    ----------
    ordered : ndarray, shape (points,)
        Values in ascending order, dimensionless.
    edges : ndarray, shape (bins + 1,)
        Ascending edges of the bins, dimensionless.

    Returns
    -------
    ndarray, float64, shape (bins,)
        Fraction of all values per unit of δ; values outside of the bins are in none.
    """
    edges = np.asarray(edges, dtype=np.float64)
    if not np.all(np.diff(edges) > 0):
        raise ValueError(f"The edges of the bins are {edges.tolist()}; give ascending ones.")
    # in the type of the values, or NumPy would copy all of them
    below = np.searchsorted(ordered, edges.astype(ordered.dtype))
    return np.diff(below) / (len(ordered) * np.diff(edges))


def moments(values: np.ndarray) -> np.ndarray:
    """Return variance, skewness and kurtosis as ratios of cumulants; the mean is taken out.

    Parameters
    ----------
    values : ndarray, any shape
        δ, dimensionless.

    Returns
    -------
    ndarray, float64, shape (3,)
        ⟨δ²⟩, S3 = ⟨δ³⟩/⟨δ²⟩² and S4 = (⟨δ⁴⟩ - 3 ⟨δ²⟩²)/⟨δ²⟩³, dimensionless. S3 and S4 are 0 for a
        Gaussian field and nearly independent of the variance for one that grew by gravity.
    """
    delta = values.astype(np.float64).ravel()
    delta -= delta.mean()
    squared = delta**2
    variance = squared.mean()
    third, fourth = np.vdot(squared, delta) / delta.size, np.vdot(squared, squared) / delta.size
    return np.array([variance, third / variance**2, (fourth - 3.0 * variance**2) / variance**3])


def wasserstein(ordered_a: np.ndarray, ordered_b: np.ndarray) -> float:
    """Return the Wasserstein-1 distance of two samples of equal size, mean |a_(i) - b_(i)|.

    Parameters
    ----------
    ordered_a, ordered_b : ndarray, shape (points,)
        Values in ascending order, dimensionless.

    Returns
    -------
    float
        Distance in units of the values: the shift of one distribution against an equal one.

    Raises
    ------
    ValueError
        If the samples differ in size.
    """
    _check_sizes(ordered_a, ordered_b)
    return float(np.abs(ordered_a - ordered_b).mean(dtype=np.float64))


def kolmogorov_smirnov(ordered_a: np.ndarray, ordered_b: np.ndarray) -> float:
    """Return the largest difference of two cumulative distributions, max |F_a - F_b|.

    Parameters
    ----------
    ordered_a, ordered_b : ndarray, shape (points,)
        Values in ascending order, dimensionless.

    Returns
    -------
    float
        Distance between 0 and 1.

    Raises
    ------
    ValueError
        If the samples differ in size.
    """
    _check_sizes(ordered_a, ordered_b)
    excess = [
        np.abs(
            np.searchsorted(ordered_a, values, side="right")
            - np.searchsorted(ordered_b, values, side="right")
        ).max()
        for values in (ordered_a, ordered_b)
    ]
    return float(max(excess) / len(ordered_a))


def _check_sizes(a: np.ndarray, b: np.ndarray) -> None:
    if a.shape != b.shape:
        raise ValueError(
            f"The samples have shapes {a.shape} and {b.shape}; compare fields on equal grids."
        )
