"""The linear field of a synthetic box: density, smoothed density, Zel'dovich displacements.

All from one set of modes of AbacusSummit's linear power spectrum, as AbacusSummit defines its
initial conditions: nodes at the box's corner, Nyquist planes and mean zero.
"""

from __future__ import annotations

import numpy as np

from lagbias.cosmology import abacus_linear_power
from lagbias.grids.fourier import RealFFT, gaussian_window, wavenumbers
from lagbias.simulate.gaussian_field import linear_density_modes, white_noise
from lagbias.simulate.lpt import displacement

__all__ = ["density", "displacements", "linear_modes", "smoothed_density"]


def linear_modes(box_size: float, fft: RealFFT, rng: np.random.Generator) -> np.ndarray:
    """Draw the modes of a linear density at redshift 0.

    Parameters
    ----------
    box_size : float
        L [Mpc/h].
    fft : RealFFT
        Transforms of an n^3 grid.
    rng : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    ndarray, shape (n, n, n//2+1), complex64
        Modes, unnormalised as ``RealFFT.forward`` gives them.
    """
    power = abacus_linear_power()
    noise = white_noise(fft.n, rng)
    modes = linear_density_modes(noise, box_size=box_size, linear_power=power, fft=fft)
    if fft.n % 2 == 0:
        middle = fft.n // 2
        modes[middle], modes[:, middle], modes[:, :, middle] = 0.0, 0.0, 0.0
    return modes


def density(modes: np.ndarray, growth: float, fft: RealFFT) -> np.ndarray:
    """Return the linear density contrast.

    Parameters
    ----------
    modes : ndarray, shape (n, n, n//2+1), complex64
        At redshift 0, not modified.
    growth : float
        D(z) / D(0), dimensionless.
    fft : RealFFT
        Transforms of an n^3 grid.

    Returns
    -------
    ndarray, shape (n, n, n), float32
        Dimensionless.
    """
    return fft.inverse(modes * np.float32(growth))


def smoothed_density(
    modes: np.ndarray, growth: float, radius: float, *, box_size: float, fft: RealFFT
) -> np.ndarray:
    """Return the linear density contrast smoothed with a Gaussian.

    Parameters
    ----------
    modes, growth, fft
        As in :func:`density`.
    radius : float
        R of exp(-k^2 R^2 / 2) [Mpc/h].
    box_size : float, keyword-only
        L [Mpc/h].

    Returns
    -------
    ndarray, shape (n, n, n), float32
        Dimensionless.
    """
    filtered = modes * np.float32(growth)
    for k in wavenumbers(fft.n, box_size):  # the window factorises
        filtered *= gaussian_window(k**2, radius).astype(np.float32)
    return fft.inverse(filtered)


def displacements(modes: np.ndarray, growth: float, *, box_size: float, fft: RealFFT) -> np.ndarray:
    """Return Zel'dovich displacements, the components of a node beside each other.

    Parameters
    ----------
    modes, growth, box_size, fft
        As in :func:`smoothed_density`.

    Returns
    -------
    ndarray, shape (n, n, n, 3), float32
        Displacements [Mpc/h].
    """
    psi = np.empty((*fft.field_shape, 3), np.float32)
    for axis in range(3):
        component = displacement(modes, axis, box_size=box_size, fft=fft)
        np.multiply(component, np.float32(growth), out=psi[..., axis])
    return psi
