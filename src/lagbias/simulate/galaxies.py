"""Galaxies in halos: a halo occupation distribution of centrals and satellites.

Mean numbers follow Zheng, Coil & Zehavi (2007, ApJ 667, 760). A central galaxy is at the centre of
its halo and moves with it. Satellites follow the density profile of Navarro, Frenk & White (1997)
inside of the radius R200c with the mean density 200 ρ_crit, which the mass of the halo is taken
for, with the concentrations of Dutton & Macciò (2014, MNRAS 441, 3359, eqs. 7, 10 and 11).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import erf, lambertw, ndtri
from scipy.stats import poisson

from lagbias.cosmology import CRITICAL_DENSITY
from lagbias.grids.periodic import wrap

__all__ = ["Galaxies", "Occupation", "concentration", "populate", "virial_radius"]

#: Mean density of a halo inside of its virial radius [critical density].
_OVERDENSITY = 200.0
#: Halos within a cell of this size [Mpc/h] have equal random numbers.
_KEY_CELL = 0.05
#: Increment of SplitMix64, an array for arithmetic modulo 2⁶⁴.
_GOLDEN = np.array([0x9E3779B97F4A7C15], np.uint64)
#: Newton's constant [(km/s)² Mpc / Msun]; factors of h cancel.
_GRAVITY = 4.30091e-9


@dataclass(frozen=True, kw_only=True)
class Occupation:
    """Mean numbers of galaxies in a halo of mass M.

    Parameters
    ----------
    log_min_mass, sigma : float
        log₁₀ M_min [Msun/h] and the width of the step of centrals [decades].
    log_cut_mass, log_mass_1, alpha : float
        log₁₀ M_0 and log₁₀ M_1 [Msun/h], and the power of satellites.
    """

    log_min_mass: float
    sigma: float
    log_cut_mass: float
    log_mass_1: float
    alpha: float

    def centrals(self, mass: np.ndarray) -> np.ndarray:
        """Return ½ [1 + erf((log M − log M_min) / σ)] of masses (H,) [Msun/h]."""
        return 0.5 * (1.0 + erf((np.log10(mass) - self.log_min_mass) / self.sigma))

    def satellites(self, mass: np.ndarray) -> np.ndarray:
        """Return the mean of centrals times ((M − M_0) / M_1)^α, 0 below M_0, of masses (H,)."""
        above = np.maximum(mass - 10.0**self.log_cut_mass, 0.0) / 10.0**self.log_mass_1
        return self.centrals(mass) * above**self.alpha


class Galaxies(NamedTuple):
    """Centrals in the order of their halos, then satellites."""

    position: np.ndarray  # float32, shape (G, 3) [Mpc/h] in [0, L)
    velocity: np.ndarray  # float32, shape (G, 3), peculiar [km/s]
    halo: np.ndarray  # int64, shape (G,): row of its halo
    n_centrals: int


def concentration(mass: np.ndarray, redshift: float) -> np.ndarray:
    """Return R200c over the scale radius of halos of M200c (H,) [Msun/h], dimensionless."""
    slope = -0.101 + 0.026 * redshift
    zero_point = 0.520 + (0.905 - 0.520) * np.exp(-0.617 * redshift**1.21)
    return 10.0**zero_point * (np.asarray(mass, np.float64) / 1e12) ** slope


def virial_radius(mass: np.ndarray, *, omega_m: float, redshift: float) -> np.ndarray:
    """Return the comoving R200c [Mpc/h] of halos of M200c (H,) [Msun/h] in flat ΛCDM."""
    # E²(z) / (1 + z)³
    critical = CRITICAL_DENSITY * (omega_m + (1.0 - omega_m) / (1.0 + redshift) ** 3)
    return np.cbrt(3.0 * np.asarray(mass, np.float64) / (4.0 * np.pi * _OVERDENSITY * critical))


def populate(
    occupation: Occupation,
    position: np.ndarray,
    velocity: np.ndarray,
    mass: np.ndarray,
    *,
    box_size: float,
    omega_m: float,
    redshift: float,
    seed: int,
) -> Galaxies:
    """Draw the galaxies of halos.

    Parameters
    ----------
    occupation : Occupation
    position, velocity : ndarray, float32, shape (H, 3)
        Centres [Mpc/h] in [0, L), and peculiar velocities [km/s].
    mass : ndarray, float32, shape (H,)
        Masses [Msun/h], taken for M200c.
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    omega_m, redshift : float, keyword-only
        Of the flat ΛCDM model, and of the halos.
    seed : int, keyword-only
        Of the random numbers, which belong to the places of halos: a halo that is missing from a
        catalogue, or moved by rounding, leaves the galaxies of the others as they are.

    Returns
    -------
    Galaxies
        A halo has at most one central, and a Poisson number of satellites, with or without it. To
        the velocity of their halo satellites add a Gaussian one of dispersion √(G M / 2 R200c) on
        each axis, with R200c in physical units: that of a singular isothermal sphere.
    """
    mass = mass.astype(np.float64)
    keys = _keys(position, seed)
    centrals = np.flatnonzero(_uniform(keys, 0) < occupation.centrals(mass))
    count = poisson.ppf(_uniform(keys, 1), occupation.satellites(mass)).astype(np.int64)
    halo = np.repeat(np.arange(len(mass)), count)
    of_halo = np.arange(len(halo)) - (np.cumsum(count) - count)[halo]
    of_satellites = _mix(keys[halo] + _GOLDEN * (of_halo + 3).astype(np.uint64))
    radius = virial_radius(mass[halo], omega_m=omega_m, redshift=redshift)
    enclosed = _uniform(of_satellites, 0)
    distance = radius * _nfw_radius(enclosed, concentration(mass[halo], redshift))
    direction, motion = (
        np.stack([ndtri(_uniform(of_satellites, number)) for number in numbers], axis=1)
        for numbers in ((1, 2, 3), (4, 5, 6))
    )
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    satellites = wrap(position[halo] + distance[:, None] * direction, box_size)
    dispersion = np.sqrt(_GRAVITY * mass[halo] * (1.0 + redshift) / (2.0 * radius))
    peculiar = velocity[halo] + dispersion[:, None] * motion
    return Galaxies(
        position=np.concatenate([position[centrals], satellites]),
        velocity=np.concatenate([velocity[centrals], peculiar.astype(np.float32)]),
        halo=np.concatenate([centrals, halo]),
        n_centrals=len(centrals),
    )


def _keys(position: np.ndarray, seed: int) -> np.ndarray:
    """Return a uint64 (H,) for each of the positions (H, 3) [Mpc/h], a hash of its cell."""
    keys = np.full(len(position), seed, np.uint64)
    for cell in np.floor(position.astype(np.float64) / _KEY_CELL).astype(np.uint64).T:
        keys = _mix(keys + _GOLDEN * (cell + np.uint64(1)))
    return keys


def _uniform(keys: np.ndarray, number: int) -> np.ndarray:
    """Return random number `number` of each key, float64 in (0, 1)."""
    bits = _mix(keys + _GOLDEN * np.uint64(number + 1))
    return ((bits >> np.uint64(11)) + 0.5) * 2.0**-53


def _mix(state: np.ndarray) -> np.ndarray:
    """Return the output of SplitMix64 (Steele et al. 2014, OOPSLA 453) for uint64 states."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _nfw_radius(enclosed: np.ndarray, concentration: np.ndarray) -> np.ndarray:
    """Return the radius [R200c] that encloses a fraction of a halo's mass.

    m(x) = ln(1 + x) − x / (1 + x) at x = r / r_s is inverted with Lambert's function W:
    1 / (1 + x) = −W(−exp(−1 − m)).
    """
    mass = enclosed * (np.log1p(concentration) - concentration / (1.0 + concentration))
    return (-1.0 / lambertw(-np.exp(-1.0 - mass)).real - 1.0) / concentration
