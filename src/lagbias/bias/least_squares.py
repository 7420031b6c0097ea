"""f as a table over bins of δ and ∇²δ, from constrained least squares (Wu et al. 2022).

Particles are counted in bins of their features, cell by cell: A_jm is the number of particles of
bin m in cell j, times the cell's factor. The table f then minimises |A f - (1 + δ_h)|² under
f ≥ 0 and ⟨f⟩ = 1. The networks' squared loss is the same sum, so the two f can be compared
(Wu, Muñoz & Eisenstein 2023, §3.1 and Fig. 2). `filtered_normal_equations` leaves the modes with
k ≥ k_max out of the sum, as the reference does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

import numpy as np
from scipy import linalg, optimize, sparse

from lagbias.bias.binned import BinnedF, FeatureBins
from lagbias.grids.mode_products import filtered_modes, gram_matrix, sharp_filter
from lagbias.schema import fields
from lagbias.training.training_set import TrainingSet

__all__ = [
    "LeastSquares",
    "NormalEquations",
    "Solution",
    "filtered_normal_equations",
    "normal_equations",
    "optimality_residual",
    "solve",
    "solve_tables",
]

#: Added to the unit diagonal of the scaled matrix, for identical columns.
_RIDGE = 1e-8
#: Weight of the row for ⟨f⟩ = 1 in the non-negative fit that gives the starting point.
_CONSTRAINT_WEIGHT = 1e5
_MAX_REFINEMENTS = 20
#: Tolerances of |⟨f⟩ - 1| and of the gradient relative to that of f = 0.
_MEAN_TOLERANCE = 1e-10
_GRADIENT_TOLERANCE = 1e-9


@dataclass(frozen=True, kw_only=True)
class LeastSquares(BinnedF):
    """Least-squares f, one table for each sub-sample of particles."""

    KIND: ClassVar[str] = "least_squares"
    kkt_residual: float = fields.number("1", "`optimality_residual`, maximum over the tables")
    condition_number: float = fields.number("1", "of scaled AᵀA, maximum over the tables")


@dataclass(frozen=True)
class NormalEquations:
    """Normal equations of the least-squares problem, dimensionless.

    A and 1 + δ_h are without their modes k ≥ k_max if the equations are filtered.
    """

    matrix: np.ndarray  # AᵀA, float64, shape (K, K)
    rhs: np.ndarray  # Aᵀ(1 + δ_h), float64, shape (K,)
    target_square: float  # |1 + δ_h|² over the occupied cells
    weights: np.ndarray  # fraction of all particles in each bin, float64, shape (K,)
    n_cells: int  # occupied cells

    def loss_per_cell(self, f: np.ndarray) -> float:
        """Return the networks' loss |A f - (1 + δ_h)|² per occupied cell for f of shape (K,)."""
        square = f @ self.matrix @ f - 2.0 * self.rhs @ f + self.target_square
        return float(square) / self.n_cells


def normal_equations(training_set: TrainingSet, bins: FeatureBins) -> NormalEquations:
    """Count particles in bins, cell by cell, and sum the normal equations.

    The inputs of the training set are normalised δ and ∇²δ. A is sparse, and never stored densely.
    A drawn particle counts n_j / n_j^sub times, so the weights are fractions of all particles and
    Σ w f is the mean ⟨f⟩ of the model field.
    """
    design = _design(training_set, bins)
    target = training_set.target.astype(np.float64)
    weights = design.sum(axis=0)
    return NormalEquations(
        matrix=(design.T @ design).toarray(),
        rhs=design.T @ target,
        target_square=float(target @ target),
        weights=weights / weights.sum(),
        n_cells=len(target),
    )


