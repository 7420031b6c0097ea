"""Matter and linear density of a box on large scales."""

from typing import NamedTuple

import numpy as np

__all__ = ["LargeScales", "large_scales"]


class LargeScales(NamedTuple):
    """Matter and linear density on large scales; all modes have equal weight."""

    correlation: float  # cross power over the root of the product of the auto powers
    amplitude: float  # cross power over that of the linear density: 1 if it is at the same redshift


def large_scales(
    position: np.ndarray,
    delta: np.ndarray,
    *,
    box_size: float,
    k_max: float = 0.1,
    sampled: bool = False,
) -> LargeScales:
    """Compare matter with the linear density at k < `k_max`.

    Parameters
    ----------
    position : ndarray, shape (P, 3)
        Final positions [Mpc/h] in [0, L).
    delta : ndarray, shape (n, n, n)
        Linear density contrast.
    box_size : float, keyword-only
        L [Mpc/h].
    k_max : float, keyword-only
        Maximum wavenumber [h/Mpc].
    sampled : bool, keyword-only
        Whether particles were chosen at random, so that their shot noise is to be subtracted.

    Raises
    ------
    ValueError
        If the box has no mode below `k_max`.
    """
    largest = int(np.floor(k_max * box_size / (2.0 * np.pi)))
    if largest < 1:
        raise ValueError(
            f"A box of {box_size} Mpc/h has no mode below k_max = {k_max} h/Mpc; raise k_max."
        )
    # four cells per half wave: window and aliasing are negligible
    n_cells = min(len(delta), 8 * largest)
    cell = np.zeros(len(position), dtype=np.int64)
    for axis in range(3):
        nearest = np.floor(position[:, axis] * (n_cells / box_size) + 0.5).astype(np.int64)
        cell = cell * n_cells + nearest % n_cells
    matter = np.bincount(cell, minlength=n_cells**3).reshape((n_cells,) * 3)
    a = _low_modes(matter * (n_cells**3 / len(position)), largest)
    b = _low_modes(delta, largest)
    index = np.arange(-largest, largest + 1)
    squared = index[:, None, None] ** 2 + index[:, None] ** 2 + index[largest:] ** 2
    chosen = (squared > 0) & (squared <= (k_max * box_size / (2.0 * np.pi)) ** 2)
    a, b = a[chosen], b[chosen]
    cross = float(np.sum(a * b.conj()).real)
    matter_power, linear_power = (float(np.sum(np.abs(modes) ** 2)) for modes in (a, b))
    if sampled:
        matter_power = max(matter_power - len(a) / len(position), 0.01 * matter_power)
    return LargeScales(float(cross / np.sqrt(matter_power * linear_power)), cross / linear_power)


def _low_modes(field: np.ndarray, largest: int) -> np.ndarray:
    """Return the mean over the nodes of field exp(-ikx), for low modes.

    Modes have the indices -largest ... largest, in this order, on the first two axes, and
    0 ... largest on the last.
    """
    import scipy.fft  # 0.3 s, which jobs that only read a box need not wait for

    rows = np.arange(-largest, largest + 1) % field.shape[0]
    modes = scipy.fft.rfftn(field)
    return modes[np.ix_(rows, rows, np.arange(largest + 1))].astype(np.complex128) / field.size
