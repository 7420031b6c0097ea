"""The squared density field, of which a halo field has a part that weights of particles miss."""

import numpy as np

from lagbias.grids.fourier import RealFFT
from lagbias.grids.one_point import smooth

__all__ = ["SQUARE_RADIUS", "second_order_field"]

#: Smoothing radius R of the squared field [Mpc/h]: of 2 to 10, those of 4 and 5 leave the least
#: error power on the boxes that `config/beyond.yaml` fits to (docs/beyond.md).
SQUARE_RADIUS = 4.0


def second_order_field(modes: np.ndarray, *, box_size: float, fft: RealFFT) -> np.ndarray:
    """Return δ₂ = δ_R² − ⟨δ_R²⟩ of δ_R, smoothed with a Gaussian of radius R = `SQUARE_RADIUS`.

    Parameters
    ----------
    modes : ndarray, complex64, shape (n, n, n//2 + 1)
        Unnormalised real transform of δ, not modified.
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    fft : RealFFT, keyword-only
        Transforms of n³ grids.

    Returns
    -------
    ndarray, float32, shape (n, n, n)
        Dimensionless.
    """
    squared = smooth(modes, box_size, SQUARE_RADIUS, fft) ** 2
    return squared - squared.mean(dtype=np.float64).astype(np.float32)