def filtered_normal_equations(
    training_set: TrainingSet, bins: FeatureBins, *, box_size: float, k_max: float, threads: int = 1
) -> NormalEquations:
    """Sum the normal equations of the residual field's modes with k < k_max (Wu et al. 2022).

    Each column of A, and 1 + δ_h, is a field on the training grid. Cells without particles count as
    cells without halos, as in `lagbias.training.fourier`. Memory is at most that of `n_bins`
    float32 grids.

    Parameters
    ----------
    training_set, bins
        As in `normal_equations`.
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    k_max : float, keyword-only
        Smallest wavenumber that is left out [h/Mpc], 1/R_f in the reference.
    threads : int, keyword-only
        Threads of the transforms.

    Returns
    -------
    NormalEquations
        Of A and 1 + δ_h without the modes k ≥ k_max; the weights are those of `normal_equations`.

    Raises
    ------
    ValueError
        If the cells are no cubic grid.
    """
    side = round(training_set.n_cells ** (1 / 3))
    if side**3 != training_set.n_cells:
        raise ValueError(
            f"A training set of {training_set.n_cells} cells is no cubic grid, so its modes are "
            "undefined. Use that of a whole box."
        )
    design = _design(training_set, bins).tocsc()
    columns = (design[:, [m]].toarray().ravel() for m in range(bins.n_bins))

    def on_grid(cells: np.ndarray) -> np.ndarray:
        grid = np.zeros(training_set.n_cells, np.float32)
        grid[training_set.cell_index] = cells
        return grid.reshape(side, side, side)

    modes = filtered_modes(
        map(on_grid, chain(columns, [training_set.target])),
        sharp_filter(side, box_size, k_max),
        threads=threads,
    )
    products = gram_matrix(modes)
    weights = design.sum(axis=0)
    return NormalEquations(
        matrix=products[:-1, :-1],
        rhs=products[:-1, -1],
        target_square=float(products[-1, -1]),
        weights=weights / weights.sum(),
        n_cells=len(training_set.target),
    )


def _design(training_set: TrainingSet, bins: FeatureBins) -> sparse.csr_array:
    """Return A, float64, (occupied cells, K)."""
    index = bins.index(training_set.inputs)
    cells = len(training_set.target)
    # a copy, because sum_duplicates changes it in place
    rows = training_set.cell_start.copy()
    counts = sparse.csr_array((np.ones(len(index)), index, rows), shape=(cells, bins.n_bins))
    counts.sum_duplicates()
    return sparse.diags_array(training_set.cell_factor.astype(np.float64)) @ counts


@dataclass(frozen=True)
class Solution:
    """Constrained minimum, dimensionless."""

    f: np.ndarray  # of each bin, float64, shape (K,)
    multiplier: float  # ν of ⟨f⟩ = 1: AᵀA f - Aᵀ(1 + δ_h) = ν w in bins with f > 0
    kkt_residual: float  # see `optimality_residual`
    condition_number: float  # of AᵀA scaled to a diagonal of ones; infinite if a bin is empty


def solve(normal: NormalEquations) -> Solution:
    """Minimise |A f - (1 + δ_h)|² under f ≥ 0 and Σ w f = 1.

    The unknowns are scaled to a unit diagonal. Non-negative least squares with the mean as an
    additional, heavily weighted row gives the starting point of an active-set method. A small
    ridge keeps the matrices positive definite; it pulls towards the previous iterate, so that it
    does not bias the converged solution.

    Raises
    ------
    ArithmeticError
        If the optimality conditions do not hold.
    """
    scale = _scale(normal.matrix)
    matrix = scale[:, None] * normal.matrix * scale
    rhs, weights = scale * normal.rhs, scale * normal.weights
    ridged = matrix + _RIDGE * np.eye(len(rhs))
    x = _approximate(ridged, rhs, weights)
    for _ in range(_MAX_REFINEMENTS):
        previous = x
        x, multiplier = _minimise(ridged, rhs + _RIDGE * previous, weights, previous)
        if np.abs(x - previous).max() <= np.finfo(float).eps * np.abs(x).max():
            break
    f = scale * x
    return Solution(
        f=f,
        multiplier=multiplier,
        kkt_residual=optimality_residual(normal, f, multiplier),
        condition_number=float(np.linalg.cond(matrix)),
    )


def solve_tables(
    normals: Sequence[NormalEquations], bins: FeatureBins, seeds: Sequence[int]
) -> LeastSquares:
    """Solve several problems with common bins, those of the sub-samples of `seeds`."""
    solutions = [solve(normal) for normal in normals]
    return LeastSquares(
        delta_edges=bins.delta_edges,
        lap_delta_edges=bins.lap_delta_edges,
        f=np.array([solution.f.reshape(bins.shape) for solution in solutions]),
        share=np.mean([normal.weights for normal in normals], axis=0).reshape(bins.shape),
        seeds=np.array(seeds, np.int64),
        kkt_residual=max(solution.kkt_residual for solution in solutions),
        condition_number=max(solution.condition_number for solution in solutions),
    )


