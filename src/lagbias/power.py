"""Power and cross spectra of gridded fields, and what is made of them.

Spherical bins of width 2π/L centred on its multiples; no correction for shot noise, window or
aliasing, which are common to all fields that are compared (Wu, Muñoz & Eisenstein 2023, §3).
"""

from dataclasses import dataclass

import numpy as np

__all__ = [
    "PowerSpectrum",
    "auto_power",
    "correlation_coefficient",
    "cross_power",
    "mode_weighted_mean",
    "uncorrelated_power",
]


@dataclass(frozen=True)
class PowerSpectrum:
    """A spectrum in the bins n = 1 … N/2 of width 2π/L.

    Attributes
    ----------
    k : ndarray, float64, shape (bins,)
        Bin centres n 2π/L [h/Mpc].
    mean_k : ndarray, float64, shape (bins,)
        Mean wavenumber of the modes in the bin [h/Mpc]: compare theory here.
    power : ndarray, float64, shape (bins,)
        Mean power [(Mpc/h)³].
    n_modes : ndarray, int64, shape (bins,)
        Number of modes, k and -k both counted.
    """

    k: np.ndarray
    mean_k: np.ndarray
    power: np.ndarray
    n_modes: np.ndarray


def auto_power(modes: np.ndarray, box_size: float) -> PowerSpectrum:
    """Return the power spectrum of one field; see `cross_power`."""
    return cross_power(modes, modes, box_size)


def cross_power(modes_a: np.ndarray, modes_b: np.ndarray, box_size: float) -> PowerSpectrum:
    """Return P = Re⟨a b*⟩ L³ / N⁶ in spherical bins.

    Parameters
    ----------
    modes_a, modes_b : ndarray, complex64, shape (N, N, N//2 + 1)
        Unnormalised real transforms of two overdensities, as from `RealFFT.forward`; the same
        array twice gives the power spectrum.
    box_size : float
        Side L of the periodic box [Mpc/h].

    Returns
    -------
    PowerSpectrum
        The spectrum; sums are float64. Modes with 0 < kz < Nyquist stand for themselves and for
        their conjugates and count twice.

    Raises
    ------
    ValueError
        If the arrays are not the modes of two equal cubic grids.
    """
    n = modes_a.shape[0]
    if modes_a.shape != modes_b.shape or modes_a.shape not in {(n, n, n // 2 + 1)} or n < 2:
        raise ValueError(
            f"modes have shapes {modes_a.shape} and {modes_b.shape}; cross_power needs two arrays "
            "(N, N, N//2 + 1), the real transforms of equal cubic grids."
        )
    n_bins = n // 2
    squared, weights = _mode_squares_and_weights(n)
    bin_of = _bin_of_squared_index(3 * (n // 2) ** 2, n_bins)
    root = np.sqrt(np.arange(len(bin_of), dtype=np.float64))
    counts, sum_k, sum_power = (np.zeros(n_bins + 2) for _ in range(3))
    plane_weights = np.broadcast_to(weights, (n, n // 2 + 1)).ravel()
    for x in range(n):
        index_squared = (squared[x] + squared[:, None] + squared[None, : n // 2 + 1]).ravel()
        bins = bin_of[index_squared]
        product = _real_product(modes_a[x], modes_b[x]).ravel()
        for total, values in ((counts, 1.0), (sum_k, root[index_squared]), (sum_power, product)):
            total += np.bincount(bins, weights=plane_weights * values, minlength=n_bins + 2)
    # Bin 0 is the mean of the fields; the last one collects the corners beyond Nyquist.
    counts, sum_k, sum_power = counts[1:-1], sum_k[1:-1], sum_power[1:-1]
    fundamental = 2.0 * np.pi / box_size
    return PowerSpectrum(
        k=fundamental * np.arange(1, n_bins + 1),
        mean_k=fundamental * sum_k / counts,
        power=sum_power / counts * box_size**3 / float(n) ** 6,
        n_modes=np.rint(counts).astype(np.int64),
    )


def uncorrelated_power(
    model_power: np.ndarray, cross_power: np.ndarray, halo_power: np.ndarray
) -> np.ndarray:
    """Return the model power that is not correlated with the halos, P_m - P_hm² / P_h (eq. 3.1).

    Parameters
    ----------
    model_power, cross_power, halo_power : ndarray, broadcastable
        P_model, P_hm and P_h [(Mpc/h)³].

    Returns
    -------
    ndarray, float64
        P_model (1 - r²) [(Mpc/h)³].
    """
    return model_power - np.asarray(cross_power, dtype=np.float64) ** 2 / halo_power


def correlation_coefficient(
    model_power: np.ndarray, cross_power: np.ndarray, halo_power: np.ndarray
) -> np.ndarray:
    """Return r = P_hm / √(P_model P_h).

    Parameters
    ----------
    model_power, cross_power, halo_power : ndarray, broadcastable
        P_model, P_hm and P_h [(Mpc/h)³].

    Returns
    -------
    ndarray, float64
        r(k), dimensionless, between -1 and 1.
    """
    return cross_power / np.sqrt(np.asarray(model_power, dtype=np.float64) * halo_power)


def mode_weighted_mean(
    ratio: np.ndarray, k: np.ndarray, n_modes: np.ndarray, *, k_max: float = 0.1
) -> np.ndarray:
    """Average a ratio of spectra over 0 < k < k_max, weighted by the number of modes.

    The weight is the inverse variance of a power measured from that many Gaussian modes.

    Parameters
    ----------
    ratio : ndarray, shape (..., bins)
        Dimensionless ratio(s).
    k : ndarray, shape (bins,)
        Bin centres [h/Mpc].
    n_modes : ndarray, shape (bins,)
        Modes in each bin.
    k_max : float, keyword-only
        Upper limit [h/Mpc], exclusive.

    Returns
    -------
    ndarray, float64, shape (...)
        The mean(s), dimensionless.

    Raises
    ------
    ValueError
        If no bin lies below `k_max`.
    """
    chosen = (k > 0) & (k < k_max)
    if not chosen.any():
        raise ValueError(
            f"No bin lies below k_max={k_max} h/Mpc: the first is at {k[0]:.4g} h/Mpc; "
            "raise k_max or use a larger box."
        )
    return np.average(np.asarray(ratio, np.float64)[..., chosen], axis=-1, weights=n_modes[chosen])


def _mode_squares_and_weights(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return squared integer wavenumbers of a full axis, and the weights along the half axis."""
    index = np.arange(n)
    squared = np.minimum(index, n - index) ** 2
    weights = np.full(n // 2 + 1, 2.0)
    weights[0] = 1.0
    if n % 2 == 0:
        weights[-1] = 1.0
    return squared, weights


def _bin_of_squared_index(largest: int, n_bins: int) -> np.ndarray:
    """Return the bin of each |n|²: |n| rounded (never a tie, as (m + ½)² is no integer)."""
    nearest = np.floor(np.sqrt(np.arange(largest + 1, dtype=np.float64)) + 0.5).astype(np.int64)
    return np.minimum(nearest, n_bins + 1)


def _real_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return Re(a b*) in float64."""
    product = a.real.astype(np.float64) * b.real
    product += a.imag.astype(np.float64) * b.imag
    return product
