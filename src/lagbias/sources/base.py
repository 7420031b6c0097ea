"""Box, the common product of all sources, and checks of its contents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, ClassVar

import numpy as np

from lagbias.schema import fields
from lagbias.schema.fields import array

__all__ = [
    "REQUIRED_ATTRIBUTES",
    "SMALLEST_ALIGNED",
    "Box",
    "Halos",
    "LinearDensity",
    "Particles",
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
"""Required attributes of a box, and their meaning."""

SMALLEST_ALIGNED = 100.0
"""Minimum side [Mpc/h] of a box for `check_alignment`."""

_ARRAYS = {
    "linear_density.delta": ("nnn", np.float32),
    "particles.lagrangian_site": ("p", np.int32),
    "particles.position": ("p3", np.float32),
    "halos.position": ("h3", np.float32),
    "halos.mass": ("h", np.float32),
    "halos.particles": ("h", np.int32),
    "halos.velocity": ("h3", np.float32),
}
"""Axes and dtype of every array of a box."""
_MAX_RMS_DISPLACEMENT = 15.0
_MIN_LARGE_SCALE_CORRELATION = 0.9


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Attributes that the parts of a box share."""

    attributes: Mapping[str, Any] = fields.attributes("of the box")

    @property
    def box_size(self) -> float:
        """Side L of the periodic box [Mpc/h]."""
        return float(self.attributes["box_size"])


@dataclass(frozen=True, kw_only=True)
class LinearDensity(_Part):
    """Linear density contrast on the initial grid, scaled to the snapshot's redshift."""

    KIND: ClassVar[str] = "linear_density"
    delta: np.ndarray = array(
        "1", "x y z", "δ at the snapshot's redshift; node [i, j, k] is at (i, j, k) L/n"
    )


@dataclass(frozen=True, kw_only=True)
class Particles(_Part):
    """Particles, with their Lagrangian sites and final positions.

    Sites ascend, so that consecutive particles need neighbouring planes of a grid only.
    """

    KIND: ClassVar[str] = "particles"
    lagrangian_site: np.ndarray = array(
        "1",
        "particle",
        "flat index (C order) of the initial-density node, ascending",
        code="i",
    )
    position: np.ndarray = array("Mpc/h", "particle 3", "final comoving position in [0, L)")

    @property
    def n_grid(self) -> int:
        """Nodes per side of the linear density."""
        return int(self.attributes["n_grid"])


@dataclass(frozen=True, kw_only=True)
class Halos(_Part):
    """Halos of a box, by decreasing mass."""

    KIND: ClassVar[str] = "halos"
    position: np.ndarray = array("Mpc/h", "halo 3", "centre of mass in [0, L)")
    mass: np.ndarray = array("Msun/h", "halo", "mass")
    particles: np.ndarray = array("1", "halo", "number of particles", code="i")
    velocity: np.ndarray = array("km/s", "halo 3", "mean peculiar velocity")


