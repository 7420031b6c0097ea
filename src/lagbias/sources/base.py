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
    "Box",
    "Halos",
    "LinearDensity",
    "Particles",
    "check_contract",
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

_ARRAYS = {
    "linear_density.delta": ("nnn", np.float32),
    "particles.lagrangian_site": ("p", np.int32),
    "particles.position": ("p3", np.float32),
    "particles.velocity": ("v3", np.float32),
    "halos.position": ("h3", np.float32),
    "halos.mass": ("h", np.float32),
    "halos.particles": ("h", np.int32),
    "halos.velocity": ("h3", np.float32),
}
"""Axes and dtype of every array of a box."""


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


def _no_velocity() -> np.ndarray:
    return np.empty((0, 3), np.float32)


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
    velocity: np.ndarray = array(
        "km/s",
        "moving 3",
        "peculiar velocity of every particle, or of none if the source has no velocities",
        default_factory=_no_velocity,
    )

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
        velocity: np.ndarray | None = None,
    ) -> Box:
        """Build a box from the arrays of its three parts; `velocity` is that of particles."""
        return cls(
            linear_density=LinearDensity(delta=delta, attributes=attributes),
            particles=Particles(
                lagrangian_site=lagrangian_site,
                position=position,
                velocity=_no_velocity() if velocity is None else velocity,
                attributes=attributes,
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

    Halo masses are numbers of particles times their mass, unless the attribute ``halo_finder`` is
    ``catalogue``: spherical-overdensity masses are not.

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
    lengths["v"] = lengths["p"] if len(box.particles.velocity) else 0
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
    if box.attributes.get("halo_finder") != "catalogue":
        expected = box.halos.particles * float(box.attributes["particle_mass"])
        wrong = np.count_nonzero(~np.isclose(box.halos.mass, expected, rtol=1e-5, atol=0.0))
        if wrong:
            yield f"{wrong} halo masses are not halo_particles * particle_mass"
    elif box.halos.mass.min(initial=1) <= 0:
        yield f"a halo has the mass {box.halos.mass.min()} Msun/h"
    if np.any(np.diff(box.halos.mass) > 0):
        yield "halos are not in order of decreasing mass"


def _outside(box: Box, name: str) -> Iterator[str]:
    values, box_size = attrgetter(name)(box), box.attributes["box_size"]
    if not np.all((values >= 0) & (values < box_size)):
        yield f"{name} are not all in [0, {box_size}): {values.min()} ... {values.max()} Mpc/h"
