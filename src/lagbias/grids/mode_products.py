"""Sums of products of filtered modes: normal equations of fits in Fourier space.

The objective of a fit is Σ_k W(k) |r_k|² / N³ over the modes of a residual r on an N³ grid, which
for W = 1 is Σ_j r_j² over its nodes. Modes are multiplied by √W once, and only those that the
filter passes are kept.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from lagbias.grids.fourier import RealFFT, multiplicity, wavenumbers

__all__ = ["filtered_modes", "gram_matrix", "sharp_filter", "smooth_filter"]

#: Modes with a smaller W are dropped: float32 fields do not resolve their contribution.
_NEGLIGIBLE = 1e-12
#: Modes per block of the matrix product: 200 fields take 50 MB.
_BLOCK = 1 << 14


def smooth_filter(n: int, box_size: float, cut: float) -> np.ndarray:
    """Return W = exp(-(k / k_c)⁴), that of the networks' Fourier-space loss.

    Parameters
    ----------
    n : int
        Nodes per side.
    box_size : float
        Side L of the periodic box [Mpc/h].
    cut : float
        k_c [h/Mpc].

    Returns
    -------
    ndarray, float64, shape (n, n, n//2 + 1)
        W of each mode, dimensionless.
    """
    return np.exp(-((np.sqrt(_k_squared(n, box_size)) / cut) ** 4))


def sharp_filter(n: int, box_size: float, k_max: float) -> np.ndarray:
    """Return 1 where k < `k_max` [h/Mpc] and 0 elsewhere; otherwise as `smooth_filter`."""
    return np.where(_k_squared(n, box_size) < k_max**2, 1.0, 0.0)


def filtered_modes(
    fields: Iterable[np.ndarray], weight: np.ndarray, *, threads: int = 1
) -> list[np.ndarray]:
    """Transform fields, and return what the filter passes.

    Parameters
    ----------
    fields : iterable of ndarray, each float32, shape (n, n, n)
        Overdensities, dimensionless. They are consumed one by one.
    weight : ndarray, float64, shape (n, n, n//2 + 1)
        W of each mode, dimensionless.
    threads : int, keyword-only
        Threads of the transforms.

    Returns
    -------
    list of ndarray, each complex64, shape (m,)
        √(W / N³) times the modes. Those with 0 < k_z < Nyquist, which also stand for their complex
        conjugates, are multiplied by √2.
    """
    n = len(weight)
    passed = weight > _NEGLIGIBLE
    factor = np.sqrt(weight * multiplicity(n) / n**3)[passed].astype(np.float32)
    fft = RealFFT(n, threads=threads)
    modes = fft.empty_modes()
    return [fft.forward(field, out=modes)[passed] * factor for field in fields]


def gram_matrix(modes: Sequence[np.ndarray]) -> np.ndarray:
    """Return Σ Re(a b*) of all pairs, accumulated in float64.

    Parameters
    ----------
    modes : sequence of ndarray, each complex64, shape (m,)
        From `filtered_modes`.

    Returns
    -------
    ndarray, float64, shape (len(modes), len(modes))
        Sums, dimensionless. Those of several boxes may be added.
    """
    total = np.zeros((len(modes), len(modes)))
    for first in range(0, len(modes[0]), _BLOCK):
        part = np.array([each[first : first + _BLOCK] for each in modes], dtype=np.complex128)
        rows = part.view(np.float64)  # real and imaginary parts
        total += rows @ rows.T
    return total


def _k_squared(n: int, box_size: float) -> np.ndarray:
    kx, ky, kz = wavenumbers(n, box_size)
    return kx**2 + ky**2 + kz**2
