"""A random subset of a lattice of particles, displaced and packed as AbacusSummit packs them.

Particles are drawn plane by plane, each plane from a generator of its own, so that they can be
drawn again instead of being kept: memory holds one group of particles, packed, and no positions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np

from lagbias.runtime.progress import bar

__all__ = ["Lattice", "count_groups", "draw_plane", "interpolated", "pack_group"]

_POSITION_STEPS = 1.0e6  # steps per box
_VELOCITY_STEPS = 2048.0 / 6000.0  # per km/s
_VELOCITY_ZERO, _VELOCITY_MAX = 2048, 4095
_TAGGED, _KERNEL_DENSITY, _KERNEL_DENSITY_MAX = 48, 49, 1023


class Lattice(NamedTuple):
    """A subset of a lattice and what happens to it.

    Attributes
    ----------
    ppd : int
        Lattice points per side.
    fraction : float
        Share of the points that are particles of the subset, in (0, 1].
    psi : ndarray, shape (n, n, n, 3), float32
        Displacements in units of the box.
    to_kms : float
        Peculiar velocity per displacement [km/s per box].
    dense : ndarray, shape (n, n, n), float32
        Smoothed linear density at the snapshot's redshift, dimensionless.
    threshold : float
        Of `dense`, above which particles count as being in groups.
    generator : callable
        From the number of a plane to its generator.
    """

    ppd: int
    fraction: float
    psi: np.ndarray
    to_kms: float
    dense: np.ndarray
    threshold: float
    generator: Callable[[int], np.random.Generator]


def draw_plane(lattice: Lattice, plane: int) -> np.ndarray:
    """Draw every point of a plane of the lattice with the same probability, independently.

    Gaps between successes of such draws are geometric: it takes one number per particle, not one
    per lattice point.

    Parameters
    ----------
    lattice : Lattice
        The lattice.
    plane : int
        Index along x.

    Returns
    -------
    ndarray, shape (P,), int64
        Index in the plane, in C order, increasing.
    """
    rng, points = lattice.generator(plane), lattice.ppd**2
    expected = lattice.fraction * points
    enough = int(expected + 6.0 * np.sqrt(expected) + 10.0)
    chosen = np.cumsum(rng.geometric(lattice.fraction, enough)) - 1
    while chosen[-1] < points:  # nearly never
        more = np.cumsum(rng.geometric(lattice.fraction, enough)) + chosen[-1]
        chosen = np.concatenate([chosen, more])
    return chosen[: np.searchsorted(chosen, points)]


def count_groups(lattice: Lattice) -> np.ndarray:
    """Return the numbers of particles outside and inside groups in each plane, (ppd, 2) int64."""
    counts = np.empty((lattice.ppd, 2), np.int64)
    for plane in bar(range(lattice.ppd), desc="counting particles", unit="plane"):
        points = draw_plane(lattice, plane)
        inside = np.count_nonzero(_dense(lattice, plane, points))
        counts[plane] = len(points) - inside, inside
    return counts


def pack_group(
    lattice: Lattice, counts: np.ndarray, *, in_groups: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Displace and pack the particles of one kind.

    Parameters
    ----------
    lattice : Lattice
        The lattice.
    counts : ndarray, shape (ppd,), int64
        Particles of this kind in each plane.
    in_groups : bool, keyword-only
        The kind.

    Returns
    -------
    rvint : ndarray, shape (P, 3), int32
        Positions in 20 bits, velocities in 12.
    packedpid : ndarray, shape (P,), uint64
        Lattice indices, whether in a group, and the root of a density.
    """
    rvint, packedpid = np.empty((counts.sum(), 3), np.int32), np.empty(counts.sum(), np.uint64)
    stops = np.cumsum(counts)
    label = f"{'halo' if in_groups else 'field'} particles"
    for plane in bar(range(lattice.ppd), desc=label, unit="plane"):
        points = draw_plane(lattice, plane)
        points = points[_dense(lattice, plane, points) == in_groups]
        part = slice(stops[plane] - counts[plane], stops[plane])
        kinematics = (lattice.psi, lattice.to_kms * _VELOCITY_STEPS)
        _pack_positions(plane, points, lattice.ppd, *kinematics, rvint[part])
        _pack_ids(plane, points, lattice.ppd, lattice.dense, in_groups, packedpid[part])
    return rvint, packedpid


def _dense(lattice: Lattice, plane: int, points: np.ndarray) -> np.ndarray:
    return _is_dense(plane, points, lattice.ppd, lattice.dense, lattice.threshold)


@numba.njit
def _nearest(index, n, ppd):
    return (2 * index * n + ppd) // (2 * ppd) % n


@numba.njit(parallel=True)
def _is_dense(plane, points, ppd, density, threshold):
    """Return which lattice points of a plane have a node above a threshold nearest to them."""
    n = density.shape[0]
    inside = np.empty(len(points), np.bool_)
    i = _nearest(plane, n, ppd)
    for p in numba.prange(len(points)):
        j, k = points[p] // ppd, points[p] % ppd
        inside[p] = density[i, _nearest(j, n, ppd), _nearest(k, n, ppd)] > threshold
    return inside


@numba.njit
def interpolated(psi, ppd, i, j, k):
    """Return the three components of `psi` (n, n, n, 3) at point (i, j, k) of a lattice.

    The lattice has `ppd` points per side, the first of which is the first node; trilinear.
    """
    n = psi.shape[0]
    x, y, z = i * n // ppd, j * n // ppd, k * n // ppd
    fx, fy, fz = i * n % ppd / ppd, j * n % ppd / ppd, k * n % ppd / ppd
    a, b, c = 0.0, 0.0, 0.0
    for corner in range(8):
        dx, dy, dz = corner >> 2, (corner >> 1) & 1, corner & 1
        weight = fx if dx else 1.0 - fx
        weight *= fy if dy else 1.0 - fy
        weight *= fz if dz else 1.0 - fz
        node = psi[(x + dx) % n, (y + dy) % n, (z + dz) % n]
        a, b, c = a + weight * node[0], b + weight * node[1], c + weight * node[2]
    return a, b, c


@numba.njit(parallel=True)
def _pack_positions(plane, points, ppd, psi, velocity_steps, out):
    for p in numba.prange(len(points)):
        index = (plane, points[p] // ppd, points[p] % ppd)
        shift = interpolated(psi, ppd, index[0], index[1], index[2])
        for a in range(3):
            position = index[a] / ppd - 0.5 + shift[a]
            position -= np.floor(position + 0.5)
            velocity = np.rint(shift[a] * velocity_steps) + _VELOCITY_ZERO
            velocity = min(max(velocity, 0), _VELOCITY_MAX)
            step = np.int32(np.rint(position * _POSITION_STEPS))
            out[p, a] = (step << np.int32(12)) | np.int32(velocity)


@numba.njit(parallel=True)
def _pack_ids(plane, points, ppd, density, tagged, out):
    n = density.shape[0]
    for p in numba.prange(len(points)):
        j, k = points[p] // ppd, points[p] % ppd
        local = density[_nearest(plane, n, ppd), _nearest(j, n, ppd), _nearest(k, n, ppd)]
        # the root of a made-up density, so that these bits are not all alike
        root = min(np.exp(local), _KERNEL_DENSITY_MAX)
        packed = np.uint64(plane) | np.uint64(j) << np.uint64(16) | np.uint64(k) << np.uint64(32)
        packed |= np.uint64(tagged) << np.uint64(_TAGGED)
        out[p] = packed | np.uint64(root) << np.uint64(_KERNEL_DENSITY)
