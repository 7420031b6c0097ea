"""The usual mistakes in the coordinates, units and orders of a box, and how each is undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lagbias.sources.base import Box

__all__ = [
    "Mistake",
    "Sample",
    "density_mistakes",
    "halo_mistakes",
    "particle_mistakes",
    "sample_of",
]

_MOST_PARTICLES = 1_000_000
#: Largest modes along an axis: enough of them, and grids that are transformed at once.
_LARGEST_MODE = 8
_K_MAX = 0.1  # h/Mpc
#: Length of the mean of exp(2πi d / L) over displacements d that have a common shift.
_COMMON = 0.3
#: Part of the box that positions in the right units cover.
_COVERED = 0.95


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Part of a box that suffices to compare its particles, density and halos."""

    position: np.ndarray  # float64, shape (p, 3) [Mpc/h]
    site: np.ndarray  # int64, shape (p, 3): indices of the node of each particle
    n_grid: int  # nodes per side of the grid that sites refer to
    delta: np.ndarray  # float32, shape (m, m, m): the large scales of the linear density
    halo_position: np.ndarray  # float64, shape (h, 3) [Mpc/h]
    box_size: float  # Mpc/h

    @property
    def k_max(self) -> float:
        """Largest wavenumber that is compared [h/Mpc]."""
        return min(_K_MAX, 2 * np.pi * (_LARGEST_MODE + 0.5) / self.box_size)

    def displacement(self) -> np.ndarray:
        """Return the distance of particles from their sites [Mpc/h], periodically."""
        offset = self.position - self.site * (self.box_size / self.n_grid)
        return offset - self.box_size * np.round(offset / self.box_size)


@dataclass(frozen=True)
class Mistake:
    """A mistake that may have been made."""

    condition: str
    """Ends a sentence such as "The particles follow the linear density if ..."."""
    remedy: str
    """What to do about it, in the imperative."""
    undo: Callable[[Sample], Sample]
    """Makes the sample that it would be without the mistake."""

    def and_then(self, other: Mistake) -> Mistake:
        """Combine two mistakes."""
        parts = [one for one in (self, other) if one.condition]
        return Mistake(
            " and ".join(part.condition for part in parts),
            "; ".join(part.remedy for part in parts),
            lambda sample: other.undo(self.undo(sample)),
        )


def sample_of(box: Box) -> Sample:
    """Take part of a box: at most a million particles, and the large scales of the density."""
    site, position = box.particles.lagrangian_site, box.particles.position
    if len(site) > _MOST_PARTICLES:
        chosen = np.random.default_rng(0).integers(0, len(site), _MOST_PARTICLES)
        site, position = site[chosen], position[chosen]
    n_grid = len(box.linear_density.delta)
    return Sample(
        position=position.astype(np.float64),
        site=np.stack(np.unravel_index(site.astype(np.int64), (n_grid,) * 3), axis=-1),
        n_grid=n_grid,
        delta=_coarse(box.linear_density.delta, box.particles.box_size),
        halo_position=box.halos.position.astype(np.float64),
        box_size=box.particles.box_size,
    )


