"""Halos of a synthetic box: peaks of the linear density, with masses of a known mass function.

From the largest to the smallest, every halo takes the highest free peak of the density smoothed
on about its own scale and keeps others out of its Lagrangian sphere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np
from scipy.integrate import cumulative_trapezoid

from lagbias.cosmology import CRITICAL_DENSITY, LinearPower
from lagbias.runtime.progress import bar

__all__ = ["Peaks", "halo_masses", "mean_counts", "place_halos"]

log = logging.getLogger(__name__)

_COLLAPSE = 1.686
_SMOOTHING_RADII = (4.0, 2.0, 1.0, 0.5)  # Mpc/h
_LARGEST_MASS = 1e16  # Msun/h
_TABLE_SIZE = 120


class Peaks(NamedTuple):
    """Halos on the nodes of a grid.

    Attributes
    ----------
    node : ndarray, shape (H,), int64
        Flat index of the node, in C order, increasing.
    mass : ndarray, shape (H,), float64
        Mass [Msun/h].
    """

    node: np.ndarray
    mass: np.ndarray


def mean_counts(
    power: LinearPower, growth: float, omega_m: float, smallest: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mass function of Sheth & Tormen (1999, MNRAS 308, 119), integrated.

    Parameters
    ----------
    power : LinearPower
        At redshift 0.
    growth : float
        D(z) / D(0), dimensionless.
    omega_m : float
        Matter density today, dimensionless.
    smallest : float
        Mass at which the table begins [Msun/h].

    Returns
    -------
    mass : ndarray, shape (m,), float64
        Masses [Msun/h], increasing.
    number : ndarray, shape (m,), float64
        Halos above each mass [(Mpc/h)^-3].
    """
    mean_density = omega_m * CRITICAL_DENSITY
    log_mass = np.linspace(np.log(smallest), np.log(_LARGEST_MASS), _TABLE_SIZE)
    radii = np.cbrt(3.0 * np.exp(log_mass) / (4.0 * np.pi * mean_density))
    sigma = growth * np.sqrt([power.variance(radius, window="top_hat") for radius in radii])
    nu2 = 0.707 * (_COLLAPSE / sigma) ** 2
    multiplicity = 0.3222 * np.sqrt(2.0 * nu2 / np.pi) * (1.0 + nu2**-0.3) * np.exp(-0.5 * nu2)
    slope = -np.gradient(np.log(sigma), log_mass)
    per_log_mass = mean_density / np.exp(log_mass) * multiplicity * slope
    below = cumulative_trapezoid(per_log_mass, log_mass, initial=0.0)
    return np.exp(log_mass), below[-1] - below


def halo_masses(mass: np.ndarray, number: np.ndarray, volume: float) -> np.ndarray:
    """Return one mass for each halo that a volume has on average.

    Parameters
    ----------
    mass, number : ndarray, shape (m,)
        As from :func:`mean_counts`.
    volume : float
        Volume [(Mpc/h)^3].

    Returns
    -------
    ndarray, shape (H,), float64
        Masses [Msun/h], decreasing: that above which there are 0.5, 1.5, ... halos.
    """
    counts = number[::-1] * volume
    rank = np.arange(0.5, counts[-1])
    # the last entries of the table, where nothing is left, have no logarithm
    kept = counts > 0.0
    return np.exp(np.interp(np.log(rank), np.log(counts[kept]), np.log(mass[::-1][kept])))


def place_halos(
    masses: np.ndarray,
    smoothed: Callable[[float], np.ndarray],
    *,
    box_size: float,
    omega_m: float,
) -> Peaks:
    """Put halos on peaks of the linear density.

    Parameters
    ----------
    masses : ndarray, shape (H,), float64
        Masses [Msun/h], decreasing.
    smoothed : callable
        From a Gaussian's radius [Mpc/h] to the smoothed density (n, n, n).
    box_size : float, keyword-only
        L [Mpc/h].
    omega_m : float, keyword-only
        Matter density today, dimensionless.

    Returns
    -------
    Peaks
        As many as there are peaks; the smallest halos may be left out, with a line in the log.
    """
    mean_density = omega_m * CRITICAL_DENSITY
    limits = [mean_density * (2.0 * np.pi) ** 1.5 * radius**3 for radius in _SMOOTHING_RADII]
    limits[-1] = 0.0
    taken, nodes, found, start = None, [], [], 0
    for radius, limit in zip(bar(_SMOOTHING_RADII, desc="halos"), limits, strict=True):
        stop = int(np.searchsorted(-masses, -limit))
        field = smoothed(radius)
        taken = np.zeros(field.shape, np.bool_) if taken is None else taken
        peak = _maxima(field)
        peak = peak[np.argsort(-field.ravel()[peak], kind="stable")]
        spheres = np.cbrt(3.0 * masses[start:stop] / (4.0 * np.pi * mean_density))
        chosen = _take(peak, spheres * (len(field) / box_size), taken)
        nodes.append(chosen)
        found.append(masses[start : start + len(chosen)])
        log.info("%d of %d halos on peaks at %g Mpc/h", len(chosen), stop - start, radius)
        start = stop
    node, mass = np.concatenate(nodes), np.concatenate(found)
    order = np.argsort(node, kind="stable")
    return Peaks(node[order], mass[order])


@numba.njit
def _is_maximum(field, i, j, k):
    n = field.shape[0]
    value = field[i, j, k]
    return (
        value > field[i, j, k - 1]  # index -1 is the other side of the box
        and value > field[i, j, (k + 1) % n]
        and value > field[i, j - 1, k]
        and value > field[i, (j + 1) % n, k]
        and value > field[i - 1, j, k]
        and value > field[(i + 1) % n, j, k]
    )


@numba.njit(parallel=True)
def _maxima(field):
    """Return flat indices of nodes above their six neighbours and above zero, increasing."""
    n = field.shape[0]
    first = np.zeros(n + 1, np.int64)
    for i in numba.prange(n):
        count = 0
        for j in range(n):
            for k in range(n):
                count += field[i, j, k] > 0.0 and _is_maximum(field, i, j, k)
        first[i + 1] = count
    first = np.cumsum(first)
    found = np.empty(first[-1], np.int64)
    for i in numba.prange(n):
        place = first[i]
        for j in range(n):
            for k in range(n):
                if field[i, j, k] > 0.0 and _is_maximum(field, i, j, k):
                    found[place] = (i * n + j) * n + k
                    place += 1
    return found


@numba.njit
def _take(peaks, radii, taken):
    """Give each radius (in nodes) the first peak that is not taken, and take the sphere."""
    n = taken.shape[0]
    chosen = np.empty(len(radii), np.int64)
    count = 0
    for peak in peaks:
        if count == len(radii):
            break
        i, j, k = peak // n // n, peak // n % n, peak % n
        if taken[i, j, k]:
            continue
        chosen[count] = peak
        radius = radii[count]
        reach = int(radius)
        for a in range(-reach, reach + 1):
            for b in range(-reach, reach + 1):
                for c in range(-reach, reach + 1):
                    if a * a + b * b + c * c <= radius * radius:
                        taken[(i + a) % n, (j + b) % n, (k + c) % n] = True
        count += 1
    return chosen[:count]
