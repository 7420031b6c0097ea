"""Features of the particles of a box, as they are stored."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lagbias.schema import fields

__all__ = ["COLUMNS", "ParticleFeatures"]

#: Features of one smoothing radius, in the order of their columns.
COLUMNS = ("delta", "lap_delta", "g2")


@dataclass(frozen=True, kw_only=True)
class ParticleFeatures:
    """Features of one smoothing radius at the sites of a box's particles, in their order.

    They are normalised on the grid. `mean` and `sigma` are those of δ, ∇²δ and G2, in this order.
    """

    KIND: ClassVar[str] = "particle_features"
    delta: np.ndarray = fields.array("1", "particle", "δ, unit variance on the grid")
    lap_delta: np.ndarray = fields.array("1", "particle", "∇²δ, unit variance on the grid")
    g2: np.ndarray = fields.array("1", "particle", "G2, zero mean and unit variance on the grid")
    mean: np.ndarray = fields.array("1, (h/Mpc)^2, 1", "3", "mean on the grid before normalisation")
    sigma: np.ndarray = fields.array(
        "1, (h/Mpc)^2, 1", "3", "standard deviation on the grid before normalisation"
    )
    box_size: float = fields.number("Mpc/h", "side of the box")
    rf: float = fields.number("Mpc/h", "smoothing radius R_f")
