"""Feature grids of a density, and the halo field, from checked arrays."""

from collections.abc import Callable

import numpy as np

from lagbias.features.grids import feature_grids, values_at_sites
from lagbias.grids.halo_field import weighted_overdensity
from lagbias.model import arguments

__all__ = ["features_of", "halo_overdensity"]


def features_of(
    density: np.ndarray, box_size: float, smoothing_radii: np.ndarray, threads: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Compute the feature grids of a density and return a function that reads them at nodes.

    Parameters
    ----------
    density : ndarray, float32, shape (n_grid, n_grid, n_grid)
        Linear density contrast, dimensionless.
    box_size : float
        L [Mpc/h].
    smoothing_radii : ndarray, shape (n,)
        R_f [Mpc/h].
    threads : int
        Threads of the transforms.

    Returns
    -------
    callable
        Takes nodes (P,) and returns features, float32, (P, 3n).
    """
    grids = []
    for radius in smoothing_radii:
        each = feature_grids(density, box_size, float(radius), threads=threads)
        grids += [each.delta, each.lap_delta, each.g2]
    return lambda sites: values_at_sites(grids, sites)


def halo_overdensity(
    positions: np.ndarray, masses: np.ndarray, *, box_size: float, grid: int
) -> np.ndarray:
    """Paint the mass-weighted overdensity of halos, for comparison with `Model.predict`.

    Parameters
    ----------
    positions : ndarray, shape (H, 3)
        Halo centres [Mpc/h]; those outside of [0, L) are wrapped.
    masses : ndarray, shape (H,)
        Halo masses, in any units.
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    grid : int, keyword-only
        Nodes per side.

    Returns
    -------
    ndarray, float32, shape (grid, grid, grid)
        δ_h, painted with cloud in cell, dimensionless.

    Raises
    ------
    ValueError
        If an argument does not fit; the message names it.
    """
    size = arguments.checked_box_size(box_size)
    found = arguments.checked_positions("positions", positions, size)
    weights = arguments.checked_masses(masses, len(found))
    return weighted_overdensity(found, weights, size, grid, scheme="cic")
