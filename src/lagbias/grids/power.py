"""Power and cross spectra of gridded fields, and quantities derived from them.

Spherical bins of width 2π/L centred on its multiples. There is no correction for shot noise,
window or aliasing, which are common to all fields that are compared (Wu, Muñoz & Eisenstein 2023,
§3).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lagbias.grids.fourier import multiplicity

__all__ = [
    "PowerSpectrum",
    "auto_power",
    "correlation_coefficient",
    "cross_power",
    "geometry",
    "mean_wavenumbers",
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
    modes_a, modes_b : ndarray, complex, shape (N, N, N//2 + 1)
        Unnormalised real transforms of two overdensities, as from `RealFFT.forward`.
    box_size : float
        Side L of the periodic box [Mpc/h].

    Returns
    -------
    PowerSpectrum
        The spectrum; sums are float64. Modes with 0 < kz < Nyquist also stand for their complex
        conjugates and count twice.

    Raises
    ------
    ValueError
        If the arrays are not the modes of two equal cubic grids.
    """
    n = modes_a.shape[0]
    if modes_a.shape != modes_b.shape or modes_a.shape != (n, n, n // 2 + 1) or n < 2:
        raise ValueError(
            f"modes have shapes {modes_a.shape} and {modes_b.shape}; power spectra need two arrays "
            "(N, N, N//2 + 1), the real transforms of equal cubic grids."
        )
    squared, plane, weight, bin_of = geometry(n)
    inside = slice(1, n // 2 + 1)  # bin 0 is the mean of the fields
    total = np.zeros(bin_of[-1] + 1)
    for x_squared, a, b in zip(squared, modes_a, modes_b, strict=True):
        product = a.real.astype(np.float64) * b.real + a.imag.astype(np.float64) * b.imag
        bins = bin_of[x_squared + plane].ravel()
        total += np.bincount(bins, (weight * product).ravel(), len(total))
    n_modes = _mode_counts(n)[0][inside]
    return PowerSpectrum(
        k=2.0 * np.pi / box_size * np.arange(1, n // 2 + 1),
        mean_k=mean_wavenumbers(n, box_size),
        power=total[inside] / n_modes * box_size**3 / float(n) ** 6,
        n_modes=n_modes.astype(np.int64),
    )


def mean_wavenumbers(n: int, box_size: float) -> np.ndarray:
    """Return the mean wavenumber of the modes in each bin [h/Mpc], of a grid of n nodes per side.

    `box_size` is its side [Mpc/h]; the result is float64, of shape (n // 2,).
    """
    n_modes, sum_n = (sums[1 : n // 2 + 1] for sums in _mode_counts(n))
    return 2.0 * np.pi / box_size * sum_n / n_modes


def uncorrelated_power(
    model_power: np.ndarray, cross_power: np.ndarray, halo_power: np.ndarray
) -> np.ndarray:
    """Return the model power uncorrelated with the halos, P_m - P_hm² / P_h (eq. 3.1).

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
    ratio: np.ndarray,
    k: np.ndarray,
    n_modes: np.ndarray,
    *,
    k_min: float = 0.0,
    k_max: float = 0.1,
) -> np.ndarray:
    """Average a ratio of spectra over k_min <= k < k_max, weighted by the number of modes.

    The weight is the inverse variance of a power measured from that many Gaussian modes.

    Parameters
    ----------
    ratio : ndarray, shape (..., bins)
        Dimensionless ratio(s).
    k : ndarray, shape (bins,)
        Bin centres [h/Mpc].
    n_modes : ndarray, shape (bins,)
        Modes in each bin.
    k_min, k_max : float, keyword-only
        Lower limit, inclusive, and upper limit, exclusive [h/Mpc]. k = 0 never counts.

    Returns
    -------
    ndarray, float64, shape (...)
        The mean(s), dimensionless.

    Raises
    ------
    ValueError
        If no bin is in this range.
    """
    chosen = (k > 0) & (k >= k_min) & (k < k_max)
    if not chosen.any():
        raise ValueError(
            f"No bin is from k_min={k_min} to below k_max={k_max} h/Mpc; the first is at "
            f"{k[0]:.4g} h/Mpc. Increase k_max or use a larger box."
        )
    return np.average(np.asarray(ratio, np.float64)[..., chosen], axis=-1, weights=n_modes[chosen])


def geometry(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return nx², ny² + nz² of a plane, the weight of each nz, and the bin of each |n|²."""
    axis = np.minimum(np.arange(n), n - np.arange(n))
    half = np.arange(n // 2 + 1)
    weight = multiplicity(n)
    bin_of = np.rint(np.sqrt(np.arange(3 * half[-1] ** 2 + 1))).astype(np.intp)
    return axis**2, (axis**2)[:, None] + half**2, weight, bin_of


@lru_cache(maxsize=1)
def _mode_counts(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of modes in each bin and the sum of their |n|, both float64."""
    squared, plane, weight, bin_of = geometry(n)
    in_plane = np.bincount(plane.ravel(), np.broadcast_to(weight, plane.shape).ravel())
    modes = np.zeros(len(bin_of))  # by |n|²
    for x_squared in squared:
        modes[x_squared : x_squared + len(in_plane)] += in_plane
    length = np.sqrt(np.arange(len(modes)))
    return np.bincount(bin_of, modes), np.bincount(bin_of, modes * length)
