"""Bispectrum of gridded fields, with Fourier transforms of spherical shells.

Shells of width w k_F, w an integer and k_F = 2π/L, are centred on the multiples of w k_F:
shell i holds the modes with (i - ½) w ≤ |n| < (i + ½) w. With w = 1 they are the bins of
`lagbias.grids.power`. The estimator is that of Scoccimarro (2000, ApJ 544, 597), without
corrections for shot noise, window or aliasing.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft

__all__ = ["Bispectrum", "bispectrum", "equilateral", "reduced_bispectrum", "squeezed"]

#: Grid points per matrix product: few enough for the shells to stay in a core's cache.
_CHUNK = 1 << 13
#: Least k1/k3 of squeezed triangles.
_SQUEEZED = 4


@dataclass(frozen=True)
class Bispectrum:
    """Bispectrum of one field for all triangles k1 ≥ k2 ≥ k3 of shells that can close.

    Attributes
    ----------
    k : ndarray, float64, shape (shells,)
        Centres of the shells [h/Mpc].
    n_modes : ndarray, int64, shape (shells,)
        Modes in each shell, k and -k both counted.
    power : ndarray, float64, shape (shells,)
        Mean power of the shells [(Mpc/h)³].
    triangles : ndarray, int64, shape (triangles, 3)
        Indices of the shells of k1, k2 and k3, descending; all that hold a closed triangle of
        modes, even where the centres of the shells do not close.
    n_triangles : ndarray, int64, shape (triangles,)
        Triples (n1, n2, n3) of modes of these shells with n1 + n2 + n3 = 0, orders told apart: a
        triangle with all sides in one shell counts six times. Exact below 10¹³.
    values : ndarray, float64, shape (triangles,)
        B(k1, k2, k3) [(Mpc/h)⁶].
    """

    k: np.ndarray
    n_modes: np.ndarray
    power: np.ndarray
    triangles: np.ndarray
    n_triangles: np.ndarray
    values: np.ndarray

    @property
    def reduced(self) -> np.ndarray:
        """Q of each triangle, float64, shape (triangles,); see `reduced_bispectrum`."""
        return reduced_bispectrum(self.values, self.power, self.triangles)


def bispectrum(
    modes: np.ndarray, box_size: float, *, width: int, k_max: float, threads: int = 1
) -> Bispectrum:
    """Return B = Σ δ_1 δ_2 δ_3 L⁶ / (N⁹ N_triangles), summed over closed triangles of modes.

    The sum is that of the product of three shells' fields over the grid points. The shells' fields
    are float32 and take 4 M³ bytes each, where M ≤ N is the side of the smallest fast grid on which
    no triangle is aliased (M k_F ≥ 3 k_max); sums are float64.

    Parameters
    ----------
    modes : ndarray, complex, shape (N, N, N//2 + 1)
        Unnormalised real transform of an overdensity, as from `RealFFT.forward`.
    box_size : float
        Side L of the periodic box [Mpc/h].
    width : int, keyword-only
        Width of the shells in units of 2π/L.
    k_max : float, keyword-only
        Upper limit of the shells [h/Mpc]: those that are wholly below it are used. At most two
        thirds of the Nyquist wavenumber π N/L, so that no triangle is aliased.
    threads : int, keyword-only
        Threads of the transforms.

    Returns
    -------
    Bispectrum

    Raises
    ------
    ValueError
        If the array is not the modes of a cubic grid, or `width` or `k_max` is out of range.
    """
    n = len(modes)
    if modes.shape != (n, n, n // 2 + 1):
        raise ValueError(
            f"modes have shape {modes.shape}; the bispectrum needs (N, N, N//2 + 1), the real "
            "transform of a cubic grid."
        )
    n_shells = _number_of_shells(n, box_size, width, k_max)
    n_modes, counts = _count(n_shells, width)
    shells = _shell_fields(modes, n_shells, width, threads)
    points = shells.shape[1]
    means = _triple_sums(shells, np.broadcast_to(1.0, points)) / points
    square = np.array([np.square(shell, dtype=np.float64).mean() for shell in shells])
    triangles = np.argwhere(counts > 0)
    n_triangles = counts[tuple(triangles.T)]
    return Bispectrum(
        k=2.0 * np.pi / box_size * width * np.arange(1, n_shells + 1),
        n_modes=n_modes,
        power=square * box_size**3 / n_modes,
        triangles=triangles,
        n_triangles=n_triangles,
        values=means[tuple(triangles.T)] * box_size**6 / n_triangles,
    )


def reduced_bispectrum(values: np.ndarray, power: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return the reduced bispectrum Q = B / (P1 P2 + P2 P3 + P3 P1).

    Parameters
    ----------
    values : ndarray, shape (triangles,)
        B of each triangle [(Mpc/h)⁶].
    power : ndarray, shape (shells,)
        Power of each shell [(Mpc/h)³].
    triangles : ndarray of int, shape (triangles, 3)
        Shells of the sides.

    Returns
    -------
    ndarray, float64, shape (triangles,)
        Q, dimensionless.
    """
    p1, p2, p3 = np.asarray(power, dtype=np.float64)[triangles.T]
    return values / (p1 * p2 + p2 * p3 + p3 * p1)


def equilateral(triangles: np.ndarray) -> np.ndarray:
    """Select triangles with all sides in one shell, k1 ≈ k2 ≈ k3: bool, shape (triangles,).

    Parameters
    ----------
    triangles : ndarray of int, shape (triangles, 3)
        Shells of the sides, descending, as in `Bispectrum`.
    """
    return triangles[:, 0] == triangles[:, 2]


def squeezed(triangles: np.ndarray) -> np.ndarray:
    """Select triangles k1 ≈ k2 ≫ k3: bool, shape (triangles,).

    k3 is in the lowest shell, k1 and k2 are in one shell at four times its wavenumber or more.

    Parameters
    ----------
    triangles : ndarray of int, shape (triangles, 3)
        Shells of the sides, descending, as in `Bispectrum`.
    """
    first, second, third = triangles.T
    return (first == second) & (third == 0) & (first + 1 >= _SQUEEZED)


def _number_of_shells(n: int, box_size: float, width: int, k_max: float) -> int:
    fundamental = 2.0 * np.pi / box_size
    limit = n / 3.0 * fundamental  # two thirds of Nyquist
    if width < 1 or width != int(width):
        raise ValueError(f"width is {width}; give a positive integer number of 2π/L.")
    if k_max > limit * (1 + 1e-9):
        raise ValueError(
            f"k_max is {k_max:.4g} h/Mpc, but above {limit:.4g} h/Mpc, two thirds of the Nyquist "
            "wavenumber, triangles are aliased. Decrease k_max or use a finer grid."
        )
    n_shells = int(k_max / (width * fundamental) - 0.5 + 1e-9)
    if n_shells < 1:
        raise ValueError(
            f"No shell of width {width} · {fundamental:.4g} h/Mpc is below k_max={k_max:.4g} h/Mpc;"
            " increase k_max or decrease the width."
        )
    return n_shells


def _shell_of(axes: tuple[np.ndarray, ...], width: int) -> np.ndarray:
    """Return the shell of each mode of a grid: 0 around n = 0, 1 for the first that is used."""
    x, y, z = np.ix_(*(axis.astype(np.float64) ** 2 for axis in axes))
    return (np.sqrt(x + y + z) / width + 0.5).astype(np.intp)


def _shell_fields(modes: np.ndarray, n_shells: int, width: int, threads: int) -> np.ndarray:
    """Return the field of each shell's modes, float32, shape (shells, points)."""
    n, edge = len(modes), (n_shells + 0.5) * width
    m = min(n, fft.next_fast_len(int(np.ceil(3 * edge)), real=True))
    largest = int(np.ceil(edge)) - 1
    full, half = np.arange(-largest, largest + 1), np.arange(largest + 1)
    block = np.ix_(full, full, half)
    kept = modes[block] * np.float32((m / n) ** 3)  # the inverse divides by M³ instead of N³
    shell = _shell_of((full, full, half), width)
    fields = np.empty((n_shells, m**3), dtype=np.float32)
    for index in range(n_shells):
        padded = np.zeros((m, m, m // 2 + 1), dtype=np.complex64)
        padded[block] = kept * (shell == index + 1)
        fields[index] = fft.irfftn(padded, s=(m, m, m), workers=threads).ravel()
    return fields


def _count(n_shells: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the modes of each shell, and the triangles of each k1 ≥ k2 ≥ k3 (0 for others).

    As for a field whose modes are all one, but in float64, since the counts have to be exact. This
    field is even on each axis and symmetric in the axes: points 0 ≤ x ≤ y ≤ z ≤ M/2 suffice.
    """
    edge = (n_shells + 0.5) * width
    m_half = fft.next_fast_len(int(np.ceil(1.5 * edge)), real=True)
    axis = np.arange(m_half + 1)
    x, y, z = np.nonzero((axis[:, None, None] <= axis[:, None]) & (axis[:, None] <= axis))
    images = np.where((axis == 0) | (axis == m_half), 1, 2)
    orders = np.array([6, 3, 1])[(x == y).astype(int) + (y == z)]
    weights = (images[x] * images[y] * images[z] * orders).astype(np.float64)
    shell = _shell_of((axis, axis, axis), width)
    # the cosine transform of type 1 is the Fourier transform of the even extension to M points
    fields = np.array(
        [
            fft.dctn((shell == index + 1).astype(np.float64), type=1)[x, y, z]
            for index in range(n_shells)
        ]
    )
    counts = _triple_sums(fields, weights) / (2 * m_half) ** 3
    return np.rint(fields[:, 0]).astype(np.int64), np.rint(counts).astype(np.int64)


def _triple_sums(shells: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return Σ w a b c over the points for shells a ≥ b ≥ c, float64, (shells,) * 3; others 0."""
    n_shells, points = shells.shape
    sums = np.zeros((n_shells, n_shells, n_shells))
    for start in range(0, points, _CHUNK):
        rows = slice(start, start + _CHUNK)
        part = shells[:, rows].astype(np.float64)
        for middle in range(n_shells):
            pairs = part[middle:] * (part[middle] * weights[rows])
            sums[middle:, middle, : middle + 1] += pairs @ part[: middle + 1].T
    return sums
