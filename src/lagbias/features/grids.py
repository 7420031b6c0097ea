"""The fields that the bias function depends on: δ, ∇²δ and the tidal field G2.

All three come from the linear density smoothed with a Gaussian of radius R_f, are scaled to unit
variance on the grid, and are read at the Lagrangian sites of particles (Wu, Muñoz & Eisenstein
2023, §2.1).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store
from lagbias.grids.fourier import RealFFT, gaussian_window, wavenumbers

__all__ = ["FeatureGrids", "feature_grids", "stored_values", "values_at_sites"]


@dataclass(frozen=True)
class FeatureGrids:
    """Features of one smoothing radius, normalised on their grid.

    Attributes
    ----------
    delta : ndarray, float32, shape (n, n, n)
        Smoothed density over its standard deviation, dimensionless.
    lap_delta : ndarray, float32, shape (n, n, n)
        ∇²δ over its standard deviation, dimensionless.
    g2 : ndarray, float32, shape (n, n, n)
        G2 less its mean, over its standard deviation, dimensionless.
    mean, sigma : ndarray, float64, shape (3,)
        Mean and standard deviation over the grid of δ [1], ∇²δ [(h/Mpc)²] and G2 [1] before
        normalisation.
    """

    delta: np.ndarray
    lap_delta: np.ndarray
    g2: np.ndarray
    mean: np.ndarray
    sigma: np.ndarray


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
        Linear overdensity, dimensionless; not modified. Its amplitude (redshift) drops out.
    box_size : float
        Side of the periodic box [Mpc/h].
    rf : float
        Smoothing radius R_f [Mpc/h]; 0 does not smooth.
    threads : int, keyword-only
        Threads of the Fourier transforms.

    Returns
    -------
    FeatureGrids
        The three fields, each with unit variance on the grid, and their mean and scale.

    Raises
    ------
    ValueError
        If the grid is no cube, a length is not positive, or a field comes out constant.
    """
    if delta.ndim != 3 or len(set(delta.shape)) != 1:
        raise ValueError(f"delta has shape {delta.shape}; feature_grids needs a cubic grid.")
    if not box_size > 0 or not rf >= 0:
        raise ValueError(
            f"box_size={box_size} and rf={rf} Mpc/h: the first must be positive, the second not "
            "negative."
        )
    n = delta.shape[0]
    fft = RealFFT(n, threads=threads)
    k = wavenumbers(n, box_size)
    modes = fft.forward(delta)
    windows = [gaussian_window(axis**2, rf) for axis in k]
    _multiply(modes, lambda x: windows[0][x] * windows[1][0] * windows[2][0], out=modes)

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
    return FeatureGrids(smoothed, lap_delta, g2, mean, sigma)


def values_at_sites(grids: Iterable[np.ndarray], sites: np.ndarray) -> np.ndarray:
    """Read grids at the Lagrangian sites of particles.

    Parameters
    ----------
    grids : iterable of ndarray, each float32, shape (n, n, n)
        The columns of the result, usually [δ_1, ∇²δ_1, G2_1, δ_2, …], dimensionless. Grids are
        taken one by one: those of a generator need not be in memory together.
    sites : ndarray, int, shape (P,)
        Flat C-order index of each particle's grid node.

    Returns
    -------
    ndarray, float32, shape (P, len(grids))
        One row for each particle.

    Raises
    ------
    ValueError
        If a site is not on the grids or the grids differ in shape.
    """
    columns: list[np.ndarray] = []
    shape = None
    for grid in grids:
        if grid.shape != (shape := shape or grid.shape):
            raise ValueError(
                f"grids have shapes {shape} and {grid.shape}; values_at_sites needs one common "
                "shape."
            )
        if not columns:
            _check_sites(sites, grid.size)
        columns.append(grid.reshape(-1)[sites])
    if not columns:
        raise ValueError("There are no grids; values_at_sites needs at least one.")
    return np.stack(columns, axis=1)


def stored_values(
    paths: Sequence[str | Path], sites: np.ndarray, *, columns: int | None = None
) -> np.ndarray:
    """Read features at the Lagrangian sites of particles from files, a grid at a time.

    Only the planes that hold a site are read, so particles that are neighbours in the order of
    their sites take little memory and time.

    Parameters
    ----------
    paths : sequence of str or Path
        Feature artefacts in the order of the radii.
    sites : ndarray, int, shape (P,)
        Flat C-order index of each particle's grid node.
    columns : int, optional, keyword-only
        How many columns to read; all three of each file when omitted.

    Returns
    -------
    ndarray, float32, shape (P, 3 len(paths)) or (P, columns)
        One row for each particle: [δ_1, ∇²δ_1, G2_1, δ_2, …], dimensionless.

    Raises
    ------
    lagbias.artefacts.store.ArtefactError
        If a file cannot be read.
    ValueError
        As `values_at_sites`.
    """
    plane = store.length(paths[0], "features", "delta") ** 2
    planes = slice(0, 1)
    if sites.size:
        planes = slice(max(int(sites.min()) // plane, 0), int(sites.max()) // plane + 1)
    grids = artefacts.feature_columns(paths, planes)
    return values_at_sites(islice(grids, columns), sites - planes.start * plane)


def _check_sites(sites: np.ndarray, size: int) -> None:
    if sites.size and (sites.min() < 0 or sites.max() >= size):
        raise ValueError(
            f"sites run from {sites.min()} to {sites.max()}, but the grids have nodes 0 to "
            f"{size - 1}; particles and density must use the same Lagrangian grid."
        )


def _multiply(modes: np.ndarray, factor: Callable[[int], np.ndarray], *, out: np.ndarray) -> None:
    """Multiply modes by a real factor, plane by plane in kx so that no grid of it is needed."""
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

    Because s_xx + s_yy + s_zz = 0, the diagonal gives (s_xx - s_yy)² / 2 + 3 s_zz² / 2, so that
    each transform is squared and added without keeping another.
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
    k_squared[k_squared == 0.0] = 1.0  # there every numerator is zero: the mean has no tide
    return numerator(x) / k_squared


def _without_nyquist(axis: np.ndarray, n: int) -> np.ndarray:
    return np.where(axis == axis.max(), 0.0, axis) if n % 2 == 0 else axis


def _moments(field: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation in float64 without a float64 copy of the grid."""
    mean = float(np.mean(field, dtype=np.float64))
    squares = sum(float(np.sum(np.square(plane - mean, dtype=np.float64))) for plane in field)
    return mean, float(np.sqrt(squares / field.size))
