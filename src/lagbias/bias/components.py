"""Principal components of the gradient of f as data (Wu, Muñoz & Eisenstein 2023, §4)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lagbias.schema import fields

__all__ = ["GradientPCA"]


@dataclass(frozen=True, kw_only=True)
class GradientPCA:
    """Principal components of ∇f."""

    KIND: ClassVar[str] = "gradient_pca"
    smoothing_radii: np.ndarray = fields.array("Mpc/h", "radius", "R_f")
    eigenvalues: np.ndarray = fields.array("1", "component", "mean square of u·∇f, descending")
    directions: np.ndarray = fields.array(
        "1", "component component", "U, one component per column, with mean u·∇f ≥ 0"
    )
    matrix: np.ndarray = fields.array("1", "component feature", "M = Uᵀ P Λ^{-1/2} Vᵀ (eq. 4.1)")
    centred_eigenvalues: np.ndarray = fields.array(
        "1", "component", "of the centred covariance of ∇f, for comparison"
    )
    components: np.ndarray = fields.array("1", "particle stored", "first coordinates of a sample")
    f: np.ndarray = fields.array("1", "particle", "average f of the sample")
    train_box: str = fields.label("training box")
    sample: str = fields.label("halo sample")
    smoothing_set: str = fields.label("smoothing set")

    @property
    def first(self) -> np.ndarray:
        """Coefficients of δ, ∇²δ and G2 in the first component, (n radii, 3), dimensionless."""
        return self.matrix[0].reshape(-1, 3)
