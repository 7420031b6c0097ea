"""Region of the thin slab in Fig. 1: a square, a layer of initial nodes, and a depth."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["MARGIN", "Region", "choose_region", "layer_rows", "slab_rows"]

#: Points this far outside the square contribute to its smoothed maps [Mpc/h].
MARGIN = 4.0
#: Particles handled at a time: bounds temporary arrays to some 0.5 GB.
_CHUNK = 1 << 24
# Particles within this distance of the most massive halo belong to it [Mpc/h].
_PROTO_HALO_RADIUS = 2.0


@dataclass(frozen=True)
class Region:
    """A square of the (x, y) plane, a layer of initial nodes, and a slab around a halo.

    Node (i, j, k) of the initial grid is at (i, j, k) L / N. The lower corner of the square is half
    a node below the node (i, j) = `corner`; `layer` is the index k of the layer of nodes. The slab
    is `depth` thick about the plane z = `middle`. Lengths are in Mpc/h.
    """

    corner: np.ndarray
    n_nodes: int
    layer: int
    middle: float
    depth: float
    box_size: float
    n_side: int

    @property
    def spacing(self) -> float:
        """Distance of neighbouring nodes [Mpc/h]."""
        return self.box_size / self.n_side

    @property
    def size(self) -> float:
        """Side of the square [Mpc/h]."""
        return self.n_nodes * self.spacing

    def places(self, positions: np.ndarray) -> np.ndarray:
        """Return x and y (P, 2) relative to the lower corner, of the image nearest the centre.

        They are in [0, `size`) inside the square.
        """
        lower = (np.asarray(self.corner) - 0.5) * self.spacing
        centred = positions[:, :2] - (lower + 0.5 * self.size)
        return _wrap(centred, self.box_size) + 0.5 * self.size

    def nodes(self, sites: np.ndarray) -> np.ndarray:
        """Return x and y of initial nodes, (P, 2) [Mpc/h], from their flat indices (P,)."""
        column = sites // self.n_side
        return np.stack([column // self.n_side, column % self.n_side], axis=1) * self.spacing

    def contains(self, places: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """Return which places (P, 2) are at most `margin` [Mpc/h] outside the square, bool (P,)."""
        return ((places >= -margin) & (places < self.size + margin)).all(axis=1)


def choose_region(
    halo_positions: np.ndarray,
    halo_mass: np.ndarray,
    positions: np.ndarray,
    sites: np.ndarray,
    *,
    box_size: float,
    n_side: int,
    size: float = 60.0,
    depth: float = 10.0,
) -> Region:
    """Centre the square on the most massive halo, and the layer on the origin of its particles.

    Parameters
    ----------
    halo_positions : ndarray, shape (H, 3)
        Centres [Mpc/h], in [0, L).
    halo_mass : ndarray, shape (H,)
        Masses [Msun/h].
    positions : ndarray, shape (P, 3)
        Final positions of all particles [Mpc/h], in [0, L).
    sites : ndarray, int, shape (P,)
        Flat C-order index of each particle's initial node.
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    n_side : int, keyword-only
        Nodes per side of the initial grid.
    size, depth : float, keyword-only
        Side of the square and thickness of the slab [Mpc/h], at most the box. The side is rounded
        to whole nodes; a square that reaches within two margins of the box is the whole box.

    Raises
    ------
    ValueError
        If there is no halo, or a length is not positive.
    """
    if not (len(halo_mass) and size > 0 and depth > 0):
        raise ValueError(
            f"No region of {size} Mpc/h with a depth of {depth} Mpc/h around the most massive of "
            f"{len(halo_mass)} halos; give positive lengths and at least one halo."
        )
    spacing = box_size / n_side
    halo = np.asarray(halo_positions[np.argmax(halo_mass)], dtype=np.float64)
    fits = size + 2.0 * MARGIN < box_size
    n_nodes = max(round(size / spacing), 1) if fits else n_side
    # the centre of the square is at node corner + (n_nodes - 1) / 2
    corner = np.round(halo[:2] / spacing - 0.5 * (n_nodes - 1)).astype(int) % n_side
    layer = round(_initial_z(halo, positions, sites, box_size, n_side) / spacing) % n_side
    return Region(corner, n_nodes, layer, float(halo[2]), min(depth, box_size), box_size, n_side)


def layer_rows(region: Region, positions: np.ndarray, sites: np.ndarray) -> np.ndarray:
    """Choose the layer's particles that start or end in the square.

    Parameters
    ----------
    region : Region
        The region.
    positions, sites : ndarray
        Of all particles, as in `choose_region`.

    Returns
    -------
    ndarray, int64, shape (p,)
        Rows, ascending.
    """
    layer = _rows(len(sites), lambda part: sites[part] % region.n_side == region.layer)
    started = region.contains(region.places(region.nodes(sites[layer])))
    return layer[started | region.contains(region.places(positions[layer]))]


def slab_rows(region: Region, positions: np.ndarray, margin: float = 0.0) -> np.ndarray:
    """Choose particles or halos that end in the slab, in the square or near it.

    Parameters
    ----------
    region : Region
        The region.
    positions : ndarray, shape (P, 3)
        Final positions of particles or halos [Mpc/h], in [0, L).
    margin : float
        Distance outside the square that counts as near [Mpc/h].

    Returns
    -------
    ndarray, int64, shape (p,)
        Rows, ascending.
    """

    def within(part: slice) -> np.ndarray:
        offset = _wrap(positions[part, 2] - region.middle, region.box_size)
        return (offset >= -0.5 * region.depth) & (offset < 0.5 * region.depth)

    rows = _rows(len(positions), within)
    return rows[region.contains(region.places(positions[rows]), margin)]


def _initial_z(
    halo: np.ndarray, positions: np.ndarray, sites: np.ndarray, box_size: float, n_side: int
) -> float:
    """Return the mean initial z of the particles near a halo [Mpc/h], or its own z without any."""

    def near(part: slice) -> np.ndarray:
        squares = sum(
            np.square(_wrap(positions[part, axis] - halo[axis], box_size)) for axis in range(3)
        )
        return squares < _PROTO_HALO_RADIUS**2

    rows = _rows(len(positions), near)
    if not rows.size:
        return float(halo[2])
    initial = (sites[rows] % n_side) * (box_size / n_side)
    return float(halo[2] + _wrap(initial - halo[2], box_size).mean())


def _rows(n_rows: int, test: Callable[[slice], np.ndarray]) -> np.ndarray:
    """Return the rows for which `test` of a slice of rows is true, a chunk at a time."""
    parts = (slice(first, first + _CHUNK) for first in range(0, n_rows, _CHUNK))
    found = [part.start + np.flatnonzero(test(part)) for part in parts]
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def _wrap(offset: np.ndarray, box_size: float) -> np.ndarray:
    """Return the periodic images of offsets in [-L/2, L/2) [Mpc/h]."""
    return (offset + 0.5 * box_size) % box_size - 0.5 * box_size
