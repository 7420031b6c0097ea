"""Second-order Lagrangian bias, fitted on the field level.

f = 1 + c_1 δ + c_2 (δ² - ⟨δ²⟩) + c_3 G2 + c_4 ∇²δ in normalised features of one smoothing radius,
with the means over particles subtracted so that ⟨f⟩ = 1. Particles carry these weights to their
final positions in the simulation (Modi, Chen & White 2020; Kokron et al. 2021). Since the model is
linear in the coefficients, the minimum of Σ_k W(k) |δ_model - δ_h|² is that of five painted fields.
f may be negative.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from lagbias.grids.mode_products import filtered_modes, gram_matrix, smooth_filter
from lagbias.grids.weighted_fields import WeightedFields, paint_weighted
from lagbias.runtime.device import in_chunks
from lagbias.schema import fields
from lagbias.schema.labels import EnsembleLabels

__all__ = [
    "BiasParameters",
    "PolynomialBias",
    "basis_fields",
    "model_field",
    "normal_equations",
    "solve",
]

_TERMS = 4


class BiasParameters(NamedTuple):
    """Parameters of f = 1 + b1 δ + b2/2 (δ² - ⟨δ²⟩) + b_s2 (s² - ⟨s²⟩) + b_nabla2 ∇²δ.

    This is the convention of Modi et al. (2020) and of Lagrangian perturbation theory: δ is the
    linear overdensity at the snapshot's redshift, smoothed with R_f; s² = Σ_ij s_ij² over all nine
    components of the traceless tidal tensor, which is G2, without a factor of 1/2. The parameters
    belong to the smoothed fields and are not renormalised.
    """

    b1: float  # dimensionless
    b2: float  # dimensionless
    b_s2: float  # dimensionless
    b_nabla2: float  # [(Mpc/h)²]


@dataclass(frozen=True, kw_only=True)
class PolynomialBias(EnsembleLabels):
    """Second-order Lagrangian bias, used like a `lagbias.bias.ensemble.Ensemble` of one network."""

    KIND: ClassVar[str] = "polynomial_bias"
    coefficients: np.ndarray = fields.array("1", "4", "of normalised δ, δ², G2 and ∇²δ")
    averages: np.ndarray = fields.array("1", "4", "of these over the particles it is fitted to")
    sigma: np.ndarray = fields.array(
        "1, (h/Mpc)^2, 1", "3", "standard deviation of δ, ∇²δ and G2 before normalisation"
    )
    cut: float = fields.number("h/Mpc", "k_c of the filter")

    @property
    def parameters(self) -> BiasParameters:
        """The coefficients in the usual convention and units."""
        delta, lap_delta, g2 = self.sigma
        units = np.array([1 / delta, 2 / delta**2, 1 / g2, 1 / lap_delta])
        return BiasParameters(*(float(value) for value in units * self.coefficients))

    def __len__(self) -> int:
        return 1

    def evaluate(self, inputs: np.ndarray, *, threads: int = 1) -> np.ndarray:
        """Evaluate f of particles.

        Parameters
        ----------
        inputs : ndarray, float32, shape (P, 3)
            Normalised δ, ∇²δ and G2, dimensionless.
        threads : int, keyword-only
            Chunks of particles evaluated concurrently.

        Returns
        -------
        ndarray, float32, shape (1, P)
            f, dimensionless. On another box its mean is not one.
        """
        result = np.empty((1, len(inputs)), np.float32)

        def work(rows: slice) -> None:
            terms = _terms(inputs[rows]) - self.averages[:, None]
            result[0, rows] = 1.0 + self.coefficients @ terms

        in_chunks(work, len(inputs), device="cpu", task="evaluating f", threads=threads)
        return result


def basis_fields(
    features_of: Callable[[slice], np.ndarray],
    positions: np.ndarray,
    *,
    box_size: float,
    n_grid: int,
    threads: int = 1,
) -> WeightedFields:
    """Paint particles with the weights 1, δ, δ² - ⟨δ²⟩, G2 and ∇²δ.

    Parameters
    ----------
    features_of : callable
        Returns normalised δ, ∇²δ and G2, float32, shape (p, 3), of a slice of particles.
    positions : ndarray, float32, shape (P, 3)
        Final positions of all particles [Mpc/h], in [0, L).
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    n_grid : int, keyword-only
        Nodes per side of the evaluation grid.
    threads : int, keyword-only
        Threads of painting; the result does not depend on it.

    Returns
    -------
    WeightedFields
        Five fields in units of the mean number of particles in a cell: the overdensity of the
        particles, then the others with the means over particles subtracted. Those means are
        its `averages`.
    """

    def weights_of(rows: slice) -> np.ndarray:
        terms = _terms(features_of(rows))
        return np.concatenate([np.ones((1, terms.shape[1])), terms])

    return paint_weighted(
        weights_of,
        positions,
        n_weights=1 + _TERMS,
        box_size=box_size,
        n_grid=n_grid,
        threads=threads,
    )


def normal_equations(
    basis: np.ndarray,
    halo_overdensity: np.ndarray,
    *,
    box_size: float,
    cut: float,
    threads: int = 1,
) -> np.ndarray:
    """Sum Σ_k W(k) Re(a_k b_k*) / N³ for all pairs of five basis fields and the halo field.

    Parameters
    ----------
    basis : ndarray, float32, shape (5, n, n, n)
        Fields of `basis_fields`, dimensionless.
    halo_overdensity : ndarray, float32, shape (n, n, n)
        δ_h on the same grid, painted with CIC, dimensionless.
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    cut : float, keyword-only
        k_c of W = exp(-(k / k_c)⁴) [h/Mpc].
    threads : int, keyword-only
        Threads of the transforms.

    Returns
    -------
    ndarray, float64, shape (6, 6)
        The sums, dimensionless; those of several boxes may be added.
    """
    weight = smooth_filter(len(halo_overdensity), box_size, cut)
    return gram_matrix(filtered_modes([*basis, halo_overdensity], weight, threads=threads))


def solve(normal: np.ndarray) -> np.ndarray:
    """Minimise the filtered residual; the coefficient of the particles' overdensity is one.

    Parameters
    ----------
    normal : ndarray, float64, shape (6, 6)
        Sum of `normal_equations` over boxes.

    Returns
    -------
    ndarray, float64, shape (4,)
        Coefficients of normalised δ, δ², G2 and ∇²δ, dimensionless.
    """
    terms = slice(1, 1 + _TERMS)
    return np.linalg.solve(normal[terms, terms], normal[terms, -1] - normal[terms, 0])


def model_field(basis: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Return the overdensity of a solution.

    Parameters
    ----------
    basis : ndarray, float32, shape (5, n, n, n)
        Fields of `basis_fields`, of any box, dimensionless. Their means over its own particles are
        subtracted, so that ⟨f⟩ = 1 there.
    coefficients : ndarray, float64, shape (4,)
        From `solve`, dimensionless.

    Returns
    -------
    ndarray, float32, shape (n, n, n)
        δ_model, dimensionless.
    """
    field = basis[0].copy()
    for coefficient, term in zip(coefficients, basis[1:], strict=True):
        field += np.float32(coefficient) * term
    return field


def _terms(features: np.ndarray) -> np.ndarray:
    """Return δ, δ², G2 and ∇²δ, float64, (4, p)."""
    delta, lap_delta, g2 = features.T.astype(np.float64)
    return np.array([delta, delta**2, g2, lap_delta])
