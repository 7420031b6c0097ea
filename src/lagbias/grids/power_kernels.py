"""Numba kernels of :mod:`lagbias.grids.power`: sums over the modes of spherical shells.

Shell m has the modes whose integer wavenumber n is nearer to m than to another integer in length,
which are those with m (m - 1) < |n|² <= m (m + 1). Every plane |nx| is summed by itself, in one
order, so that nothing here depends on the number of threads. No ``fastmath``: sums are in the order
of the code.
"""

import numba
import numpy as np

__all__ = ["shell_sums"]


@numba.njit(parallel=True, cache=True)
def shell_sums(
    first, second, also_square, counts, sum_n, products, squares
):  # pragma: no cover - compiled
    """Sum over the modes of each plane |nx| (row) that are in each shell (column).

    Parameters
    ----------
    first, second : ndarray, float32 or float64, (N, N, 2 (N//2 + 1))
        Modes a and b of real transforms, real and imaginary parts in turn.
    also_square : bool
        Add to `squares`, too.
    counts : ndarray, int64, (N//2 + 1, N//2 + 1)
        The number of modes is added to it; those with 0 < nz < N/2 also stand for their
        conjugates and count twice.
    sum_n, products, squares : ndarray, float64, (N//2 + 1, N//2 + 1)
        Sums of |n|, Re(a b*) and |a|² are added to them.
    """
    half = len(first) // 2
    # Outer planes have fewer modes in shells, so every item is an inner plane and an outer one.
    for item in numba.prange(half // 2 + 1):
        product, square = np.empty(first.shape[2]), np.empty(first.shape[2])
        shells = np.empty(half + 1, np.int64)
        for turn in range(1 if 2 * item == half else 2):
            # signed: Numba's index of a prange is not, and with a signed number makes a float
            x = np.int64(item) if turn == 0 else half - np.int64(item)
            for y in range(half + 1):
                n_z = _modes_inside(half * (half + 1) - x * x - y * y, first.shape[2] // 2)
                rows = _fold(first, second, x, y, n_z, product)
                _count_row(x * x + y * y, n_z, len(first), rows, shells, counts[x], sum_n[x])
                _bin_row(n_z, len(first), shells, product, products[x])
                if also_square:
                    _fold(first, first, x, y, n_z, square)
                    _bin_row(n_z, len(first), shells, square, squares[x])


@numba.njit
def _modes_inside(largest, n_modes):  # pragma: no cover - compiled
    """Return how many nz = 0, 1, … < n_modes have nz² <= largest."""
    return min(n_modes, np.int64(np.sqrt(largest)) + 1) if largest >= 0 else 0


@numba.njit
def _fold(first, second, x, y, n_z, out):  # pragma: no cover - compiled
    """Add up products of real and of imaginary parts over (±x, ±y); return how many rows."""
    n = len(first)
    n_x = 1 if x == 0 or 2 * x == n else 2
    n_y = 1 if y == 0 or 2 * y == n else 2
    out[: 2 * n_z] = 0.0
    for i in range(n_x):
        for j in range(n_y):
            a = first[n - x if i else x, n - y if j else y]
            b = second[n - x if i else x, n - y if j else y]
            for part in range(2 * n_z):
                out[part] += np.float64(a[part]) * np.float64(b[part])
    return n_x * n_y


@numba.njit
def _count_row(squared, n_z, n, rows, shells, counts, sum_n):  # pragma: no cover - compiled
    """Find the shell of each nz, and add to it the modes of so many rows and their |n|."""
    shell = np.int64(np.sqrt(squared))
    for z in range(n_z):
        while squared + z * z > shell * (shell + 1):
            shell += 1
        shells[z] = shell
        modes = rows if z == 0 or 2 * z == n else 2 * rows
        counts[shell] += modes
        sum_n[shell] += modes * np.sqrt(np.float64(squared + z * z))


@numba.njit
def _bin_row(n_z, n, shells, parts, totals):  # pragma: no cover - compiled
    """Add folded products to the shells."""
    for z in range(n_z):
        weight = 1.0 if z == 0 or 2 * z == n else 2.0
        totals[shells[z]] += weight * (parts[2 * z] + parts[2 * z + 1])
