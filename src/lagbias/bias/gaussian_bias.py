"""Gaussian Lagrangian bias (Stücker et al. 2024, arXiv:2405.01951), fitted on the field level.

f = p(x | halo) / p(x) with both distributions of x = (δ, ∇²δ) Gaussian, hence
ln f = a + c·x + xᵀ C x / 2. With covariance Σ of x and mean μ_h and covariance Σ_h at halos,
C = Σ⁻¹ - Σ_h⁻¹ and c = Σ_h⁻¹ μ_h; a follows from ⟨f⟩ = 1. Then f ≥ 0, and G2 does not enter.

c and C minimise Σ_k W(k) |δ_model - δ_h|². The method is Gauss–Newton with Levenberg–Marquardt
damping; the derivatives of δ_model are painted with δ_model in each step.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from lagbias.grids.mode_products import filtered_modes, gram_matrix, smooth_filter
from lagbias.grids.weighted_fields import WeightedFields, paint_weighted
from lagbias.runtime.device import in_chunks
from lagbias.schema import fields
from lagbias.schema.labels import EnsembleLabels

__all__ = ["Box", "GaussianBias", "fields_and_derivatives", "fit"]

_PARAMETERS = 5
#: The fit ends when a Gauss–Newton step would lower the objective by less than this fraction of
#: Σ W |δ_h|²: noise of 10⁵ modes moves a parameter by its standard error for about 10⁻⁵ of it.
_TOLERANCE = 1e-9
_MAX_STEPS = 60
#: Damping, relative to the diagonal of the normal equations: first value, change, largest value.
_DAMPING, _DAMPING_FACTOR, _MAX_DAMPING = 1e-3, 10.0, 1e9
_CHUNK = 1 << 18


class Box(NamedTuple):
    """Particles and halos that f is fitted to."""

    features_of: Callable[[slice], np.ndarray]  # normalised δ, ∇²δ, …, of particles, (p, ≥ 2)
    positions: np.ndarray  # final positions [Mpc/h], in [0, L), float32, (P, 3)
    halo_overdensity: np.ndarray  # δ_h on the evaluation grid, CIC, float32, (n, n, n)


@dataclass(frozen=True, kw_only=True)
class GaussianBias(EnsembleLabels):
    """Gaussian Lagrangian bias, used like a `lagbias.bias.ensemble.Ensemble` of one network."""

    KIND: ClassVar[str] = "gaussian_bias"
    offset: float = fields.number("1", "a: ln f at x = 0")
    slope: np.ndarray = fields.array("1", "2", "c, for normalised δ and ∇²δ")
    curvature: np.ndarray = fields.array("1", "2 2", "C, for normalised δ and ∇²δ")
    field_covariance: np.ndarray = fields.array("1", "2 2", "Σ of normalised δ and ∇²δ")
    sigma: np.ndarray = fields.array(
        "1, (h/Mpc)^2, 1", "3", "standard deviation of δ, ∇²δ and G2 before normalisation"
    )
    cut: float = fields.number("h/Mpc", "k_c of the filter")

    @property
    def halo_covariance(self) -> np.ndarray:
        """Σ_h of normalised δ and ∇²δ at halos, float64, shape (2, 2), dimensionless."""
        return np.linalg.inv(np.linalg.inv(self.field_covariance) - self.curvature)

    @property
    def halo_mean(self) -> np.ndarray:
        """μ_h of normalised δ and ∇²δ at halos, float64, shape (2,), dimensionless."""
        return self.halo_covariance @ self.slope

    @property
    def b1(self) -> float:
        """Renormalised linear bias (Σ⁻¹ μ_h)_δ / σ_δ, dimensionless.

        It is the derivative of the mean of f with respect to a constant added to δ.
        """
        return float(np.linalg.solve(self.field_covariance, self.halo_mean)[0] / self.sigma[0])

    def __len__(self) -> int:
        return 1

    def evaluate(self, inputs: np.ndarray, *, threads: int = 1) -> np.ndarray:
        """Evaluate f of particles.

        Parameters
        ----------
        inputs : ndarray, float32, shape (P, at least 2)
            Features whose first columns are normalised δ and ∇²δ, dimensionless.
        threads : int, keyword-only
            Chunks of particles evaluated concurrently.

        Returns
        -------
        ndarray, float32, shape (1, P)
            f, dimensionless. On another box its mean is not one.
        """
        result = np.empty((1, len(inputs)), np.float32)
        parameters = np.array([*self.slope, *self.curvature[[0, 0, 1], [0, 1, 1]]])

        def work(rows: slice) -> None:
            result[0, rows] = np.exp(self.offset + parameters @ _terms(inputs[rows]))

        in_chunks(work, len(inputs), device="cpu", task="evaluating f", threads=threads)
        return result


def fields_and_derivatives(
    parameters: np.ndarray, box: Box, *, box_size: float, threads: int = 1
) -> WeightedFields:
    """Paint δ_model and its derivatives.

    Parameters
    ----------
    parameters : ndarray, float64, shape (5,)
        c_δ, c_∇, C_δδ, C_δ∇ and C_∇∇, dimensionless.
    box : Box
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    threads : int, keyword-only
        Threads of painting; the result does not depend on it.

    Returns
    -------
    WeightedFields
        δ_model with ⟨f⟩ = 1, and its derivatives with respect to the parameters. Its `mean_weight`
        is that of f with a = 0.
    """

    def weights_of(rows: slice) -> np.ndarray:
        terms = _terms(box.features_of(rows))
        f = np.exp(parameters @ terms)
        return np.concatenate([f[None], f * terms])

    return paint_weighted(
        weights_of,
        box.positions,
        n_weights=1 + _PARAMETERS,
        box_size=box_size,
        n_grid=len(box.halo_overdensity),
        threads=threads,
    )


def fit(
    boxes: Sequence[Box], *, box_size: float, cut: float, sigma: np.ndarray, threads: int = 1
) -> GaussianBias:
    """Fit c and C to one or several boxes.

    Steps that would make Σ_h⁻¹ = Σ⁻¹ - C indefinite, or raise the objective, are damped more.

    Parameters
    ----------
    boxes : sequence of Box
        All of one size; ⟨f⟩ = 1 holds in each of them.
    box_size : float, keyword-only
        Side L of the periodic boxes [Mpc/h].
    cut : float, keyword-only
        k_c of W = exp(-(k / k_c)⁴) [h/Mpc].
    sigma : ndarray, float64, shape (3,), keyword-only
        Standard deviations of δ [1], ∇²δ [(h/Mpc)²] and G2 [1] before normalisation.
    threads : int, keyword-only
        Threads of painting and transforms.

    Returns
    -------
    GaussianBias
        Without labels; its a is that of the mean over the particles of all boxes.

    Raises
    ------
    ArithmeticError
        If there is no minimum with a positive definite Σ_h.
    """
    covariance = _second_moment(boxes)

    def linearise(parameters: np.ndarray) -> _Linearisation:
        return _linearise(parameters, boxes, box_size=box_size, cut=cut, threads=threads)

    at = _minimise(linearise, np.linalg.inv(covariance))
    slope, curvature = _unpack(at.parameters)
    return GaussianBias(
        offset=-float(np.log(at.mean_weight)),
        slope=slope,
        curvature=curvature,
        field_covariance=covariance,
        sigma=np.asarray(sigma, np.float64),
        cut=float(cut),
    )


class _Linearisation(NamedTuple):
    """The objective and its quadratic approximation, from δ_model and its derivatives."""

    parameters: np.ndarray
    objective: float  # Σ W |δ_model - δ_h|² / N³
    half_gradient: np.ndarray  # (5,)
    matrix: np.ndarray  # half of the Gauss–Newton Hessian, (5, 5)
    target: float  # Σ W |δ_h|² / N³
    mean_weight: float  # ⟨f⟩ with a = 0

    @property
    def gain(self) -> float:
        """Expected decrease of the objective by a Gauss–Newton step."""
        return float(self.half_gradient @ np.linalg.solve(self.matrix, self.half_gradient))

    def step(self, damping: float) -> np.ndarray:
        """Return the parameters after a damped step."""
        matrix = self.matrix + damping * np.diag(np.diag(self.matrix))
        return self.parameters - np.linalg.solve(matrix, self.half_gradient)


def _linearise(
    parameters: np.ndarray, boxes: Sequence[Box], *, box_size: float, cut: float, threads: int
) -> _Linearisation:
    """Sum the normal equations of all boxes."""
    total = np.zeros((_PARAMETERS + 2, _PARAMETERS + 2))
    weight, particles = 0.0, sum(len(box.positions) for box in boxes)
    for box in boxes:
        painted = fields_and_derivatives(parameters, box, box_size=box_size, threads=threads)
        painted.fields[0] -= box.halo_overdensity
        w = smooth_filter(len(box.halo_overdensity), box_size, cut)
        total += gram_matrix(
            filtered_modes([*painted.fields, box.halo_overdensity], w, threads=threads)
        )
        weight += painted.mean_weight * len(box.positions) / particles
    own = slice(1, 1 + _PARAMETERS)
    return _Linearisation(
        parameters=parameters,
        objective=total[0, 0],
        half_gradient=total[own, 0],
        matrix=total[own, own],
        target=total[-1, -1],
        mean_weight=weight,
    )


def _minimise(
    linearise: Callable[[np.ndarray], _Linearisation], precision: np.ndarray
) -> _Linearisation:
    """Find the minimum with Σ⁻¹ - C positive definite.

    The slope of a second-order polynomial estimates Σ⁻¹ μ_h, which with Σ_h = Σ is c: the start.
    """
    slope = linearise(np.zeros(_PARAMETERS)).step(0.0)[:2]
    at, damping = linearise(np.array([*slope, 0.0, 0.0, 0.0])), _DAMPING
    for _ in range(_MAX_STEPS):
        if at.gain < _TOLERANCE * at.target:
            return at
        trial = None
        parameters = at.step(damping)
        if np.linalg.eigvalsh(precision - _unpack(parameters)[1]).min() > 0:
            trial = linearise(parameters)
        if trial is not None and trial.objective < at.objective:
            at, damping = trial, damping / _DAMPING_FACTOR
        elif damping > _MAX_DAMPING:
            break
        else:
            damping *= _DAMPING_FACTOR
    slope, curvature = _unpack(at.parameters)
    raise ArithmeticError(
        f"The Gaussian bias does not converge: at c = {slope.tolist()}, C = {curvature.tolist()} "
        f"another step would explain {at.gain / at.target:.2g} of the halo power (at most "
        f"{_TOLERANCE:g}). Raise the smoothing radius, or lower k_c."
    )


def _second_moment(boxes: Sequence[Box]) -> np.ndarray:
    """Return ⟨x xᵀ⟩ over all particles; the mean of x is zero over the initial grid."""
    total, particles = np.zeros((2, 2)), 0
    for box in boxes:
        for first in range(0, len(box.positions), _CHUNK):
            rows = slice(first, min(first + _CHUNK, len(box.positions)))
            x = box.features_of(rows)[:, :2].astype(np.float64)
            total += x.T @ x
            particles += len(x)
    return total / particles


def _unpack(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return c and C."""
    return parameters[:2], parameters[[[2, 3], [3, 4]]]


def _terms(inputs: np.ndarray) -> np.ndarray:
    """Return the derivatives of ln f with respect to the parameters, float64, (5, p)."""
    delta, lap_delta = inputs[:, :2].T.astype(np.float64)
    return np.array([delta, lap_delta, delta**2 / 2, delta * lap_delta, lap_delta**2 / 2])
