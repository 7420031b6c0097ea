"""Checks of what users pass in; every error names the argument, its value and the remedy."""

from collections.abc import Sequence

import numpy as np

from lagbias.runtime.cores import usable_cores
from lagbias.schema.fields import not_finite

__all__ = [
    "checked_box_size",
    "checked_density",
    "checked_masses",
    "checked_positions",
    "checked_radii",
    "checked_seeds",
    "checked_sites",
    "default_threads",
]

#: Smoothing radii below this many cells of the density are refused: ∇²δ is not resolved.
_CELLS_PER_RADIUS = 1.0
#: Coordinates may lie this many boxes outside of [0, L); they are wrapped.
_BOXES_OUTSIDE = 1.0


def default_threads(threads: int | None) -> int:
    """Return `threads`, or the number of cores that this process may use."""
    if threads is None:
        return usable_cores()
    if threads < 1:
        raise ValueError(f"threads = {threads}; give a positive number, or None for all cores.")
    return int(threads)


def checked_box_size(box_size: float) -> float:
    """Return the side of a box [Mpc/h] as a float."""
    if not (np.ndim(box_size) == 0 and np.isfinite(box_size) and box_size > 0):
        raise ValueError(f"box_size = {box_size!r}; give the side of the box in Mpc/h.")
    return float(box_size)


def checked_density(linear_density: np.ndarray) -> np.ndarray:
    """Return a density as float32, shape (n, n, n)."""
    density = np.asarray(linear_density, np.float32)
    if density.ndim != 3 or len(set(density.shape)) > 1 or len(density) < 2:
        raise ValueError(
            f"linear_density has shape {density.shape}; give a cubic grid (n, n, n) of the linear "
            "density contrast."
        )
    if problem := not_finite(density):
        raise ValueError(f"linear_density: {problem}; give finite values.")
    scatter = float(density.std(dtype=np.float64))
    mean = float(density.mean(dtype=np.float64))
    if abs(mean) > 0.1 * scatter:
        raise ValueError(
            f"linear_density has mean {mean:.3g} and standard deviation {scatter:.3g}; give the "
            "contrast δ = ρ/ρ̄ - 1 of mean zero, not the density."
        )
    return density


def checked_radii(
    smoothing_radii: Sequence[float] | np.ndarray, box_size: float, density: np.ndarray
) -> np.ndarray:
    """Return smoothing radii that a grid resolves, float64, shape (n,), in Mpc/h."""
    radii = np.asarray(smoothing_radii, np.float64)
    if radii.ndim != 1 or not radii.size or not (radii > 0).all() or (np.diff(radii) <= 0).any():
        raise ValueError(
            f"smoothing_radii = {smoothing_radii!r}; give increasing positive radii in Mpc/h."
        )
    cell = box_size / len(density)
    # a part in a million: radii and cells are often given with few digits
    if radii[0] < _CELLS_PER_RADIUS * cell * (1 - 1e-6):
        raise ValueError(
            f"The smallest smoothing radius, {radii[0]:g} Mpc/h, is below the cell of "
            f"linear_density, {cell:.4g} Mpc/h (box_size {box_size:g} over {len(density)}), which "
            "does not resolve ∇²δ. Give a finer grid or use larger radii; check box_size."
        )
    return radii


def checked_positions(name: str, positions: np.ndarray, box_size: float) -> np.ndarray:
    """Return positions as float32, shape (P, 3), wrapped into [0, L)."""
    found = np.asarray(positions, np.float32)
    if found.ndim != 2 or found.shape[1] != 3 or not len(found):
        raise ValueError(f"{name} has shape {found.shape}; give (P, 3), one row for each object.")
    low, high = float(found.min()), float(found.max())  # NaN if any is
    if not (-_BOXES_OUTSIDE * box_size <= low and high <= (1 + _BOXES_OUTSIDE) * box_size):
        raise ValueError(
            f"{name} run from {low:g} to {high:g}, but box_size is {box_size:g}; give comoving "
            "positions in Mpc/h without NaN."
        )
    if low < 0 or high >= box_size:
        found = np.mod(found, np.float32(box_size))
        found[found >= box_size] = 0.0
    return found


def checked_sites(lagrangian_index: np.ndarray | None, n_particles: int, n_grid: int) -> np.ndarray:
    """Return the node of each particle, int32, shape (P,)."""
    if lagrangian_index is None:
        if n_particles != n_grid**3:
            raise ValueError(
                f"lagrangian_index is missing, and there are {n_particles} positions for a grid of "
                f"{n_grid}³ nodes; give the flat index (C order) of the node that each particle "
                "started from."
            )
        return np.arange(n_particles, dtype=np.int32)
    sites = np.asarray(lagrangian_index)
    if sites.shape != (n_particles,) or sites.dtype.kind not in "iu":
        raise ValueError(
            f"lagrangian_index is {sites.dtype} of shape {sites.shape}; give {n_particles} "
            "integers, one for each row of positions."
        )
    if sites.min() < 0 or sites.max() >= n_grid**3:
        raise ValueError(
            f"lagrangian_index runs from {sites.min()} to {sites.max()}, but linear_density has "
            f"nodes 0 to {n_grid**3 - 1}; give flat indices (C order) into it."
        )
    return sites.astype(np.int32, copy=False)


def checked_masses(masses: np.ndarray, n_halos: int) -> np.ndarray:
    """Return halo masses as float32, shape (H,)."""
    found = np.asarray(masses, np.float32)
    if found.shape != (n_halos,) or not (np.isfinite(found).all() and (found > 0).all()):
        raise ValueError(
            f"masses have shape {found.shape} and run from {found.min(initial=np.inf):g} to "
            f"{found.max(initial=-np.inf):g}; give {n_halos} positive masses, one for each halo."
        )
    return found


def checked_seeds(seeds: Sequence[int]) -> list[int]:
    """Return seeds as a list."""
    found = [int(seed) for seed in seeds]
    if not found or len(set(found)) < len(found) or min(found) < 0:
        raise ValueError(f"seeds = {seeds!r}; give one or more different integers from 0 on.")
    return found
