"""Features of the bias function: δ, ∇²δ and the tidal field G2.

All three are derived from the linear density smoothed with a Gaussian of radius R_f, normalised to
unit variance on the grid, and evaluated at the Lagrangian sites of particles (Wu, Muñoz &
Eisenstein 2023, §2.1).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np

from lagbias.grids.fourier import RealFFT, gaussian_window, wavenumbers

__all__ = ["FeatureGrids", "feature_grids", "smoothed_density", "values_at_sites"]


@dataclass(frozen=True, kw_only=True)
class FeatureGrids:
    """Features of one smoothing radius, normalised on their grid.

    Attributes
    ----------
    delta, lap_delta, g2 : ndarray, float32, shape (n, n, n)
        δ, ∇²δ and G2, of unit variance; the mean of G2 is zero.
    mean, sigma : ndarray, float64, shape (3,)
        Their means and standard deviations before [1, (h/Mpc)², 1].
    box_size : float
        Side of the box [Mpc/h].
    rf : float
        Smoothing radius R_f [Mpc/h].
    """

    delta: np.ndarray
    lap_delta: np.ndarray
    g2: np.ndarray
    mean: np.ndarray
    sigma: np.ndarray
    box_size: float
    rf: float


def feature_grids(
    delta: np.ndarray, box_size: float, rf: float, *, threads: int = 1
) -> FeatureGrids:
    """Compute normalised δ, ∇²δ and G2 of a density smoothed with W = exp(-k² R_f² / 2).

    G2 = Σ_ij [(k_i k_j / k² - δ_ij / 3) δ]², the sum over all nine components of the traceless
    tidal tensor: the definition of the authors' code, where the paper says "tidal operator".
    Peak memory is five grids of n³ float32, the input included.

    Parameters
    ----------
    delta : ndarray, float32, shape (n, n, n)
        Linear overdensity, dimensionless; not modified. Its amplitude cancels.
    box_size : float
        Side of the periodic box [Mpc/h].
    rf : float
        Smoothing radius R_f [Mpc/h]; 0 does not smooth.
    threads : int, keyword-only
        Threads of the Fourier transforms.

    Raises
    ------
    ValueError
        If a field is constant or not finite.
    """
    n = delta.shape[0]
    fft = RealFFT(n, threads=threads)
    k = wavenumbers(n, box_size)
    modes = _smoothed_modes(fft, delta, k, rf)
    scratch_modes, lap_delta = fft.empty_modes(), fft.empty_field()
    g2 = _traceless_shear_squared(fft, modes, k, scratch_modes, scratch_field=lap_delta)
    _multiply(modes, lambda x: -(k[0][x] ** 2 + k[1][0] ** 2 + k[2][0] ** 2), out=scratch_modes)
    fft.inverse(scratch_modes, out=lap_delta)
    del scratch_modes
    smoothed = fft.inverse(modes)

    mean, sigma = np.empty(3), np.empty(3)
    for index, (name, field) in enumerate(
        {"delta": smoothed, "lap_delta": lap_delta, "g2": g2}.items()
    ):
        mean[index], sigma[index] = _moments(field)
        if not sigma[index] > 0 or not np.isfinite(sigma[index]):
            raise ValueError(
                f"{name} smoothed at rf={rf} Mpc/h has standard deviation {sigma[index]} on the "
                "grid, so it cannot be normalised; check the input density for zeros and NaN."
            )
        if name == "g2":
            field -= np.float32(mean[index])
        field /= np.float32(sigma[index])
    return FeatureGrids(
        delta=smoothed,
        lap_delta=lap_delta,
        g2=g2,
        mean=mean,
        sigma=sigma,
        box_size=float(box_size),
        rf=float(rf),
    )


def smoothed_density(
    delta: np.ndarray, box_size: float, rf: float, *, threads: int = 1
) -> np.ndarray:
    """Smooth a density: the δ of `feature_grids`, bit for bit, before it is normalised.

    Parameters
    ----------
    delta, box_size, rf, threads
        As in `feature_grids`.

    Returns
    -------
    ndarray, float32, shape (n, n, n)
        Smoothed overdensity, dimensionless.
    """
    fft = RealFFT(len(delta), threads=threads)
    return fft.inverse(_smoothed_modes(fft, delta, wavenumbers(len(delta), box_size), rf))


def values_at_sites(grids: Iterable[np.ndarray], sites: np.ndarray) -> np.ndarray:
    """Read grids at the Lagrangian sites of particles.

    Parameters
    ----------
    grids : iterable of ndarray, each float32, shape (n, n, n)
        Columns of the result, usually [δ_1, ∇²δ_1, G2_1, δ_2, …], dimensionless. They are consumed
        one by one: those of a generator need not be in memory together.
    sites : ndarray, int, shape (P,)
        Flat C-order index of each particle's grid node.

    Returns
    -------
    ndarray, float32, shape (P, len(grids))
        One row for each particle.

    Raises
    ------
    ValueError
        If a site is not on the grids.
    """
    columns: list[np.ndarray] = []
    for grid in grids:
        if not columns and sites.size and (sites.min() < 0 or sites.max() >= grid.size):
            raise ValueError(
                f"sites run from {sites.min()} to {sites.max()}, but the grids have nodes 0 to "
                f"{grid.size - 1}; particles and density must use the same Lagrangian grid."
            )
        columns.append(grid.reshape(-1)[sites])
    return np.stack(columns, axis=1)


def _smoothed_modes(
    fft: RealFFT, delta: np.ndarray, k: tuple[np.ndarray, np.ndarray, np.ndarray], rf: float
) -> np.ndarray:
    """Return the modes of a density, multiplied by the window."""
    modes = fft.forward(delta)
    windows = [gaussian_window(axis**2, rf) for axis in k]
    _multiply(modes, lambda x: windows[0][x] * windows[1][0] * windows[2][0], out=modes)
    return modes


def _multiply(modes: np.ndarray, factor: Callable[[int], np.ndarray], *, out: np.ndarray) -> None:
    """Multiply modes by a real factor, plane by plane in kx to save memory."""
    for x in range(len(modes)):
        np.multiply(modes[x], factor(x).astype(np.float32), out=out[x])


def _traceless_shear_squared(
    fft: RealFFT,
    modes: np.ndarray,
    k: tuple[np.ndarray, np.ndarray, np.ndarray],
    scratch_modes: np.ndarray,
    scratch_field: np.ndarray,
) -> np.ndarray:
    """Return Σ_ij s_ij² with s_ij = (k_i k_j / k² - δ_ij / 3) δ, from five transforms.

    Because s_xx + s_yy + s_zz = 0, the diagonal contributes (s_xx - s_yy)² / 2 + 3 s_zz² / 2.
    """
    kx, ky, kz = k
    # k_i k_j has no definite sign on a Nyquist plane: a real field has no such component there.
    odd_x, odd_y, odd_z = (_without_nyquist(axis, fft.n) for axis in k)
    weighted_numerators = (
        (0.5, lambda x: kx[x] ** 2 - ky[0] ** 2),
        (1.5, lambda x: (2.0 * kz[0] ** 2 - kx[x] ** 2 - ky[0] ** 2) / 3.0),
        (2.0, lambda x: odd_x[x] * odd_y[0]),
        (2.0, lambda x: odd_x[x] * odd_z[0]),
        (2.0, lambda x: odd_y[0] * odd_z[0]),
    )
    g2 = np.zeros(fft.field_shape, dtype=np.float32)
    for weight, numerator in weighted_numerators:
        _multiply(modes, partial(_over_k_squared, numerator, k), out=scratch_modes)
        component = fft.inverse(scratch_modes, out=scratch_field)
        np.square(component, out=component)
        component *= np.float32(weight)
        g2 += component
    return g2


def _over_k_squared(
    numerator: Callable[[int], np.ndarray], k: tuple[np.ndarray, ...], x: int
) -> np.ndarray:
    k_squared = k[0][x] ** 2 + k[1][0] ** 2 + k[2][0] ** 2
    k_squared[k_squared == 0.0] = 1.0  # the numerator is zero there
    return numerator(x) / k_squared


def _without_nyquist(axis: np.ndarray, n: int) -> np.ndarray:
    return np.where(axis == axis.max(), 0.0, axis) if n % 2 == 0 else axis


def _moments(field: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation, accumulated in float64 plane by plane."""
    mean = float(np.mean(field, dtype=np.float64))
    squares = sum(float(np.sum(np.square(plane - mean, dtype=np.float64))) for plane in field)
    return mean, float(np.sqrt(squares / field.size))
