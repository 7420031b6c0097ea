"""Multipoles of power and cross spectra about the z axis, in the bins of `lagbias.grids.power`."""

import numpy as np
from scipy.special import eval_legendre

from lagbias.grids.power import PowerSpectrum, cross_power, geometry

__all__ = ["ELLS", "MultipoleSpectrum", "auto_multipoles", "cross_multipoles"]

ELLS = (0, 2, 4)
"""Orders ℓ of the multipoles."""


class MultipoleSpectrum(PowerSpectrum):
    """Multipoles in the bins of a power spectrum: `power` has shape (3, bins), P_0, P_2 and P_4."""


def auto_multipoles(modes: np.ndarray, box_size: float) -> MultipoleSpectrum:
    """Return the multipoles of one field; see `cross_multipoles`."""
    return cross_multipoles(modes, modes, box_size)


def cross_multipoles(
    modes_a: np.ndarray, modes_b: np.ndarray, box_size: float
) -> MultipoleSpectrum:
    """Return P_ℓ = (2ℓ + 1) Re⟨a b* L_ℓ(μ)⟩ L³ / N⁶, with μ = k_z/k, in spherical bins.

    Parameters
    ----------
    modes_a, modes_b : ndarray, complex, shape (N, N, N//2 + 1)
        As in `lagbias.grids.power.cross_power`, which is P_0.
    box_size : float
        Side L of the periodic box [Mpc/h].

    Returns
    -------
    MultipoleSpectrum
        The mean of L_4 over the modes of a bin is not quite zero, so that in bins of few modes an
        isotropic spectrum has a P_4 too; that of L_2 vanishes, since the axes are alike.

    Raises
    ------
    ValueError
        If the arrays are not the modes of two equal cubic grids.
    """
    monopole = cross_power(modes_a, modes_b, box_size)
    n = len(modes_a)
    squared, plane, weight, bin_of = geometry(n)
    z_squared = np.arange(n // 2 + 1) ** 2
    total = np.zeros((len(ELLS) - 1, bin_of[-1] + 1))
    for x_squared, a, b in zip(squared, modes_a, modes_b, strict=True):
        product = a.real.astype(np.float64) * b.real + a.imag.astype(np.float64) * b.imag
        length = x_squared + plane
        bins = bin_of[length].ravel()
        mu = np.sqrt(z_squared / np.maximum(length, 1))
        for row, ell in zip(total, ELLS[1:], strict=True):
            weighted = weight * product * eval_legendre(ell, mu)
            row += np.bincount(bins, weighted.ravel(), len(row))
    higher = total[:, 1 : n // 2 + 1] / monopole.n_modes * box_size**3 / float(n) ** 6
    higher *= 2.0 * np.array(ELLS[1:])[:, None] + 1.0
    return MultipoleSpectrum(
        k=monopole.k,
        mean_k=monopole.mean_k,
        power=np.concatenate([monopole.power[None], higher]),
        n_modes=monopole.n_modes,
    )
