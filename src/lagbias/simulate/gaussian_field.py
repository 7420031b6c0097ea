"""Gaussian random fields with a given linear power spectrum."""

from __future__ import annotations

import logging

import numpy as np

from lagbias.cosmology import LinearPower
from lagbias.grids.fourier import RealFFT, wavenumbers

__all__ = ["linear_density_modes", "white_noise"]

logger = logging.getLogger(__name__)


def white_noise(n_grid: int, rng: np.random.Generator) -> np.ndarray:
    """Draw float32 white noise of unit variance on n^3 nodes, in C order.

    The numbers do not depend on box size or cosmology: the same seed gives the same structures in
    any box.
    """
    return rng.standard_normal((n_grid, n_grid, n_grid), dtype=np.float32)


def linear_density_modes(
    noise: np.ndarray, *, box_size: float, linear_power: LinearPower, fft: RealFFT
) -> np.ndarray:
    """Colour white noise with a linear power spectrum.

    Parameters
    ----------
    noise : ndarray, shape (n, n, n), float32
        White noise of unit variance, see :func:`white_noise`.
    box_size : float
        L [Mpc/h].
    linear_power : LinearPower
        P(k) at redshift 0 [(Mpc/h)^3].
    fft : RealFFT
        Transforms of an n^3 grid.

    Returns
    -------
    ndarray, shape (n, n, n//2+1), complex64
        Modes of the linear density contrast at redshift 0, unnormalised as ``RealFFT.forward``
        gives them: ``noise_k sqrt(P(k) N^3 / L^3)``, since unit white noise has
        ``<|noise_k|^2> = N^3`` and ``P = <|delta_k|^2> L^3 / N^6``. All modes of the cube up to
        Nyquist are filled; the mean is exactly 0.
    """
    n_grid = noise.shape[0]
    modes = fft.forward(noise)
    kx, ky, kz = wavenumbers(n_grid, box_size)
    norm = (n_grid / box_size) ** 3
    transverse = ky[0] ** 2 + kz[0] ** 2
    for i, k_x in enumerate(kx.ravel()):  # plane by plane saves memory
        k = np.sqrt(k_x**2 + transverse)
        if i == 0:
            k[0, 0] = k[0, 1]  # the mean has no P(k); it is set to zero below
        modes[i] *= np.sqrt(linear_power(k) * norm).astype(np.float32)
    modes[0, 0, 0] = 0.0
    logger.info("Gaussian initial conditions on %d^3 nodes, L = %g Mpc/h", n_grid, box_size)
    return modes
