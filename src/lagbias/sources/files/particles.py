"""Particles of a box in arrays, and what every reader of particles offers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lagbias.sources.files.arrays import array_blocks, array_shape, blocks_of

if TYPE_CHECKING:
    from lagbias.config.sections import FileBox

__all__ = ["ArrayParticles", "ParticleFiles", "Stated"]


@dataclass(frozen=True, kw_only=True)
class Stated:
    """What files say about a simulation; None where they say nothing."""

    box_size: float | None = None  # Mpc/h
    redshift: float | None = None
    particle_mass: float | None = None  # Msun/h


class ParticleFiles(Protocol):
    """A reader of particles."""

    count: int
    stated: Stated
    moving: bool  # whether the files have velocities

    def positions(self) -> Iterator[np.ndarray]:
        """Yield blocks of comoving positions [Mpc/h], of shape (b, 3)."""

    def velocities(self) -> Iterator[np.ndarray]:
        """Yield blocks of peculiar velocities [km/s], of shape (b, 3)."""

    def ids(self) -> Iterator[np.ndarray]:
        """Yield blocks of particle IDs, of shape (b,)."""


class ArrayParticles:
    """Particles in arrays.

    Parameters
    ----------
    box : FileBox
        Names of the arrays.
    length_unit : float, keyword-only
        Unit of positions [Mpc/h].
    first_id : int, keyword-only
        ID of the first row where there is no array of IDs.
    """

    stated = Stated()

    def __init__(self, box: FileBox, *, length_unit: float, first_id: int):
        self._box, self._unit, self._first_id = box, length_unit, first_id
        self.count, self.moving = array_shape(box.positions)[0], box.velocities is not None

    def positions(self) -> Iterator[np.ndarray]:
        """Yield blocks of comoving positions [Mpc/h], of shape (b, 3)."""
        for block in array_blocks(self._box.positions, (self.count, 3)):
            yield block * np.float64(self._unit)

    def velocities(self) -> Iterator[np.ndarray]:
        """Yield blocks of peculiar velocities [km/s]: zero where there is no array of them."""
        if self._box.velocities:
            yield from array_blocks(self._box.velocities, (self.count, 3))
        else:
            for part in blocks_of((self.count, 3)):
                yield np.zeros((min(part.stop, self.count) - part.start, 3), np.float32)

    def ids(self) -> Iterator[np.ndarray]:
        """Yield blocks of particle IDs; without an array of them, rows have consecutive ones."""
        if self._box.particle_ids:
            yield from array_blocks(self._box.particle_ids, (self.count,))
        else:
            yield np.arange(self._first_id, self._first_id + self.count)
