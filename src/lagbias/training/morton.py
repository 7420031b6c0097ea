"""Order of the nodes of a grid along Morton's space-filling curve."""

import numba
import numpy as np

__all__ = ["morton_order"]

#: Bits per coordinate: three fit an unsigned 32-bit integer.
_BITS = 10
#: Bits of the codes per pass of the sort.
_DIGIT = 8


def morton_order(sites: np.ndarray, n_side: int) -> np.ndarray:
    """Return the order of particles along the curve.

    The code of a node interleaves the bits of its three coordinates. A stable radix sort by the
    code takes a time proportional to the number of particles.

    Parameters
    ----------
    sites : ndarray, integer, shape (P,)
        Flat index (C order) of the grid node of each particle, in [0, n_side³); P < 2³².
    n_side : int
        Nodes of the grid per side, at most 1024.

    Returns
    -------
    ndarray, uint32, shape (P,)
        Indices of the particles, those of one node in ascending order.

    Raises
    ------
    ValueError
        If `n_side` or a site is out of range.
    """
    if not 1 <= n_side <= 1 << _BITS:
        raise ValueError(
            f"The space-filling curve does not support an initial grid of {n_side} nodes per side. "
            f"Use 1 to {1 << _BITS}, or training.sampling: random."
        )
    codes = np.empty(len(sites), np.uint32)
    if not _encode(sites, n_side, _spread_bits(), codes):
        raise ValueError(
            f"Sites run from {sites.min()} to {sites.max()}, but a grid of {n_side} nodes per side "
            f"has 0 to {n_side**3 - 1}; particles and density must use the same initial grid."
        )
    order = np.arange(len(sites), dtype=np.uint32)
    other, scratch = np.empty_like(codes), np.empty_like(codes)
    for shift in range(0, 3 * (int(n_side) - 1).bit_length(), _DIGIT):
        _sort_by_digit(codes, order, shift, other, scratch)
        codes, order, other, scratch = other, scratch, codes, order
    return order


def _spread_bits() -> np.ndarray:
    """Return each coordinate with its bit b moved to bit 3 b."""
    coordinate = np.arange(1 << _BITS, dtype=np.uint32)
    spread = np.zeros_like(coordinate)
    for bit in range(_BITS):
        spread |= (coordinate >> bit & 1) << (3 * bit)
    return spread


@numba.njit(cache=True)
def _encode(sites, n_side, spread, codes):  # pragma: no cover - compiled
    """Write the code of every site; return False if one is not on the grid."""
    for p in range(len(sites)):
        site = sites[p]
        if site < 0 or site >= n_side * n_side * n_side:
            return False
        row = site // n_side
        x = row // n_side
        codes[p] = spread[site - row * n_side] | spread[row - x * n_side] << 1 | spread[x] << 2
    return True


@numba.njit(cache=True)
def _sort_by_digit(codes, order, shift, sorted_codes, sorted_order):  # pragma: no cover - compiled
    """Sort stably by one digit, the bits from `shift` on."""
    next_slot = np.zeros(1 << _DIGIT, np.int64)
    mask = np.uint32((1 << _DIGIT) - 1)
    for p in range(len(codes)):
        next_slot[codes[p] >> shift & mask] += 1
    total = 0
    for digit in range(len(next_slot)):
        count = next_slot[digit]
        next_slot[digit] = total
        total += count
    for p in range(len(codes)):
        digit = codes[p] >> shift & mask
        slot = next_slot[digit]
        sorted_codes[slot] = codes[p]
        sorted_order[slot] = order[p]
        next_slot[digit] = slot + 1