@dataclass(frozen=True, kw_only=True)
class Box:
    """One simulated box; its parts share attributes, at least :data:`REQUIRED_ATTRIBUTES`."""

    linear_density: LinearDensity
    particles: Particles
    halos: Halos

    @classmethod
    def from_arrays(
        cls,
        *,
        delta: np.ndarray,
        lagrangian_site: np.ndarray,
        position: np.ndarray,
        halo_position: np.ndarray,
        halo_mass: np.ndarray,
        halo_particles: np.ndarray,
        halo_velocity: np.ndarray,
        attributes: Mapping[str, Any],
    ) -> Box:
        """Build a box from the arrays of its three parts."""
        return cls(
            linear_density=LinearDensity(delta=delta, attributes=attributes),
            particles=Particles(
                lagrangian_site=lagrangian_site, position=position, attributes=attributes
            ),
            halos=Halos(
                position=halo_position,
                mass=halo_mass,
                particles=halo_particles,
                velocity=halo_velocity,
                attributes=attributes,
            ),
        )

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Attributes of the box."""
        return self.particles.attributes


def check_contract(box: Box, *, unique_sites: bool = False) -> None:
    """Check a box against the definition of :class:`Box`.

    Parameters
    ----------
    box : Box
    unique_sites : bool, keyword-only
        Whether no two particles may share a Lagrangian site: true for one particle per node, false
        if the grid of the density is coarser than the particle lattice.

    Raises
    ------
    ValueError
        With one line for each violation.
    """
    problems = list(_attribute_problems(box.attributes)) + list(_shape_problems(box))
    if not problems:  # values are checked only in arrays of the right shape and dtype
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
            f"The box from source {name!r} violates the contract of Box:\n  - "
            + "\n  - ".join(problems)
        )


def check_alignment(box: Box, *, k_max: float = 0.1) -> None:
    """Check that the particles of a box follow its linear density.

    Detects transposed axes, a wrong origin and a wrong order of particles, which leave shapes and
    ranges unchanged. For boxes of at least :data:`SMALLEST_ALIGNED`.

    Parameters
    ----------
    box : Box
        Box that passes :func:`check_contract`.
    k_max : float
        Maximum wavenumber [h/Mpc].

    Raises
    ------
    ValueError
        If the rms displacement exceeds 15 Mpc/h, or the correlation coefficient of matter and
        linear density is below 0.9.
    """
    displacement = rms_displacement(box)
    if not 0.0 < displacement < _MAX_RMS_DISPLACEMENT:
        raise ValueError(
            f"The rms displacement of particles from their Lagrangian sites is {displacement:.2f} "
            f"Mpc/h, expected between 0 and {_MAX_RMS_DISPLACEMENT}: check the order of particles, "
            "the index order of lagrangian_site, and the origin of positions."
        )
    correlation = large_scale_correlation(box, k_max=k_max)
    if correlation < _MIN_LARGE_SCALE_CORRELATION:
        raise ValueError(
            f"The correlation coefficient of matter and linear density at k < {k_max} h/Mpc is "
            f"{correlation:.3f}, expected at least {_MIN_LARGE_SCALE_CORRELATION}: check the order "
            "of the axes and the origin of the linear density."
        )


def rms_displacement(box: Box) -> float:
    """Return the rms displacement [Mpc/h] of particles from their sites, periodically."""
    box_size, n_grid = float(box.attributes["box_size"]), len(box.linear_density.delta)
    total = 0.0
    nodes = np.unravel_index(box.particles.lagrangian_site, (n_grid,) * 3)
    for axis, node in enumerate(nodes):
        offset = box.particles.position[:, axis] - node * (box_size / n_grid)
        offset -= box_size * np.round(offset / box_size)
        total += float(np.mean(offset**2))
    return float(np.sqrt(total))


def large_scale_correlation(box: Box, *, k_max: float = 0.1) -> float:
    """Return the correlation coefficient of matter and linear density at k < `k_max` [h/Mpc].

    The summed cross power over the root of the product of summed auto powers; all modes have equal
    weight.

    Raises
    ------
    ValueError
        If the box has no mode below `k_max`.
    """
    box_size = float(box.attributes["box_size"])
    largest = int(np.floor(k_max * box_size / (2.0 * np.pi)))
    if largest < 1:
        raise ValueError(
            f"A box of {box_size} Mpc/h has no mode below k_max = {k_max} h/Mpc; raise k_max."
        )
    # four cells per half wave: window and aliasing are negligible
    n_cells = min(len(box.linear_density.delta), 8 * largest)
    cell = np.zeros(len(box.particles.position), dtype=np.int64)
    for axis in range(3):
        nearest = np.floor(box.particles.position[:, axis] * (n_cells / box_size) + 0.5).astype(
            np.int64
        )
        cell = cell * n_cells + nearest % n_cells
    matter = np.bincount(cell, minlength=n_cells**3).reshape((n_cells,) * 3)
    a = _low_modes(matter.astype(np.float64), largest)
    b = _low_modes(box.linear_density.delta, largest)
    index = np.arange(-largest, largest + 1)
    squared = index[:, None, None] ** 2 + index[:, None] ** 2 + index[largest:] ** 2
    chosen = (squared > 0) & (squared <= (k_max * box_size / (2.0 * np.pi)) ** 2)
    a, b = a[chosen], b[chosen]
    cross = np.sum(a * b.conj()).real
    return float(cross / np.sqrt(np.sum(np.abs(a) ** 2) * np.sum(np.abs(b) ** 2)))


def _low_modes(field: np.ndarray, largest: int) -> np.ndarray:
    """Return modes with indices -largest ... largest (last axis 0 ... largest), ascending."""
    import scipy.fft  # 0.3 s, which jobs that only read a box need not wait for

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


def _shape_problems(box: Box) -> Iterator[str]:
    lengths = {"3": 3, "n": len(box.linear_density.delta)}
    lengths |= {"p": len(box.particles.position), "h": len(box.halos.mass)}
    for name, (axes, dtype) in _ARRAYS.items():
        found, shape = attrgetter(name)(box), tuple(lengths[axis] for axis in axes)
        if found.shape != shape or found.dtype != dtype:
            yield (
                f"{name} is {found.dtype} {found.shape}, expected {np.dtype(dtype).name} {shape}"
            )
    if not lengths["p"]:
        yield "there are no particles"
    if box.attributes.get("n_grid", lengths["n"]) != lengths["n"]:
        yield (
            f"attribute 'n_grid' is {box.attributes['n_grid']}, linear_density has "
            f"{lengths['n']} nodes"
        )


def _finite_problems(box: Box) -> Iterator[str]:
    for name in _ARRAYS:
        if problem := fields.not_finite(attrgetter(name)(box)):
            yield f"{name}: {problem}; the input file may be damaged"
    for name, value in box.attributes.items():
        if isinstance(value, float) and not np.isfinite(value):
            yield f"attribute {name!r} is {value!r}, not a finite number"


def _density_problems(box: Box) -> Iterator[str]:
    mean = float(np.mean(box.linear_density.delta, dtype=np.float64))
    scatter = float(np.std(box.linear_density.delta, dtype=np.float64))
    if scatter == 0.0:
        yield f"linear_density has standard deviation {scatter}"
    elif abs(mean) > 1e-4 * scatter:
        yield f"linear_density has mean {mean:.3g}, not zero (standard deviation {scatter:.3g})"


def _particle_problems(box: Box, unique_sites: bool) -> Iterator[str]:
    yield from _outside(box, "particles.position")
    site, n_sites = box.particles.lagrangian_site, box.linear_density.delta.size
    if site.min() < 0 or site.max() >= n_sites:
        yield f"lagrangian_site runs from {site.min()} to {site.max()}, outside 0 ... {n_sites - 1}"
    elif np.any(site[1:] < site[:-1]):
        yield "particles are not in order of ascending lagrangian_site"
    elif unique_sites:
        shared = int(np.count_nonzero(np.bincount(site) > 1))
        if shared:
            yield f"{shared} Lagrangian sites are shared by several particles"


def _halo_problems(box: Box) -> Iterator[str]:
    yield from _outside(box, "halos.position")
    if box.halos.particles.min(initial=1) < 1:
        yield f"a halo has {box.halos.particles.min()} particles"
    expected = box.halos.particles * float(box.attributes["particle_mass"])
    wrong = np.count_nonzero(~np.isclose(box.halos.mass, expected, rtol=1e-5, atol=0.0))
    if wrong:
        yield f"{wrong} halo masses are not halo_particles * particle_mass"
    if np.any(np.diff(box.halos.mass) > 0):
        yield "halos are not in order of decreasing mass"


def _outside(box: Box, name: str) -> Iterator[str]:
    values, box_size = attrgetter(name)(box), box.attributes["box_size"]
    if not np.all((values >= 0) & (values < box_size)):
        yield f"{name} are not all in [0, {box_size}): {values.min()} ... {values.max()} Mpc/h"
