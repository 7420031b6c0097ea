"""Numba kernels of the particle-mesh code.

Results do not depend on the number of threads: particles are divided into a fixed number of chunks,
each processed in order. ``fastmath`` is not used: it lets the compiler choose the order of sums,
which then differed between a process that compiles a kernel and one that loads it from Numba's
cache, and was no faster.

The mesh is shifted by half a cell against the particle lattice (:data:`MESH_OFFSET`). Without the
shift, the particles of a regular lattice are on mesh nodes, where the assignment window has no
effect, and dividing by the window adds spurious power; with it, the lattice sees the same mean
window as a random distribution.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = [
    "MESH_OFFSET",
    "PAINT_COPIES",
    "advance",
    "filtered_inverse_laplacian",
    "kick",
    "paint_overdensity",
    "wrap",
]

MESH_OFFSET = 0.5
"""Position of the particle lattice on the mesh, in mesh cells."""

PAINT_COPIES = 2
"""Meshes, and maximum threads, of `paint_overdensity`; results depend on their number."""

_CHUNKS = 64
_OFFSET = np.float32(MESH_OFFSET)
_ZERO, _ONE, _EIGHT = np.float32(0), np.float32(1), np.float32(8)


@numba.njit(cache=True)
def _cic_cell(position, cells_per_length, n_mesh):
    """Lower and upper mesh index on one axis, and the weight of the upper one."""
    scaled = position * cells_per_length + _OFFSET
    edge = np.floor(scaled)
    lower = np.int64(edge)
    if lower < 0:
        lower += n_mesh
    elif lower >= n_mesh:
        lower -= n_mesh
    upper = lower + 1
    if upper == n_mesh:
        upper = 0
    return np.uint64(lower), np.uint64(upper), scaled - edge


@numba.njit(parallel=True, cache=True)
def _deposit(positions, meshes, cells_per_length):
    n_copies, n_mesh = meshes.shape[0], meshes.shape[1]
    n_particles = positions.shape[0]
    for copy in numba.prange(n_copies):
        mesh = meshes[copy]
        mesh[:] = _ZERO
        for p in range(copy * n_particles // n_copies, (copy + 1) * n_particles // n_copies):
            i0, i1, x = _cic_cell(positions[p, 0], cells_per_length, n_mesh)
            j0, j1, y = _cic_cell(positions[p, 1], cells_per_length, n_mesh)
            k0, k1, z = _cic_cell(positions[p, 2], cells_per_length, n_mesh)
            w00 = (_ONE - x) * (_ONE - y)
            w01 = (_ONE - x) * y
            w10 = x * (_ONE - y)
            w11 = x * y
            mesh[i0, j0, k0] += w00 * (_ONE - z)
            mesh[i0, j0, k1] += w00 * z
            mesh[i0, j1, k0] += w01 * (_ONE - z)
            mesh[i0, j1, k1] += w01 * z
            mesh[i1, j0, k0] += w10 * (_ONE - z)
            mesh[i1, j0, k1] += w10 * z
            mesh[i1, j1, k0] += w11 * (_ONE - z)
            mesh[i1, j1, k1] += w11 * z


@numba.njit(parallel=True, cache=True)
def _sum_to_overdensity(meshes, inverse_mean):
    n_mesh = meshes.shape[1]
    for i in numba.prange(n_mesh):
        for j in range(n_mesh):
            for k in range(n_mesh):
                total = meshes[0, i, j, k]
                for copy in range(1, meshes.shape[0]):
                    total += meshes[copy, i, j, k]
                meshes[0, i, j, k] = total * inverse_mean - _ONE


def paint_overdensity(positions: np.ndarray, box_size: float, meshes: np.ndarray) -> np.ndarray:
    """Paint particles of equal mass on the shifted mesh with cloud-in-cell weights.

    Parameters
    ----------
    positions : ndarray, shape (P, 3), float32
        Positions [Mpc/h], at most one box size outside [0, L).
    box_size : float
        L [Mpc/h].
    meshes : ndarray, shape (PAINT_COPIES, n, n, n), float32
        Work space, overwritten. Each copy holds a fixed share of the particles, so that the result
        does not depend on the number of threads.

    Returns
    -------
    ndarray, shape (n, n, n), float32
        Overdensity, dimensionless: the first of `meshes`. Node i lies at (i - 1/2) L/n.
    """
    n_mesh = meshes.shape[1]
    _deposit(positions, meshes, np.float32(n_mesh / box_size))
    _sum_to_overdensity(meshes, np.float32(n_mesh**3 / len(positions)))
    return meshes[0]


@numba.njit(cache=True)
def _stencil_weight(node, fraction):
    """Weight of node ``lower - 2 + node`` in -12 h d/dx, 4-point difference then CIC readout."""
    lower, upper = _ONE - fraction, fraction
    if node == 0:
        return -lower
    if node == 1:
        return _EIGHT * lower - upper
    if node == 2:
        return _EIGHT * upper
    if node == 3:
        return -_EIGHT * lower
    if node == 4:
        return lower - _EIGHT * upper
    return upper


@numba.njit(cache=True)
def _stencil_index(lower, node, n_mesh):
    index = np.int64(lower) + node - 2
    if index < 0:
        index += n_mesh
    elif index >= n_mesh:
        index -= n_mesh
    return np.uint64(index)


@numba.njit(parallel=True, cache=True)
def _kick(positions, velocities, potential, cells_per_length, keep, gain):
    n_mesh = potential.shape[0]
    n_particles = positions.shape[0]
    for chunk in numba.prange(_CHUNKS):
        for p in range(chunk * n_particles // _CHUNKS, (chunk + 1) * n_particles // _CHUNKS):
            i0, i1, x = _cic_cell(positions[p, 0], cells_per_length, n_mesh)
            j0, j1, y = _cic_cell(positions[p, 1], cells_per_length, n_mesh)
            k0, k1, z = _cic_cell(positions[p, 2], cells_per_length, n_mesh)
            tx, ty, tz = _ONE - x, _ONE - y, _ONE - z
            force_x, force_y, force_z = _ZERO, _ZERO, _ZERO
            for node in range(6):
                i = _stencil_index(i0, node, n_mesh)
                force_x += _stencil_weight(node, x) * (
                    ty * (tz * potential[i, j0, k0] + z * potential[i, j0, k1])
                    + y * (tz * potential[i, j1, k0] + z * potential[i, j1, k1])
                )
                j = _stencil_index(j0, node, n_mesh)
                force_y += _stencil_weight(node, y) * (
                    tx * (tz * potential[i0, j, k0] + z * potential[i0, j, k1])
                    + x * (tz * potential[i1, j, k0] + z * potential[i1, j, k1])
                )
                k = _stencil_index(k0, node, n_mesh)
                force_z += _stencil_weight(node, z) * (
                    tx * (ty * potential[i0, j0, k] + y * potential[i0, j1, k])
                    + x * (ty * potential[i1, j0, k] + y * potential[i1, j1, k])
                )
            velocities[p, 0] = keep * velocities[p, 0] + gain * force_x
            velocities[p, 1] = keep * velocities[p, 1] + gain * force_y
            velocities[p, 2] = keep * velocities[p, 2] + gain * force_z


def kick(
    positions: np.ndarray,
    velocities: np.ndarray,
    potential: np.ndarray,
    *,
    box_size: float,
    keep: float,
    gain: float,
) -> None:
    """Update ``velocities = keep * velocities - gain * grad(potential)`` in place.

    Parameters
    ----------
    positions : ndarray, shape (P, 3), float32
        Positions [Mpc/h], at most one box size outside [0, L).
    velocities : ndarray, shape (P, 3), float32
        dx/dD [Mpc/h], overwritten.
    potential : ndarray, shape (n, n, n), float32
        Potential on the shifted mesh [(Mpc/h)^2]. Its gradient is the 4-point central difference,
        interpolated to the particles with cloud-in-cell weights; no force mesh is stored.
    box_size : float
        L [Mpc/h].
    keep, gain : float
        Coefficients, dimensionless.
    """
    cells_per_length = potential.shape[0] / box_size
    _kick(
        positions,
        velocities,
        potential,
        np.float32(cells_per_length),
        np.float32(keep),
        np.float32(gain * cells_per_length / 12.0),
    )


@numba.njit(parallel=True, cache=True)
def _advance(positions, velocities, interval):
    n_particles = positions.shape[0]
    for chunk in numba.prange(_CHUNKS):
        for p in range(chunk * n_particles // _CHUNKS, (chunk + 1) * n_particles // _CHUNKS):
            for axis in range(3):
                positions[p, axis] += interval * velocities[p, axis]


def advance(positions: np.ndarray, velocities: np.ndarray, interval: float) -> None:
    """Drift (P, 3) float32 `positions` by ``interval * velocities`` in place."""
    _advance(positions, velocities, np.float32(interval))


@numba.njit(parallel=True, cache=True)
def _wrap(positions, box_size):
    n_particles = positions.shape[0]
    for chunk in numba.prange(_CHUNKS):
        for p in range(chunk * n_particles // _CHUNKS, (chunk + 1) * n_particles // _CHUNKS):
            for axis in range(3):
                value = positions[p, axis]
                value -= box_size * np.floor(value / box_size)
                # Rounding can move a tiny negative coordinate to L.
                if value >= box_size or value < 0:
                    value = _ZERO
                positions[p, axis] = value


def wrap(positions: np.ndarray, box_size: float) -> None:
    """Move (P, 3) float32 `positions` [Mpc/h] into [0, `box_size`) in place."""
    _wrap(positions, np.float32(box_size))


@numba.njit(parallel=True, cache=True)
def filtered_inverse_laplacian(modes, factor_x, factor_y, factor_z, wavenumber, amplitude, out):
    """Compute ``out = amplitude * modes * factor_x factor_y factor_z / k^2``, 0 at k = 0.

    Parameters
    ----------
    modes, out : ndarray, shape (n, n, n//2+1), complex64
        Input and result, which may be the same array.
    factor_x, factor_y, factor_z : ndarray, shape (n,), float32
        Filter along each axis; that of the half axis may have n//2+1 values.
    wavenumber : ndarray, shape (n,), float32
        k along a full axis [h/Mpc].
    amplitude : complex64
    """
    for i in numba.prange(modes.shape[0]):
        for j in range(modes.shape[1]):
            k_xy = wavenumber[i] * wavenumber[i] + wavenumber[j] * wavenumber[j]
            factor_xy = factor_x[i] * factor_y[j]
            for k in range(modes.shape[2]):
                k_squared = k_xy + wavenumber[k] * wavenumber[k]
                if k_squared == 0:
                    out[i, j, k] = 0
                else:
                    factor = factor_xy * factor_z[k] / k_squared
                    out[i, j, k] = amplitude * (factor * modes[i, j, k])
