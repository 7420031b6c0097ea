"""What every source of simulations provides, and the checks that hold it to that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft

from lagbias.artefacts import blocks

__all__ = [
    "REQUIRED_ATTRIBUTES",
    "SMALLEST_ALIGNED",
    "BoxData",
    "check_alignment",
    "check_contract",
    "large_scale_correlation",
    "rms_displacement",
]

REQUIRED_ATTRIBUTES: dict[str, str] = {
    "source": "name of the source",
    "box_size": "L [Mpc/h]",
    "redshift": "redshift of the snapshot",
    "growth": "D(redshift) / D(0)",
    "n_grid": "nodes per side of the linear density",
    "omega_m": "total matter density today",
    "particle_mass": "mass of one simulation particle [Msun/h]",
}
"""Attributes that every box has, and what they are."""

SMALLEST_ALIGNED = 100.0
"""Smallest side [Mpc/h] of a box that `check_alignment` can judge."""

_FLOATS = ("linear_density", "positions", "halo_positions", "halo_mass", "halo_velocities")
_MAX_RMS_DISPLACEMENT = 15.0
_MIN_LARGE_SCALE_CORRELATION = 0.9


@dataclass(frozen=True)
class BoxData:
    """One simulated box: the linear field, where its particles went, and its halos.

    Attributes
    ----------
    linear_density : ndarray, shape (n, n, n), float32
        Linear density contrast scaled to the snapshot's redshift, dimensionless; node [i, j, k]
        is at (i, j, k) L/n.
    lagrangian_site : ndarray, shape (P,), int32
        Flat C-order index of the node of `linear_density` where each particle started, ascending,
        so that particles in sequence need neighbouring planes of a grid only.
    positions : ndarray, shape (P, 3), float32
        Final positions [Mpc/h] in [0, L).
    halo_positions : ndarray, shape (H, 3), float32
        Centres of mass [Mpc/h] in [0, L).
    halo_mass : ndarray, shape (H,), float32
        Mass [Msun/h], decreasing.
    halo_particles : ndarray, shape (H,), int32
        Number of simulation particles.
    halo_velocities : ndarray, shape (H, 3), float32
        Mean peculiar velocity [km/s].
    attributes : Mapping
        At least :data:`REQUIRED_ATTRIBUTES`; plain numbers and strings.
    """

    linear_density: np.ndarray
    lagrangian_site: np.ndarray
    positions: np.ndarray
    halo_positions: np.ndarray
    halo_mass: np.ndarray
    halo_particles: np.ndarray
    halo_velocities: np.ndarray
    attributes: Mapping[str, Any]


def check_contract(box: BoxData, *, unique_sites: bool = False) -> None:
    """Refuse a box that does not keep what :class:`BoxData` promises.

    Parameters
    ----------
    box : BoxData
        The box.
    unique_sites : bool, keyword-only
        Whether no two particles may share a Lagrangian site: so for a simulation with one
        particle per node, not so where the density is kept on a coarser grid than the particles.

    Raises
    ------
    ValueError
        With one line for everything that is broken.
    """
    problems = list(_attribute_problems(box.attributes)) + list(_shape_problems(box))
    if not problems:  # values can only be looked at in arrays of the right kind
        problems = list(_finite_problems(box))
    if not problems:
        problems = [
            *_density_problems(box),
            *_particle_problems(box, unique_sites),
            *_halo_problems(box),
        ]
    if problems:
        name = box.attributes.get("source", "unnamed")
        raise ValueError(
            f"The box from source {name!r} breaks the contract of BoxData:\n  - "
            + "\n  - ".join(problems)
        )


def check_alignment(box: BoxData, *, k_max: float = 0.1) -> None:
    """Refuse a box whose particles do not follow its linear density.

    Transposed axes, a wrong origin or a wrong order of particles keep every shape and range but
    destroy these statistics. Meant for boxes of :data:`SMALLEST_ALIGNED` and more.

    Parameters
    ----------
    box : BoxData
        A box that passes :func:`check_contract`.
    k_max : float
        Largest wavenumber [h/Mpc] of :func:`large_scale_correlation`.

    Raises
    ------
    ValueError
        If particles are displaced from their sites by more than 15 Mpc/h rms, or the matter is
        correlated with the linear density by less than 0.9.
    """
    displacement = rms_displacement(box)
    if not 0.0 < displacement < _MAX_RMS_DISPLACEMENT:
        raise ValueError(
            f"Particles lie {displacement:.2f} Mpc/h (rms) from their Lagrangian sites, expected "
            f"more than 0 and less than {_MAX_RMS_DISPLACEMENT}: check the order of particles, "
            "the index order of lagrangian_site, and the origin of positions."
        )
    correlation = large_scale_correlation(box, k_max=k_max)
    if correlation < _MIN_LARGE_SCALE_CORRELATION:
        raise ValueError(
            f"Matter and linear density correlate by {correlation:.3f} at k < {k_max} h/Mpc, "
            f"expected more than {_MIN_LARGE_SCALE_CORRELATION}: check the order of the axes and "
            "the origin of the linear density."
        )


def rms_displacement(box: BoxData) -> float:
    """Return the rms distance [Mpc/h] of particles from their sites, the shortest way round."""
    box_size, n_grid = float(box.attributes["box_size"]), box.linear_density.shape[0]
    total = 0.0
    nodes = np.unravel_index(box.lagrangian_site, (n_grid,) * 3)
    for axis, node in enumerate(nodes):
        offset = box.positions[:, axis] - node * (box_size / n_grid)
        offset -= box_size * np.round(offset / box_size)
        total += float(np.mean(offset**2))
    return float(np.sqrt(total))


def large_scale_correlation(box: BoxData, *, k_max: float = 0.1) -> float:
    """Return the correlation coefficient of matter and linear density at k < `k_max`.

    Parameters
    ----------
    box : BoxData
        The box.
    k_max : float
        Largest wavenumber [h/Mpc].

    Returns
    -------
    float
        Sum of cross power over the root of the product of auto powers, all modes k < k_max with
        equal weight.

    Raises
    ------
    ValueError
        If the box is too small to have a mode below `k_max`.
    """
    box_size = float(box.attributes["box_size"])
    largest = int(np.floor(k_max * box_size / (2.0 * np.pi)))
    if largest < 1:
        raise ValueError(
            f"A box of {box_size} Mpc/h has no mode below k_max = {k_max} h/Mpc; raise k_max."
        )
    # Four cells per half wave keep the window and the aliasing of the deposit negligible.
    n_cells = min(box.linear_density.shape[0], 8 * largest)
    cell = np.zeros(len(box.positions), dtype=np.int64)
    for axis in range(3):
        nearest = np.floor(box.positions[:, axis] * (n_cells / box_size) + 0.5).astype(np.int64)
        cell = cell * n_cells + nearest % n_cells
    matter = np.bincount(cell, minlength=n_cells**3).reshape((n_cells,) * 3)
    a = _low_modes(matter.astype(np.float64), largest)
    b = _low_modes(box.linear_density, largest)
    index = np.arange(-largest, largest + 1)
    squared = index[:, None, None] ** 2 + index[:, None] ** 2 + index[largest:] ** 2
    chosen = (squared > 0) & (squared <= (k_max * box_size / (2.0 * np.pi)) ** 2)
    a, b = a[chosen], b[chosen]
    cross = np.sum(a * b.conj()).real
    return float(cross / np.sqrt(np.sum(np.abs(a) ** 2) * np.sum(np.abs(b) ** 2)))


def _low_modes(field: np.ndarray, largest: int) -> np.ndarray:
    """Return modes with indices -largest ... largest (last axis 0 ... largest), ascending."""
    rows = np.arange(-largest, largest + 1) % field.shape[0]
    modes = scipy.fft.rfftn(field)
    return modes[np.ix_(rows, rows, np.arange(largest + 1))].astype(np.complex128)


def _attribute_problems(attributes: Mapping[str, Any]) -> Iterator[str]:
    for name, meaning in REQUIRED_ATTRIBUTES.items():
        if name not in attributes:
            yield f"attribute {name!r} ({meaning}) is missing"
    for name in ("box_size", "growth", "particle_mass", "omega_m"):
        if name in attributes and not attributes[name] > 0:
            yield f"attribute {name!r} is {attributes[name]!r}, not a positive number"


def _shape_problems(box: BoxData) -> Iterator[str]:
    n, particles, halos = len(box.linear_density), len(box.positions), len(box.halo_mass)
    expected = {
        "linear_density": ((n, n, n), np.float32),
        "lagrangian_site": ((particles,), np.int32),
        "positions": ((particles, 3), np.float32),
        "halo_positions": ((halos, 3), np.float32),
        "halo_mass": ((halos,), np.float32),
        "halo_particles": ((halos,), np.int32),
        "halo_velocities": ((halos, 3), np.float32),
    }
    for name, (shape, dtype) in expected.items():
        array = getattr(box, name)
        if array.shape != shape or array.dtype != dtype:
            yield (
                f"{name} is {array.dtype} {array.shape}, expected {np.dtype(dtype).name} {shape}"
            )
    if not particles:
        yield "there are no particles"
    if box.attributes.get("n_grid", n) != n:
        yield f"attribute 'n_grid' is {box.attributes['n_grid']}, linear_density has {n} nodes"


def _finite_problems(box: BoxData) -> Iterator[str]:
    for name in _FLOATS:
        if problem := blocks.not_finite(getattr(box, name)):
            yield f"of {name}, {problem}: is the file that it is read from damaged?"
    for name, value in box.attributes.items():
        if isinstance(value, float) and not np.isfinite(value):
            yield f"attribute {name!r} is {value!r}, not a finite number"


def _density_problems(box: BoxData) -> Iterator[str]:
    mean = float(np.mean(box.linear_density, dtype=np.float64))
    scatter = float(np.std(box.linear_density, dtype=np.float64))
    if scatter == 0.0:
        yield f"linear_density has standard deviation {scatter}"
    elif abs(mean) > 1e-4 * scatter:
        yield f"linear_density has mean {mean:.3g}, not zero (standard deviation {scatter:.3g})"


def _particle_problems(box: BoxData, unique_sites: bool) -> Iterator[str]:
    yield from _outside(box, "positions")
    site, n_sites = box.lagrangian_site, box.linear_density.size
    if site.min() < 0 or site.max() >= n_sites:
        yield f"lagrangian_site runs from {site.min()} to {site.max()}, outside 0 ... {n_sites - 1}"
    elif np.any(site[1:] < site[:-1]):
        yield "particles are not in order of ascending lagrangian_site"
    elif unique_sites:
        shared = int(np.count_nonzero(np.bincount(site) > 1))
        if shared:
            yield f"{shared} Lagrangian sites are shared by several particles"


def _halo_problems(box: BoxData) -> Iterator[str]:
    yield from _outside(box, "halo_positions")
    if box.halo_particles.min(initial=1) < 1:
        yield f"a halo has {box.halo_particles.min()} particles"
    expected = box.halo_particles * float(box.attributes["particle_mass"])
    wrong = np.count_nonzero(~np.isclose(box.halo_mass, expected, rtol=1e-5, atol=0.0))
    if wrong:
        yield f"{wrong} halo masses are not halo_particles * particle_mass"
    if np.any(np.diff(box.halo_mass) > 0):
        yield "halos are not in order of decreasing mass"


def _outside(box: BoxData, name: str) -> Iterator[str]:
    values, box_size = getattr(box, name), box.attributes["box_size"]
    if not np.all((values >= 0) & (values < box_size)):
        yield f"{name} are not all in [0, {box_size}): {values.min()} ... {values.max()} Mpc/h"
