"""From the coordinates of files to positions in [0, L)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lagbias.grids.periodic import wrap

__all__ = ["Coordinates"]

#: Part of the box by which coordinates may exceed it: some codes do not wrap them.
_OUTSIDE = 0.1
#: Part of the box that particles of a whole box cover at least.
_COVERED = 0.9


@dataclass(frozen=True)
class Coordinates:
    """Coordinates of a periodic box.

    Parameters
    ----------
    box_size : float
        L [Mpc/h].
    origin : float
        Coordinate of the corner [Mpc/h].
    """

    box_size: float
    origin: float

    def to_box(self, positions: np.ndarray) -> np.ndarray:
        """Return positions [Mpc/h] as float32 in [0, L), of shape (P, 3)."""
        return wrap(positions.astype(np.float64) - self.origin, self.box_size)

    def check(self, lowest: float, highest: float, what: str, *, whole: bool = False) -> None:
        """Check the range of coordinates.

        Parameters
        ----------
        lowest, highest : float
            The range [Mpc/h].
        what : str
            Their name for messages.
        whole : bool, keyword-only
            Whether they fill the box.

        Raises
        ------
        ValueError
            Naming the likely mistake.
        """
        first, last = self.origin, self.origin + self.box_size
        inside = (
            lowest >= first - _OUTSIDE * self.box_size
            and highest <= last + _OUTSIDE * self.box_size
        )
        covered = highest - lowest >= _COVERED * self.box_size
        if inside and (covered or not whole):
            return
        raise ValueError(
            f"Coordinates in {what} run from {lowest:.6g} to {highest:.6g} Mpc/h, but the box from "
            f"{first:g} (origin) to {last:g} (origin + box_size). "
            f"{self._remedy(lowest, highest, covered)}"
        )

    def _remedy(self, lowest: float, highest: float, covered: bool) -> str:
        span = (highest - lowest) / self.box_size
        if covered and span <= 1 + _OUTSIDE:
            return f"Set origin to {self._rounded(lowest):g}."
        return (
            f"They would fill the box if length_unit were {1 / span:.4g} times as large (1000 or "
            f"0.001: kpc and Mpc; 1/h or h: lengths with and without a factor of h). Correct "
            f"length_unit or box_size."
        )

    def _rounded(self, lowest: float) -> float:
        """Return the likely origin: a multiple of half a box, or the lowest coordinate."""
        half = self.box_size / 2
        nearest = half * round(lowest / half)
        return nearest if abs(nearest - lowest) < _OUTSIDE * self.box_size else lowest
