"""Background expansion, linear growth and the linear power spectrum.

AbacusSummit's cosmology c000 is a flat LambdaCDM model whose massive neutrinos contribute to the
expansion but do not cluster ("smooth" matter). First- and second-order growth are integrated for
this model; the linear power spectrum is AbacusSummit's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline

__all__ = [
    "CRITICAL_DENSITY",
    "Background",
    "LinearPower",
    "abacus_linear_power",
]

CRITICAL_DENSITY = 2.77536627e11
"""Critical density today, (Msun/h) (Mpc/h)^-3."""

_INITIAL_SCALE_FACTOR = 1e-4
_FINAL_SCALE_FACTOR = 1.2
_TABLE_SIZE = 512
# Any c000 simulation known to abacusutils: only the cosmology is read from it.
_ABACUS_SIMULATION = "AbacusSummit_small_c000_ph3000"
_ABACUS_POWER_REDSHIFT = 1.0


class _GrowthSplines(NamedTuple):
    """Splines over ln a; growth normalised to 1 today."""

    growth: CubicSpline  # ln D
    growth_rate: CubicSpline  # dlnD/dlna
    second_order: CubicSpline  # ln(-E)
    second_order_slope: CubicSpline  # dE/dD / D
    log_scale_factor: CubicSpline  # ln a as a function of ln D


@dataclass(frozen=True)
class Background:
    """Flat matter + Lambda background with part of the matter smooth.

    Parameters
    ----------
    omega_m : float
        Total matter density today in units of the critical density, dimensionless.
    omega_smooth : float
        The part of `omega_m` that does not cluster (massive neutrinos), dimensionless.
    h : float
        Hubble constant today in units of 100 km/s/Mpc.

    Notes
    -----
    Radiation is neglected, as in AbacusSummit's simulations. Growth functions are those of the
    clustering matter. The displacement to second order is ``D psi_1 + E psi_2`` with
    ``psi_1 = -grad phi``, ``laplacian phi = delta``, and E close to -3/7 D^2.
    """

    omega_m: float
    omega_smooth: float
    h: float
    _splines: _GrowthSplines = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Tabulate the growth functions."""
        object.__setattr__(self, "_splines", _integrate_growth(self.omega_m, self.omega_smooth))

    @classmethod
    def abacus_c000(cls) -> Background:
        """Return the base cosmology of AbacusSummit (Planck 2018, 60 meV neutrinos)."""
        return cls(omega_m=0.315192, omega_smooth=0.00142, h=0.6736)

    @classmethod
    def flat(cls, omega_m: float) -> Background:
        """Return a flat ΛCDM model for its growth, on which h has no influence."""
        return cls(omega_m=omega_m, omega_smooth=0.0, h=0.7)

    @property
    def omega_clustering(self) -> float:
        """Density of the clustering matter, which the particles represent."""
        return self.omega_m - self.omega_smooth

    def hubble(self, scale_factor: ArrayLike) -> np.ndarray:
        """Return H(a) in km/s/(Mpc/h): 100 today."""
        a = np.asarray(scale_factor, dtype=np.float64)
        return 100.0 * np.sqrt(self.omega_m / a**3 + 1.0 - self.omega_m)

    def growth(self, scale_factor: ArrayLike) -> np.ndarray:
        """Return the linear growth factor D(a), dimensionless, D(1) = 1."""
        return np.exp(self._splines.growth(_log(scale_factor)))

    def growth_rate(self, scale_factor: ArrayLike) -> np.ndarray:
        """Return f(a) = dlnD/dlna, dimensionless."""
        return self._splines.growth_rate(_log(scale_factor))

    def second_order_growth(self, scale_factor: ArrayLike) -> np.ndarray:
        """Return the second-order growth factor E(a), dimensionless, negative."""
        return -np.exp(self._splines.second_order(_log(scale_factor)))

    def second_order_slope(self, scale_factor: ArrayLike) -> np.ndarray:
        """Return dE/dD, dimensionless, close to -6/7 D."""
        return self._splines.second_order_slope(_log(scale_factor)) * self.growth(scale_factor)

    def scale_factor(self, growth: ArrayLike) -> np.ndarray:
        """Return a(D), the inverse of :meth:`growth`."""
        return np.exp(self._splines.log_scale_factor(_log(growth)))

    def particle_mass(self, volume_per_particle: float) -> float:
        """Return the mass [Msun/h] of clustering matter in a volume [(Mpc/h)^3]."""
        return CRITICAL_DENSITY * self.omega_clustering * volume_per_particle

    def velocity_factor(self, scale_factor: float) -> float:
        """Return a H f D, the factor from dx/dD [Mpc/h] to peculiar velocity [km/s]."""
        rate = self.growth_rate(scale_factor) * self.growth(scale_factor)
        return float(scale_factor * self.hubble(scale_factor) * rate)


def _log(value: ArrayLike) -> np.ndarray:
    return np.log(np.asarray(value, dtype=np.float64))


