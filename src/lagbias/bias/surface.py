"""f of the first two components of ∇f, as a table and as a formula.

ln f = Σ_{i+j≤n} c_ij PC0^i PC1^j is fitted by least squares with the weight f of each particle, so
that mass counts. Such a fit does not see where f is nearly zero, and may give voids an arbitrarily
large f. So the error counts the mass that f or the formula assigns, and the formula has an upper
limit. n is the smallest degree whose error is below `TOLERANCE`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.polynomial.polynomial import polyval2d

from lagbias.runtime.device import in_chunks
from lagbias.schema import fields
from lagbias.schema.labels import EnsembleLabels

__all__ = ["MAX_DEGREE", "TOLERANCE", "Surface", "fit"]

#: Largest error of ln f: the standard error of the average of five networks in the reference run.
TOLERANCE = 0.02
MAX_DEGREE = 8
#: Side of a bin, in standard deviations of the components.
_WIDTH = 0.25
#: Fewest particles of a bin: in all, and as a share of the sample.
_MIN_PARTICLES, _MIN_SHARE = 3, 3e-6
#: Smallest f whose logarithm is taken; its weight is as small.
_FLOOR = 1e-30
_CHUNK = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Surface(EnsembleLabels):
    """f of two components, used like a `lagbias.bias.ensemble.Ensemble` of one network.

    The table is the average f of the networks, `evaluate` the formula.
    """

    KIND: ClassVar[str] = "surface"
    smoothing_radii: np.ndarray = fields.array("Mpc/h", "radius", "R_f")
    matrix: np.ndarray = fields.array("1", "2 feature", "first rows of M (eq. 4.1)")
    pc0_edges: np.ndarray = fields.array("1", "pc0_edge", "edges of bins of PC0")
    pc1_edges: np.ndarray = fields.array("1", "pc1_edge", "edges of bins of PC1")
    f: np.ndarray = fields.array(
        "1", "pc0_bin pc1_bin", "average f of the particles, NaN in absent bins", finite=False
    )
    share: np.ndarray = fields.array("1", "pc0_bin pc1_bin", "of all particles, 0 if absent")
    coefficients: np.ndarray = fields.array("1", "power power", "c_ij of PC0^i PC1^j")
    limit: float = fields.number("1", "largest f of the formula")
    error: float = fields.number("1", "rms error of ln f, weighted with f and the formula's f")

    @property
    def degree(self) -> int:
        """The degree n of the formula."""
        return len(self.coefficients) - 1

    def __len__(self) -> int:
        return 1

    def evaluate(self, inputs: np.ndarray, *, threads: int = 1) -> np.ndarray:
        """Evaluate the formula at particles.

        Parameters
        ----------
        inputs : ndarray, float32, shape (P, 2)
            PC0 and PC1, dimensionless. Values beyond the outermost edges count as on them.
        threads : int, keyword-only
            Chunks of particles evaluated concurrently.

        Returns
        -------
        ndarray, float32, shape (1, P)
            f, dimensionless, at most `limit`. On another box its mean is not one.
        """
        result = np.empty((1, len(inputs)), np.float32)

        def work(rows: slice) -> None:
            pc0, pc1 = _clip(inputs[rows], self.pc0_edges, self.pc1_edges)
            log_f = polyval2d(pc0, pc1, self.coefficients)
            # before the exponential, which may overflow
            result[0, rows] = np.exp(np.minimum(log_f, np.log(self.limit)))

        in_chunks(work, len(inputs), device="cpu", task="evaluating f", threads=threads)
        return result


class _Table(NamedTuple):
    """The fields of a `Surface` that are its table."""

    pc0_edges: np.ndarray
    pc1_edges: np.ndarray
    f: np.ndarray
    share: np.ndarray


def fit(
    components: np.ndarray,
    f: np.ndarray,
    *,
    matrix: np.ndarray,
    smoothing_radii: Sequence[float] | np.ndarray,
    threads: int = 1,
) -> Surface:
    """Tabulate f, and fit the formula of the smallest degree that is accurate enough.

    Parameters
    ----------
    components : ndarray, float32, shape (P, 2)
        PC0 and PC1 of a uniform sample of particles, dimensionless.
    f : ndarray, float32, shape (P,)
        Their average f, dimensionless, at least zero.
    matrix : ndarray, float64, shape (2, 3n), keyword-only
        First two rows of M (eq. 4.1), dimensionless.
    smoothing_radii : sequence of float, length n, keyword-only
        R_f of the features [Mpc/h].
    threads : int, keyword-only
        Chunks of particles evaluated concurrently.

    Returns
    -------
    Surface
        Without labels; ⟨f⟩ of the formula is one over the sample. If no degree up to `MAX_DEGREE`
        has an error below `TOLERANCE`, the formula has the one with the smallest.

    Raises
    ------
    ValueError
        If a component or f is not finite, or no bin has enough particles.
    """
    if not (np.isfinite(components).all() and np.isfinite(f).all()):
        raise ValueError("Components or f of particles contain NaN or infinite values; retrain.")
    table = _tabulate(components, f)
    powers, normal, rhs = _normal_equations(components, f, table)
    formulas = (
        _with_unit_mean(
            Surface(
                **table._asdict(),
                matrix=np.asarray(matrix, np.float64),
                smoothing_radii=np.asarray(smoothing_radii, np.float64),
                coefficients=_solve(powers, normal, rhs, degree),
                limit=float(np.nanmax(table.f)),
                error=0.0,
            ),
            components,
            f,
            threads,
        )
        for degree in range(1, MAX_DEGREE + 1)
    )
    best = next(formulas)
    while best.error >= TOLERANCE and (trial := next(formulas, None)):
        best = min(best, trial, key=lambda each: each.error)
    return best


def _tabulate(components: np.ndarray, f: np.ndarray) -> _Table:
    """Average f in square bins; the table ends at the outermost bins with enough particles."""
    bins = np.floor(components.astype(np.float64) / _WIDTH).astype(np.int64)
    first = bins.min(axis=0)
    shape = tuple(bins.max(axis=0) - first + 1)
    index = np.ravel_multi_index(tuple((bins - first).T), shape)
    counts = np.bincount(index, minlength=np.prod(shape)).reshape(shape)
    sums = np.bincount(index, weights=f, minlength=np.prod(shape)).reshape(shape)
    present = counts >= max(_MIN_PARTICLES, _MIN_SHARE * len(f))
    if not present.any():
        raise ValueError(
            f"No bin of {_WIDTH} in both components has {_MIN_PARTICLES} of the {len(f)} particles "
            "of the sample; give more particles."
        )
    kept = [np.flatnonzero(present.any(axis=axis)) for axis in (1, 0)]
    pc0_edges, pc1_edges = (
        _WIDTH * (start + np.arange(each[0], each[-1] + 2))
        for start, each in zip(first, kept, strict=True)
    )
    part = tuple(slice(each[0], each[-1] + 1) for each in kept)
    return _Table(
        pc0_edges,
        pc1_edges,
        np.where(present, sums / np.maximum(counts, 1), np.nan)[part],
        np.where(present, counts / len(f), 0.0)[part],
    )


def _normal_equations(
    components: np.ndarray, f: np.ndarray, table: _Table
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (i, j) of all terms by degree, Σ f φ φᵀ and Σ f φ ln f."""
    pairs = [(total - j, j) for total in range(MAX_DEGREE + 1) for j in range(total + 1)]
    powers = np.array(pairs)
    normal, rhs = np.zeros((len(powers), len(powers))), np.zeros(len(powers))
    for start in range(0, len(f), _CHUNK):
        rows = slice(start, start + _CHUNK)
        clipped = _clip(components[rows], table.pc0_edges, table.pc1_edges)
        pc0, pc1 = (each ** np.arange(MAX_DEGREE + 1)[:, None] for each in clipped)
        terms = pc0[powers[:, 0]] * pc1[powers[:, 1]]
        weight = f[rows].astype(np.float64)
        normal += (terms * weight) @ terms.T
        rhs += terms @ (weight * np.log(np.maximum(weight, _FLOOR)))
    return powers, normal, rhs