def optimality_residual(normal: NormalEquations, f: np.ndarray, multiplier: float) -> float:
    """Check the Karush–Kuhn–Tucker conditions of a constrained minimum.

    Parameters
    ----------
    normal : NormalEquations
    f : ndarray, float64, shape (K,)
        A solution, dimensionless.
    multiplier : float
        Its Lagrange multiplier.

    Returns
    -------
    float
        Largest violation by the gradient g = AᵀA f - Aᵀt - ν w in scaled unknowns, relative to the
        largest gradient of f = 0: |g| in bins with f > 0, -g in those with f = 0.

    Raises
    ------
    ArithmeticError
        If f is negative or not finite, |Σ w f - 1| is not below 1e-10, or the violation exceeds
        1e-9.
    """
    scale = _scale(normal.matrix)
    gradient = scale * (normal.matrix @ f - normal.rhs - multiplier * normal.weights)
    gradient /= np.abs(scale * normal.rhs).max() or 1.0
    residual = float(np.max(np.where(f > 0, np.abs(gradient), -gradient), initial=0.0))
    error = float(normal.weights @ f) - 1.0
    valid = f.min() >= 0 and abs(error) < _MEAN_TOLERANCE and residual <= _GRADIENT_TOLERANCE
    if not valid:
        raise ArithmeticError(
            f"The least-squares f is not a constrained minimum: its smallest value is {f.min()} "
            f"(must be ≥ 0), its mean differs from one by {error} (at most {_MEAN_TOLERANCE}) and "
            f"its gradient violates the conditions by {residual} (at most {_GRADIENT_TOLERANCE}). "
            "Sparse bins make the problem ill-conditioned: raise min_particles or lower the number "
            "of bins."
        )
    return residual


def _scale(matrix: np.ndarray) -> np.ndarray:
    """Return factors that scale the diagonal to one; empty bins are not scaled."""
    diagonal = np.diag(matrix)
    return 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))


def _approximate(matrix: np.ndarray, rhs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Solve by non-negative least squares, with w·x = 1 as a heavily weighted row."""
    factor = linalg.cholesky(matrix)
    target = linalg.solve_triangular(factor, rhs, trans="T")
    heavy = _CONSTRAINT_WEIGHT / np.linalg.norm(weights)
    x, _ = optimize.nnls(
        np.vstack([factor, heavy * weights]), np.append(target, heavy), maxiter=30 * len(rhs)
    )
    return x / (weights @ x)


def _minimise(
    matrix: np.ndarray, rhs: np.ndarray, weights: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the minimum of xᵀHx/2 - r·x under x ≥ 0, w·x = 1, and its Lagrange multiplier.

    Primal active-set method (Lawson & Hanson) from a feasible x; H is positive definite.
    """
    free = x > 0
    tolerance = 0.1 * _GRADIENT_TOLERANCE * np.abs(rhs).max()
    for _ in range(10 * len(x)):
        best, multiplier = _on_free_set(matrix, rhs, weights, free)
        blocked = free & (best <= 0)
        if blocked.any():
            drop = x - best
            room = np.divide(x, drop, out=np.zeros_like(x), where=drop > 0)
            step = room[blocked].min()
            free &= ~(blocked & (room <= step))
            x = np.where(free, x + step * (best - x), 0.0)
            continue
        x = best
        slack = np.where(free, 0.0, matrix @ x - rhs - multiplier * weights)
        if slack.min() >= -tolerance:
            return x, multiplier
        free[np.argmin(slack)] = True
    raise ArithmeticError(
        f"The active set of the least-squares fit of {len(x)} bins does not converge; raise "
        "min_particles or lower the number of bins."
    )


def _on_free_set(
    matrix: np.ndarray, rhs: np.ndarray, weights: np.ndarray, free: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the minimum under w·x = 1 with x = 0 outside `free`, and its multiplier."""
    factor = linalg.cho_factor(matrix[np.ix_(free, free)])
    along_rhs = linalg.cho_solve(factor, rhs[free])
    along_weights = linalg.cho_solve(factor, weights[free])
    multiplier = (1.0 - weights[free] @ along_rhs) / (weights[free] @ along_weights)
    x = np.zeros(len(rhs))
    x[free] = along_rhs + multiplier * along_weights
    return x, float(multiplier)
