"""Power and cross spectra of gridded fields, and what is made of them.

Spherical bins of width 2π/L centred on its multiples; no correction for shot noise, window or
aliasing, which are common to all fields that are compared (Wu, Muñoz & Eisenstein 2023, §3).
"""

from dataclasses import dataclass

import numpy as np

from lagbias.grids.power_kernels import shell_sums
from lagbias.runtime.threads import numba_threads

__all__ = [
    "PowerSpectrum",
    "auto_power",
    "correlation_coefficient",
    "cross_and_auto_power",
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


def auto_power(modes: np.ndarray, box_size: float, *, threads: int = 1) -> PowerSpectrum:
    """Return the power spectrum of one field; see `cross_power`."""
    return cross_power(modes, modes, box_size, threads=threads)


def cross_power(
    modes_a: np.ndarray, modes_b: np.ndarray, box_size: float, *, threads: int = 1
) -> PowerSpectrum:
    """Return P = Re⟨a b*⟩ L³ / N⁶ in spherical bins.

    Parameters
    ----------
    modes_a, modes_b : ndarray, complex64, shape (N, N, N//2 + 1)
        Unnormalised real transforms of two overdensities, as from `RealFFT.forward`; the same
        array twice gives the power spectrum.
    box_size : float
        Side L of the periodic box [Mpc/h].
    threads : int, keyword-only
        Threads to use; the result does not depend on it.

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
    return _spectra(modes_a, modes_b, box_size, threads, also_auto=False)[0]


def cross_and_auto_power(
    modes_a: np.ndarray, modes_b: np.ndarray, box_size: float, *, threads: int = 1
) -> tuple[PowerSpectrum, PowerSpectrum]:
    """Return the cross spectrum of a and b and the spectrum of a, from one pass over the modes.

    Parameters
    ----------
    modes_a, modes_b, box_size, threads
        As for `cross_power`.

    Returns
    -------
    tuple of PowerSpectrum
        Equal to `cross_power` of both and `auto_power` of `modes_a`.

    Raises
    ------
    ValueError
        If the arrays are not the modes of two equal cubic grids.
    """
    cross, auto = _spectra(modes_a, modes_b, box_size, threads, also_auto=True)
    return cross, auto


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


def _spectra(
    modes_a: np.ndarray, modes_b: np.ndarray, box_size: float, threads: int, *, also_auto: bool
) -> list[PowerSpectrum]:
    """Return P_ab and, if asked for, P_aa."""
    n = modes_a.shape[0]
    if modes_a.shape != modes_b.shape or modes_a.shape not in {(n, n, n // 2 + 1)} or n < 2:
        raise ValueError(
            f"modes have shapes {modes_a.shape} and {modes_b.shape}; power spectra need two arrays "
            "(N, N, N//2 + 1), the real transforms of equal cubic grids."
        )
    shape = (n // 2 + 1, n // 2 + 1)
    counts, (sum_n, *sums) = np.zeros(shape, np.int64), np.zeros((3, *shape))
    with numba_threads(threads):
        shell_sums(_parts(modes_a), _parts(modes_b), also_auto, counts, sum_n, *sums)
    # Shell 0 is the mean of the fields.
    counts, sum_n, *sums = (planes.sum(axis=0)[1:] for planes in (counts, sum_n, *sums))
    fundamental = 2.0 * np.pi / box_size
    return [
        PowerSpectrum(
            k=fundamental * np.arange(1, n // 2 + 1),
            mean_k=fundamental * sum_n / counts,
            power=total / counts * box_size**3 / float(n) ** 6,
            n_modes=counts,
        )
        for total in sums[: 2 if also_auto else 1]
    ]


def _parts(modes: np.ndarray) -> np.ndarray:
    """Return real and imaginary parts in turn, (N, N, 2 (N//2 + 1)), without copying complex64."""
    kept = np.ascontiguousarray(modes, dtype=np.result_type(modes, np.complex64))
    return kept.view(kept.real.dtype)