def _solve(powers: np.ndarray, normal: np.ndarray, rhs: np.ndarray, degree: int) -> np.ndarray:
    """Return c_ij of a degree, solved in units in which the diagonal is one."""
    chosen = slice(0, (degree + 1) * (degree + 2) // 2)
    scale = 1.0 / np.sqrt(np.diag(normal)[chosen])
    # few particles do not determine all terms: the solution of least norm
    matrix = scale[:, None] * normal[chosen, chosen] * scale
    coefficients = np.zeros((degree + 1, degree + 1))
    found, *_ = np.linalg.lstsq(matrix, scale * rhs[chosen], rcond=None)
    coefficients[tuple(powers[chosen].T)] = scale * found
    return coefficients


def _with_unit_mean(
    surface: Surface, components: np.ndarray, f: np.ndarray, threads: int
) -> Surface:
    """Divide the formula by its mean, limit included, and measure its error."""
    mean = surface.evaluate(components, threads=threads).mean(dtype=np.float64)
    coefficients = surface.coefficients.copy()
    coefficients[0, 0] -= np.log(mean)
    limit = surface.limit / float(mean)
    surface = replace(surface, coefficients=coefficients, limit=limit)
    formula = surface.evaluate(components, threads=threads)[0].astype(np.float64)
    ratio = np.log(np.maximum(formula, _FLOOR)) - np.log(np.maximum(f, _FLOOR, dtype=np.float64))
    return replace(surface, error=float(np.sqrt(np.average(ratio**2, weights=formula + f))))


def _clip(components: np.ndarray, *edges: np.ndarray) -> list[np.ndarray]:
    """Return PC0 and PC1 within the range of the table, float64, each of shape (p,)."""
    return [
        np.clip(values, each[0], each[-1])
        for values, each in zip(components.T.astype(np.float64), edges, strict=True)
    ]
