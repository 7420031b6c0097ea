"""From particle IDs to sites of the initial lattice, and nodes of the linear density."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lagbias.sources.site_order import lagrangian_nodes

__all__ = ["Lattice"]


@dataclass(frozen=True)
class Lattice:
    """The lattice of the initial conditions, and how its particles are numbered.

    Parameters
    ----------
    per_side : int
        Particles per side.
    order : {"C", "Fortran"}
        ``C`` if neighbours along z have consecutive IDs, ``Fortran`` if those along x have.
    first_id : int
        The ID at the corner of the box.
    """

    per_side: int
    order: str
    first_id: int

    def check(self, lowest: int, highest: int) -> None:
        """Raise ValueError if particles with the lowest and the highest ID are not on it."""
        last = self.first_id + self.per_side**3 - 1
        if self.first_id <= lowest and highest <= last:
            return
        if highest - lowest < self.per_side**3:
            remedy = f"Set first_id to {lowest}"
        else:
            remedy = "Correct particles_per_side"
        raise ValueError(
            f"Particle IDs run from {lowest} to {highest}, but {self.first_id} to {last} (first_id "
            f"to first_id + {self.per_side}³ - 1) is expected. {remedy}, or use IDs that number "
            f"the sites of a lattice."
        )

    def sites(self, ids: np.ndarray) -> np.ndarray:
        """Return the flat index (C order) of each particle's lattice site.

        Parameters
        ----------
        ids : ndarray of integers, shape (P,)
            Particle IDs that are on the lattice.

        Returns
        -------
        ndarray, int64, shape (P,)
        """
        number = np.asarray(ids).astype(np.int64) - self.first_id
        if self.order == "C":
            return number
        k, rest = np.divmod(number, self.per_side**2)
        j, i = np.divmod(rest, self.per_side)
        return (i * self.per_side + j) * self.per_side + k

    def nodes(self, sites: np.ndarray, n_grid: int) -> np.ndarray:
        """Return the nearest node of a grid of `n_grid` per side of each site, in C order.

        Parameters
        ----------
        sites : ndarray, int64, shape (P,)
            From :meth:`sites`.
        n_grid : int
            Nodes per side.

        Returns
        -------
        ndarray, int32, shape (P,)
        """
        if n_grid == self.per_side:
            return sites.astype(np.int32)
        nearest = lagrangian_nodes(self.per_side, n_grid)
        i, rest = np.divmod(sites, self.per_side**2)
        j, k = np.divmod(rest, self.per_side)
        return (nearest[i] * n_grid + nearest[j]) * n_grid + nearest[k]
