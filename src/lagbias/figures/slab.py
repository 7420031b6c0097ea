"""Thin slab of a box for the figure of the method (Wu, Muñoz & Eisenstein 2023, Fig. 1).

The particles of one layer of the initial grid are shown with their positions, densities and f. All
particles that end in a deeper slab around the most massive halo make the model halo field there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.ndimage import gaussian_filter

from lagbias.figures.region import MARGIN, Region, layer_rows, slab_rows
from lagbias.grids import paint
from lagbias.schema import fields
from lagbias.schema.labels import EvaluationLabels

__all__ = ["MAP_SMOOTHING", "Slab", "cut"]

#: Standard deviation of the Gaussian that smooths both maps, cut at four of them [Mpc/h]. Halos are
#: points, but the particles that model them are spread over a halo's size and more.
MAP_SMOOTHING = MARGIN / 4.0


@dataclass(frozen=True, kw_only=True)
class Slab(EvaluationLabels):
    """Particles of one layer in a square region, and the halo fields there.

    Places are relative to the region's lower corner; particles that leave or enter the region have
    one outside it. Node (i, j) of `initial_delta` is the centre of its pixel. Both maps are
    smoothed with `MAP_SMOOTHING`.
    """

    KIND: ClassVar[str] = "slab"
    origin: np.ndarray = fields.array("Mpc/h", "particle 2", "initial place in the region")
    position: np.ndarray = fields.array("Mpc/h", "particle 2", "final place in the region")
    f: np.ndarray = fields.array("1", "particle", "average f")
    delta: np.ndarray = fields.array("1", "particle", "normalised initial δ")
    initial_delta: np.ndarray = fields.array("1", "x y", "normalised initial δ of the layer")
    model_map: np.ndarray = fields.array("1", "mx my", "1 + δ_model averaged over the depth")
    halo_map: np.ndarray = fields.array("1", "mx my", "1 + δ_h averaged over the depth")
    region_size: float = fields.number("Mpc/h", "side of the region")
    layer_thickness: float = fields.number("Mpc/h", "distance of neighbouring layers")
    depth: float = fields.number("Mpc/h", "thickness of the slab of the maps")
    rf: float = fields.number("Mpc/h", "smoothing radius R_f of δ")


def cut(
    region: Region,
    positions: np.ndarray,
    sites: np.ndarray,
    halo_positions: np.ndarray,
    halo_mass: np.ndarray,
    f_of: Callable[[np.ndarray], np.ndarray],
    delta: np.ndarray,
    *,
    rf: float,
    pixel: float = 0.5,
) -> Slab:
    """Cut a slab out of a box; it has no labels.

    Parameters
    ----------
    region : Region
        See `lagbias.figures.region.choose_region`, as for the shapes and units of the arrays.
    positions, sites : ndarray
        Of all particles.
    halo_positions, halo_mass : ndarray
        Of all halos of the sample.
    f_of : callable
        Maps rows of particles, int64 (p,), to their average f (p,), dimensionless.
    delta : ndarray, shape (N, N, N)
        Initial density on the initial grid, over its standard deviation.
    rf : float, keyword-only
        Its smoothing radius [Mpc/h].
    pixel : float, keyword-only
        Side of the maps' pixels [Mpc/h], rounded so that they fill the region.

    Raises
    ------
    ValueError
        If `delta` is not on the region's initial grid, or the halos have no mass.
    """
    if delta.shape != (region.n_side,) * 3:
        raise ValueError(
            f"delta has shape {delta.shape}, but the region is on an initial grid of "
            f"{region.n_side} nodes per side; use the density of the same box."
        )
    rows = layer_rows(region, positions, sites)
    origin = region.places(region.nodes(sites[rows]))
    i, j = ((first + np.arange(region.n_nodes)) % region.n_side for first in region.corner)
    # f has a mean of one, so that its sum is the number of particles
    particles = slab_rows(region, positions, MARGIN)
    f_there, n_particles = f_of(particles), float(len(positions))
    halos = slab_rows(region, halo_positions, MARGIN)
    mass = np.sum(halo_mass, dtype=np.float64)
    return Slab(
        origin=origin.astype(np.float32),
        position=region.places(positions[rows]).astype(np.float32),
        f=np.asarray(f_of(rows), dtype=np.float32),
        delta=delta.reshape(-1)[sites[rows]].astype(np.float32),
        initial_delta=delta[np.ix_(i, j, [region.layer])][:, :, 0].astype(np.float32),
        model_map=_map(region, positions[particles], f_there, n_particles, pixel),
        halo_map=_map(region, halo_positions[halos], halo_mass[halos], mass, pixel),
        region_size=region.size,
        layer_thickness=region.spacing,
        depth=region.depth,
        rf=rf,
    )


def _map(
    region: Region, positions: np.ndarray, weights: np.ndarray, total: float, pixel: float
) -> np.ndarray:
    """Average 1 + δ of weighted points over the depth and smooth it, float32 (m, m).

    `positions` include points up to `MARGIN` outside the region. `total`, the sum of the weights
    in the whole box, sets the mean density.
    """
    if not total > 0:
        raise ValueError(
            f"The masses of all halos in the box sum to {total}; a positive sum is needed for the "
            "mean density."
        )
    n_pixels = max(round(region.size / pixel), 1)
    pixel = region.size / n_pixels
    radius = int(np.ceil(MARGIN / pixel))
    # a region that is the whole box is periodic and needs no margin
    margin = radius if region.n_nodes < region.n_side else 0
    n_padded = n_pixels + 2 * margin
    # points go to the first plane of a cube; NGP cells are centred on nodes
    places = np.zeros((len(positions), 3))
    places[:, :2] = region.places(positions) + (margin - 0.5) * pixel
    sums = paint.paint_ngp(places, n_padded * pixel, n_padded, weights=weights)[:, :, 0]
    smooth = gaussian_filter(sums, MAP_SMOOTHING / pixel, mode="wrap", radius=radius)
    inner = slice(margin, margin + n_pixels)
    expected = total * pixel**2 * region.depth / region.box_size**3
    return (smooth[inner, inner] / expected).astype(np.float32)
