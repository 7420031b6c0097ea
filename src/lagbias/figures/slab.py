"""A thin slab of a box, to show how the method works (Wu, Muñoz & Eisenstein 2023, Fig. 1).

One layer of the initial grid gives the particles whose places, densities and weights are shown; all
particles that end up in a deeper slab around the most massive halo make the model halo field there.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from lagbias.figures.region import MARGIN, Region, layer_rows, slab_rows
from lagbias.grids import paint

__all__ = ["MAP_SMOOTHING", "Slab", "cut"]

#: Standard deviation [Mpc/h] of the Gaussian that smooths both maps: halos are points, but the
#: matter that stands for them is spread over their size and more. It ends after four of them.
MAP_SMOOTHING = MARGIN / 4.0


@dataclass(frozen=True)
class Slab:
    """What Fig. 1 shows.

    Attributes
    ----------
    origin : ndarray, float32, shape (p, 2)
        Initial place of each particle of the layer, from the region's lower corner [Mpc/h]. A
        place outside [0, `region_size`) is that of a particle that moved in.
    position : ndarray, float32, shape (p, 2)
        Its final place, likewise; outside if it moved out [Mpc/h].
    f : ndarray, float32, shape (p,)
        Its weight, the average of the networks, dimensionless.
    delta : ndarray, float32, shape (p,)
        Its initial density, smoothed with `rf`, over the standard deviation, dimensionless.
    initial_delta : ndarray, float32, shape (nx, ny)
        The same at all nodes of the layer; node (i, j) is in the middle of its square.
    model_map, halo_map : ndarray, float32, shape (m, m)
        1 + δ_model and 1 + δ_h averaged over the slab's depth and smoothed with a Gaussian of
        `MAP_SMOOTHING`, dimensionless.
    region_size : float
        Side of the region [Mpc/h].
    layer_thickness : float
        Distance of neighbouring layers of the initial grid [Mpc/h].
    depth : float
        Thickness of the slab of the maps [Mpc/h].
    rf : float
        Smoothing radius R_f of `delta` [Mpc/h].
    """

    origin: np.ndarray
    position: np.ndarray
    f: np.ndarray
    delta: np.ndarray
    initial_delta: np.ndarray
    model_map: np.ndarray
    halo_map: np.ndarray
    region_size: float
    layer_thickness: float
    depth: float
    rf: float


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
    """Cut what Fig. 1 shows out of a box.

    Parameters
    ----------
    region : Region
        Where.
    positions : ndarray, shape (P, 3)
        Final positions of all particles [Mpc/h], in [0, L).
    sites : ndarray, int, shape (P,)
        Flat C-order index of each particle's initial node.
    halo_positions : ndarray, shape (H, 3)
        Centres of all halos of the sample [Mpc/h], in [0, L).
    halo_mass : ndarray, shape (H,)
        Their masses [Msun/h].
    f_of : callable
        Takes rows of particles, int64 (p,), and returns their average f (p,), dimensionless.
    delta : ndarray, shape (N, N, N)
        Normalised initial density on the initial grid, dimensionless.
    rf : float, keyword-only
        Its smoothing radius [Mpc/h].
    pixel : float, keyword-only
        Side of the maps' pixels [Mpc/h], rounded so that they fill the region.

    Returns
    -------
    Slab

    Raises
    ------
    ValueError
        If `delta` is not on the region's initial grid, or the halos have no mass.
    """
    if delta.shape != (region.n_side,) * 3:
        raise ValueError(
            f"delta has shape {delta.shape}, but the region was chosen on an initial grid of "
            f"{region.n_side} nodes a side; use the features of the same box."
        )
    rows = layer_rows(region, positions, sites)
    origin = region.places(region.nodes(sites[rows]))
    i, j = ((first + np.arange(region.n_nodes)) % region.n_side for first in region.corner)
    # the networks' f have mean one, so the number of particles stands for the sum of f
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
    """Average 1 + δ of the slab's weighted points over the depth, smoothed, float32 (m, m).

    `total`, the sum of the weights in the whole box, sets the mean density; points up to
    `MARGIN` outside the region belong to `positions`.
    """
    if not total > 0:
        raise ValueError(
            f"The weights of the whole box sum to {total}, so there is no mean density to compare "
            "with; are there halos with positive mass?"
        )
    n_pixels = max(round(region.size / pixel), 1)
    pixel = region.size / n_pixels
    radius = int(np.ceil(MARGIN / pixel))
    # a region that is the whole box wraps round and needs no margin
    margin = radius if region.n_nodes < region.n_side else 0
    n_padded = n_pixels + 2 * margin
    # a plane of points goes to the first plane of a cube; NGP cells are centred on nodes
    places = np.zeros((len(positions), 3))
    places[:, :2] = region.places(positions) + (margin - 0.5) * pixel
    sums = paint.paint_ngp(places, n_padded * pixel, n_padded, weights=weights)[:, :, 0]
    smooth = gaussian_filter(sums, MAP_SMOOTHING / pixel, mode="wrap", radius=radius)
    inner = slice(margin, margin + n_pixels)
    expected = total * pixel**2 * region.depth / region.box_size**3
    return (smooth[inner, inner] / expected).astype(np.float32)
