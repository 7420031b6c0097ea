"""Coordinates in a periodic box."""

import numpy as np

__all__ = ["wrap"]


def wrap(coordinates: np.ndarray, box_size: float) -> np.ndarray:
    """Wrap coordinates into the box and round them to float32, which must not reach L.

    Parameters
    ----------
    coordinates : ndarray, float64, any shape
        Coordinates, in the units of `box_size`.
    box_size : float
        Side L of the periodic box.

    Returns
    -------
    ndarray, float32
        Coordinates in [0, L); those that would be rounded up to L are 0.
    """
    wrapped = np.mod(coordinates, box_size).astype(np.float32)
    wrapped[wrapped >= box_size] = 0.0
    return wrapped
