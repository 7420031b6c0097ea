"""One particle-mesh step and friends of friends in NumPy and SciPy, without compiled kernels."""

import numpy as np
import scipy.fft
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

__all__ = ["friends_by_tree", "mesh_step"]


def mesh_step(
    positions: np.ndarray,
    velocities: np.ndarray,
    interval: float,
    coefficients: tuple[float, float],
    *,
    box_size: float,
    n_mesh: int,
    workers: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Drift, kick, drift: CIC by np.add.at, a Poisson solve by SciPy, 4-point differences.

    Parameters
    ----------
    positions, velocities : ndarray, float32, shape (P, 3)
        Positions and velocities; not modified.
    interval : float
        Length of the step in the growth factor.
    coefficients : tuple of float
        ``v = keep v + gain force``.
    box_size : float, keyword-only
        L [Mpc/h].
    n_mesh : int, keyword-only
        Mesh nodes per side.
    workers : int, keyword-only
        Threads of the transforms.

    Returns
    -------
    positions, velocities : ndarray, float32, shape (P, 3)
        At the end of the step; positions in [0, L).
    """
    middle = positions + np.float32(interval / 2) * velocities
    corners = _corners(middle, box_size, n_mesh)
    mesh = np.zeros(n_mesh**3, np.float32)
    for nodes, share in corners:
        np.add.at(mesh, nodes, share)
    mesh *= np.float32(n_mesh**3 / len(positions))
    potential = _potential(mesh.reshape([n_mesh] * 3) - 1, box_size, workers)
    keep, gain = coefficients
    kicked = np.float32(keep) * velocities
    for axis in range(3):
        force = _minus_gradient(potential, axis, box_size).ravel()
        kicked[:, axis] += np.float32(gain) * sum(share * force[nodes] for nodes, share in corners)
    return (middle + np.float32(interval / 2) * kicked) % np.float32(box_size), kicked


def friends_by_tree(
    positions: np.ndarray, box_size: float, linking_length: float, min_particles: int
) -> np.ndarray:
    """Label halos from all pairs of a k-d tree; int64, (P,), -1 outside of halos."""
    tree = cKDTree(positions, boxsize=box_size)
    pairs = tree.query_pairs(linking_length, output_type="ndarray")
    count = len(positions)
    links = coo_matrix((np.ones(len(pairs), bool), pairs.T), shape=(count, count))
    group = connected_components(links, directed=False)[1]
    large = np.bincount(group) >= min_particles
    number = np.where(large, np.cumsum(large) - 1, -1)
    return number[group]


def _corners(positions: np.ndarray, box_size: float, n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return node and share of each particle, for the eight corners of its cell.

    The mesh is shifted by half a cell, as in `lagbias.simulate.kernels`.
    """
    scaled = positions * np.float32(n / box_size) + np.float32(0.5)
    lower = np.floor(scaled)
    upper_share = scaled - lower
    lower = lower.astype(np.int64)
    found = []
    for corner in np.ndindex(2, 2, 2):
        i, j, k = ((lower + corner) % n).T
        share = np.prod(np.where(corner, upper_share, 1 - upper_share), axis=1)
        found.append(((i * n + j) * n + k, share))
    return found


def _potential(overdensity: np.ndarray, box_size: float, workers: int) -> np.ndarray:
    """Solve laplacian(phi) = delta, with the CIC window of the deposit divided out once."""
    n = len(overdensity)
    frequency = np.fft.fftfreq(n)
    axes = [frequency[:, None, None], frequency[None, :, None], np.fft.rfftfreq(n)[None, None, :]]
    k_squared = sum((2 * np.pi * n / box_size * axis) ** 2 for axis in axes)
    k_squared[0, 0, 0] = np.inf
    window = np.sinc(axes[0]) * np.sinc(axes[1]) * np.sinc(axes[2])
    kernel = (-1.0 / (k_squared * window**2)).astype(np.float32)
    modes = scipy.fft.rfftn(overdensity, workers=workers) * kernel
    return scipy.fft.irfftn(modes, s=overdensity.shape, workers=workers)


def _minus_gradient(potential: np.ndarray, axis: int, box_size: float) -> np.ndarray:
    near = np.roll(potential, -1, axis) - np.roll(potential, 1, axis)
    far = np.roll(potential, -2, axis) - np.roll(potential, 2, axis)
    return (far - 8 * near) * np.float32(len(potential) / (12 * box_size))