def _coarse(delta: np.ndarray, box_size: float) -> np.ndarray:
    """Return the density on a grid that resolves the modes that are compared."""
    import scipy.fft  # 0.3 s, which jobs that only read a box need not wait for

    largest = min(_LARGEST_MODE, max(1, int(_K_MAX * box_size / (2 * np.pi))))
    n, m = len(delta), 8 * largest
    if n <= m:
        return delta
    rows = np.arange(-m // 2 + 1, m // 2)
    low = np.zeros((m, m, m // 2 + 1), np.complex64)
    last = np.arange(m // 2)
    low[np.ix_(rows % m, rows % m, last)] = scipy.fft.rfftn(delta)[np.ix_(rows % n, rows % n, last)]
    return scipy.fft.irfftn(low * np.float32((m / n) ** 3), s=(m, m, m))


def particle_mistakes(sample: Sample) -> Iterator[Mistake]:
    """Yield mistakes in positions and sites; the first one is none at all."""
    yield Mistake("", "", lambda same: same)
    yield from _number_mistakes()
    yield from (_exchanged(axes, "position", "positions") for axes in _orders())
    if (scale := _scale(sample.position, sample.box_size)) != 1.0:
        yield _scaled(scale, "position", "positions")
    yield from _shifted(sample)


def density_mistakes() -> Iterator[Mistake]:
    """Yield mistakes in the linear density."""
    yield Mistake(
        "linear_density has the opposite sign",
        "give δ = ρ/ρ̄ - 1 instead of -δ",
        lambda sample: replace(sample, delta=-sample.delta),
    )
    yield from (_exchanged(axes, "delta", "linear_density") for axes in _orders())
    yield Mistake(
        "linear_density is moved by half a box along each axis",
        "its node [0, 0, 0] is at the centre of the box; roll it by half its length along each "
        "axis (numpy.roll), or set origin to the coordinate of that node",
        lambda sample: replace(
            sample, delta=np.roll(sample.delta, len(sample.delta) // 2, axis=(0, 1, 2))
        ),
    )


def halo_mistakes(sample: Sample) -> Iterator[Mistake]:
    """Yield mistakes in the positions of halos."""
    half = sample.box_size / 2
    yield Mistake(
        "they are moved by half a box along each axis",
        "give them with the origin of the particles",
        lambda same: replace(same, halo_position=(same.halo_position + half) % same.box_size),
    )
    if (scale := _scale(sample.halo_position, sample.box_size)) != 1.0:
        yield _scaled(scale, "halo_position", "halos")
    yield from (_exchanged(axes, "halo_position", "halos") for axes in _orders())


def _orders() -> list[tuple[int, int, int]]:
    """Return the orders of three axes, but the usual one; exchanges of two axes first."""
    others = [axes for axes in permutations(range(3)) if axes != (0, 1, 2)]
    return sorted(others, key=lambda axes: sum(a != b for a, b in enumerate(axes)))


def _exchanged(axes: tuple[int, int, int], name: str, what: str) -> Mistake:
    def undo(sample: Sample) -> Sample:
        values = getattr(sample, name)
        turned = values.transpose(axes) if name == "delta" else values[:, list(axes)]
        return replace(sample, **{name: np.ascontiguousarray(turned)})

    swapped = ["xyz"[axis] for axis, other in enumerate(axes) if axis != other]
    order = ", ".join("xyz"[axis] for axis in axes)
    if len(swapped) == 2:
        condition = f"the {' and '.join(swapped)} axes of {what} are exchanged"
    else:
        condition = f"the axes of {what} are taken in the order {order}"
    call = f"numpy.transpose(a, {axes})" if name == "delta" else f"a[:, {list(axes)}]"
    remedy = f"write {what} as {call}"
    if name == "position" and axes == (2, 1, 0):
        remedy += ", or linear_density transposed, with the other particle_order"
    return Mistake(condition, remedy, undo)


def _number_mistakes() -> Iterator[Mistake]:
    """Yield mistakes in the numbers of particles on the lattice."""

    def renumbered(read_as: str, written_as: str, step: int) -> Callable[[Sample], Sample]:
        def undo(sample: Sample) -> Sample:
            shape = (sample.n_grid,) * 3
            site = sample.site if read_as == "C" else sample.site[:, ::-1]
            flat = (np.ravel_multi_index(tuple(site.T), shape) + step) % sample.n_grid**3
            true = np.stack(np.unravel_index(flat, shape), axis=-1)
            return replace(sample, site=true if written_as == "C" else true[:, ::-1])

        return undo

    first = {
        -1: ("particle IDs start at 1", "raise first_id by 1 (subtract 1 from lagrangian_index)"),
        1: ("particle IDs start at 0", "lower first_id by 1 (add 1 to lagrangian_index)"),
    }
    other = (
        "particle IDs are read in the other order, Fortran (x fastest) instead of C (z fastest) or "
        "the reverse",
        "set particle_order to the other one (or transpose what lagrangian_index counts)",
    )
    orders = ("C", "Fortran")
    for step, (condition, remedy) in first.items():
        for order in orders:
            yield Mistake(condition, remedy, renumbered(order, order, step))
    yield Mistake(*other, renumbered(*orders, 0))
    for step, (condition, remedy) in first.items():
        for one, another in (orders, orders[::-1]):
            yield Mistake(
                f"{other[0]}, and {condition}",
                f"{other[1]}; {remedy}",
                renumbered(one, another, step),
            )


def _scale(position: np.ndarray, box_size: float) -> float:
    """Return the factor by which positions would fill the box, 1 if they do."""
    span = float(np.ptp(position)) if len(position) else 0.0
    return 1.0 if span == 0.0 or span >= _COVERED * box_size else box_size / span


def _scaled(scale: float, name: str, what: str) -> Mistake:
    def undo(sample: Sample) -> Sample:
        return replace(sample, **{name: getattr(sample, name) * scale % sample.box_size})

    return Mistake(
        f"{what} are multiplied by {scale:.4g}",
        "multiply length_unit by that (1000 or 0.001: kpc and Mpc; 1/h or h: lengths with and "
        "without a factor of h)",
        undo,
    )


def _shifted(sample: Sample) -> Iterator[Mistake]:
    """Yield the shift that particles have in common, where they have one."""
    phase = np.exp(2j * np.pi * sample.displacement() / sample.box_size).mean(axis=0)
    if np.abs(phase).min() < _COMMON:
        return
    shift = np.angle(phase) * sample.box_size / (2 * np.pi)
    cells = shift * sample.n_grid / sample.box_size
    half = sample.n_grid / 2
    if np.all(np.abs(np.abs(cells) - half) < 0.1 * half):
        condition = "they are moved by half a box along each axis"
        remedy = f"set origin to another multiple of box_size / 2 = {sample.box_size / 2:g}"
    else:
        listed = ", ".join(f"{-value:.2f}" for value in cells)
        condition = f"they are moved by ({listed}) cells of the density along x, y and z"
        remedy = (
            f"add {np.mean(shift):.4g} Mpc/h to origin (codes differ by half a cell or one in "
            f"where they put the first particle)"
        )
    yield Mistake(
        condition,
        remedy,
        lambda same: replace(same, position=(same.position - shift) % same.box_size),
    )