def _integrate_growth(omega_m: float, omega_smooth: float) -> _GrowthSplines:
    """Integrate D and E over ln a from power laws in matter domination."""
    clustering = 1.0 - omega_smooth / omega_m
    # in matter domination D = a^p; p < 1 because the smooth part does not cluster
    power = (np.sqrt(1.0 + 24.0 * clustering) - 1.0) / 4.0
    ratio = -1.5 * clustering / (4.0 * power**2 + power - 1.5 * clustering)  # E / D^2

    def derivatives(log_a: float, state: np.ndarray) -> list[float]:
        matter = omega_m * np.exp(-3.0 * log_a)
        matter_fraction = matter / (matter + 1.0 - omega_m)
        growth, growth_prime, second, second_prime = state
        source = 1.5 * matter_fraction * clustering
        friction = 2.0 - 1.5 * matter_fraction
        return [
            growth_prime,
            source * growth - friction * growth_prime,
            second_prime,
            source * (second - growth**2) - friction * second_prime,
        ]

    log_a = np.linspace(np.log(_INITIAL_SCALE_FACTOR), np.log(_FINAL_SCALE_FACTOR), _TABLE_SIZE)
    start = _INITIAL_SCALE_FACTOR**power
    state = [start, power * start, ratio * start**2, 2.0 * power * ratio * start**2]
    solution = solve_ivp(
        derivatives,
        (log_a[0], log_a[-1]),
        state,
        t_eval=log_a,
        method="DOP853",
        rtol=1e-11,
        atol=1e-20,
    ).y
    log_growth = CubicSpline(log_a, np.log(solution[0]))
    today = np.exp(log_growth(0.0))
    growth, growth_prime = solution[0] / today, solution[1] / today
    second, second_prime = solution[2] / today**2, solution[3] / today**2
    return _GrowthSplines(
        growth=CubicSpline(log_a, np.log(growth)),
        growth_rate=CubicSpline(log_a, growth_prime / growth),
        second_order=CubicSpline(log_a, np.log(-second)),
        second_order_slope=CubicSpline(log_a, second_prime / growth_prime / growth),
        log_scale_factor=CubicSpline(np.log(growth), log_a),
    )


@dataclass(frozen=True)
class LinearPower:
    """Tabulated linear power spectrum at redshift 0, interpolated in log-log.

    Parameters
    ----------
    k : ndarray, shape (m,), float64
        Wavenumbers [h/Mpc], strictly increasing, positive.
    power : ndarray, shape (m,), float64
        P(k) [(Mpc/h)^3], positive.
    """

    k: np.ndarray
    power: np.ndarray

    def __call__(self, k: ArrayLike) -> np.ndarray:
        """Return P(k) [(Mpc/h)^3] at wavenumbers `k` [h/Mpc].

        Raises
        ------
        ValueError
            If a wavenumber is outside the table.
        """
        k = np.asarray(k, dtype=np.float64)
        if k.size and (k.min() < self.k[0] or k.max() > self.k[-1]):
            raise ValueError(
                f"P(k) is needed at k = {k.min():.3g} to {k.max():.3g} h/Mpc, but the linear power "
                f"spectrum covers {self.k[0]:.3g} to {self.k[-1]:.3g} h/Mpc only."
            )
        return np.exp(np.interp(np.log(k), np.log(self.k), np.log(self.power)))

    def variance(self, radius: float, *, window: str = "gaussian") -> float:
        """Return the variance of the linear density smoothed with a window, dimensionless.

        Parameters
        ----------
        radius : float
            R [Mpc/h].
        window : {"gaussian", "top_hat"}
            ``exp(-k^2 R^2 / 2)``, or the Fourier transform of a uniform sphere of radius R.

        Raises
        ------
        ValueError
            If the window is unknown.
        """
        # fine, because the top hat's oscillations at kR of a few tens matter at the 1e-4 level
        log_k = np.linspace(np.log(self.k[0]), np.log(self.k[-1]), 20_001)
        k = np.exp(log_k)
        x = k * radius
        if window == "gaussian":
            filtered = np.exp(-0.5 * x**2)
        elif window == "top_hat":
            # the closed form cancels at small x, where the series is 1 - x^2/10
            safe = np.maximum(x, 1e-2)
            closed = 3.0 * (np.sin(safe) - safe * np.cos(safe)) / safe**3
            filtered = np.where(x < 1e-2, 1.0 - x**2 / 10.0, closed)
        else:
            raise ValueError(f"window = {window!r} is unknown; use 'gaussian' or 'top_hat'.")
        log_power = np.interp(log_k, np.log(self.k), np.log(self.power))
        per_log_k = k**3 * np.exp(log_power) * filtered**2 / (2.0 * np.pi**2)
        return float(np.trapezoid(per_log_k, log_k))


def abacus_linear_power() -> LinearPower:
    """Return AbacusSummit's c000 linear spectrum of cold matter and baryons at redshift 0.

    The CLASS spectrum at z = 1 of AbacusSummit's initial conditions, from the metadata packaged in
    abacusutils, scaled to z = 0 with AbacusSummit's growth table. Its sigma_8 is 0.8114; the 0.808
    often quoted is that of all matter.
    """
    # imported here because it takes seconds
    from abacusnbody.metadata import get_meta

    metadata = get_meta(_ABACUS_SIMULATION, redshift=0.5)
    spectrum = metadata["CLASS_power_spectrum"]
    growth = metadata["GrowthTable"]
    scaling = (growth[0.0] / growth[_ABACUS_POWER_REDSHIFT]) ** 2
    return LinearPower(
        k=np.array(spectrum["k (h/Mpc)"], dtype=np.float64),
        power=np.array(spectrum["P (Mpc/h)^3"], dtype=np.float64) * scaling,
    )
