"""Bins of δ and ∇²δ, and f as a table over them (Wu et al. 2022)."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

__all__ = ["BinnedBias", "FeatureBins", "make_bins", "sums_in_bins"]

#: Particles handled at a time: bounds temporary memory to some 20 MB for each thread.
_CHUNK = 1 << 18


@dataclass(frozen=True)
class FeatureBins:
    """Bins of normalised δ, each with its own bins of normalised ∇²δ.

    Every particle falls into a bin: the outermost edges do not bound. A value on an inner edge
    belongs to the upper bin.

    Attributes
    ----------
    delta_edges : ndarray, float64, shape (D + 1,)
        Rising edges in δ/σ, dimensionless.
    lap_delta_edges : ndarray, float64, shape (D, L + 1)
        Edges in ∇²δ/σ of each bin of δ, dimensionless.

    Raises
    ------
    ValueError
        If the shapes do not fit together or edges fall.
    """

    delta_edges: np.ndarray
    lap_delta_edges: np.ndarray

    def __post_init__(self) -> None:
        edges, inner = np.asarray(self.delta_edges), np.asarray(self.lap_delta_edges)
        fits = edges.ndim == 1 and inner.ndim == 2 and inner.shape[1] > 1
        fits = fits and len(edges) == len(inner) + 1 > 1
        if not fits or not (np.diff(edges) > 0).all() or not (np.diff(inner) >= 0).all():
            raise ValueError(
                f"delta_edges of shape {edges.shape} and lap_delta_edges of shape {inner.shape} "
                "are no bins: they must have shapes (D + 1,) and (D, L + 1), and rise."
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Number of bins of δ, and of ∇²δ in each of these."""
        return self.lap_delta_edges.shape[0], self.lap_delta_edges.shape[1] - 1

    @property
    def n_bins(self) -> int:
        """Number of bins in all."""
        return self.shape[0] * self.shape[1]

    def index(self, theta: np.ndarray) -> np.ndarray:
        """Find the bin of each particle.

        Parameters
        ----------
        theta : ndarray, float32, shape (P, at least 2)
            Features whose first columns are normalised δ and ∇²δ, dimensionless.

        Returns
        -------
        ndarray, int64, shape (P,)
            Flat (C order) index into arrays of shape `shape`.

        Raises
        ------
        ValueError
            If `theta` has fewer than two columns.
        """
        _check_columns(theta)
        inner = self.lap_delta_edges[:, 1:-1]
        index = np.empty(len(theta), np.int64)
        for start in range(0, len(theta), _CHUNK):
            rows = slice(start, start + _CHUNK)
            row = np.searchsorted(self.delta_edges[1:-1], theta[rows, 0], side="right")
            column = (theta[rows, 1, None] >= inner[row]).sum(axis=1)
            index[rows] = row * self.shape[1] + column
        return index


def make_bins(
    theta: np.ndarray,
    *,
    delta_bins: int = 40,
    delta_range: Sequence[float] = (-4.0, 5.0),
    percentiles: Sequence[float] = (0, 5, 35, 65, 95, 100),
    min_particles: int = 20,
) -> FeatureBins:
    """Choose bins for a sample of particles.

    The bins of δ are equally wide, and ∇²δ is cut at percentiles of the particles in each. In the
    tails neighbouring bins of δ are merged, inwards, until each bin of both holds enough
    particles: bins of a few particles give columns of A that are equal or nearly so.

    Parameters
    ----------
    theta : ndarray, float32, shape (P, at least 2)
        Features whose first columns are normalised δ and ∇²δ, dimensionless.
    delta_bins : int, keyword-only
        Bins of δ before any are merged.
    delta_range : pair of float, keyword-only
        Their outermost edges in δ/σ, dimensionless; particles beyond are in the outermost bins.
    percentiles : sequence of float, keyword-only
        Edges in ∇²δ, rising from 0 to 100.
    min_particles : int, keyword-only
        Fewest particles of the sample in any bin.

    Returns
    -------
    FeatureBins
        At most ``delta_bins`` by ``len(percentiles) - 1`` bins. The defaults are those of the
        authors' analysis, 200 unknowns, but for the merging: their samples are larger.

    Raises
    ------
    ValueError
        If the arguments describe no bins, features are not finite, or there are too few particles
        for one bin of δ.
    """
    _check_columns(theta)
    _check_binning(delta_bins, delta_range, percentiles, min_particles)
    delta, lap_delta = (theta[:, column].astype(np.float64) for column in (0, 1))
    if not (np.isfinite(delta).all() and np.isfinite(lap_delta).all()):
        raise ValueError("theta holds NaN or infinite values; check the features.")
    edges = np.linspace(*delta_range, delta_bins + 1)
    fine_bin = np.searchsorted(edges[1:-1], delta, side="right")
    lap_delta = lap_delta[np.argsort(fine_bin, kind="stable")]
    first = np.concatenate(([0], np.cumsum(np.bincount(fine_bin, minlength=delta_bins))))

    def is_full(low: int, high: int) -> bool:
        """Whether fine bins ``low:high``, merged, have enough particles in all of theirs."""
        values = lap_delta[first[low] : first[high]]
        if len(values) < min_particles * (len(percentiles) - 1):
            return False
        inner = np.percentile(values, percentiles[1:-1])
        held = np.bincount(
            np.searchsorted(inner, values, side="right"), minlength=len(percentiles) - 1
        )
        return bool(held.min() >= min_particles)

    cuts = _merge_inwards(is_full, delta_bins, centre=int(np.argmax(np.diff(first))))
    if len(cuts) == 2 and not is_full(*cuts):
        raise ValueError(
            f"{len(theta)} particles do not fill the {len(percentiles) - 1} bins of ∇²δ with "
            f"{min_particles} each, even in one bin of δ; give more particles, or lower "
            "min_particles or the number of percentiles."
        )
    parts = [lap_delta[first[a] : first[b]] for a, b in pairwise(cuts)]
    return FeatureBins(edges[cuts], np.array([np.percentile(part, percentiles) for part in parts]))


def _check_binning(delta_bins, delta_range, percentiles, min_particles) -> None:
    rising = len(percentiles) > 1 and bool((np.diff(percentiles) > 0).all())
    whole = rising and percentiles[0] == 0 and percentiles[-1] == 100
    if not (whole and min(delta_bins, min_particles) > 0 and delta_range[0] < delta_range[1]):
        raise ValueError(
            f"delta_bins={delta_bins}, delta_range={tuple(delta_range)}, percentiles="
            f"{tuple(percentiles)}, min_particles={min_particles}: there must be a bin, the range "
            "must not be empty, percentiles must rise from 0 to 100, and a bin needs a particle."
        )


def _merge_inwards(is_full, n_fine: int, *, centre: int) -> list[int]:
    """Return the fine bins at which merged ones begin and end: from each tail, full bins only."""
    left, right = [0], [n_fine]
    for stop in range(1, centre + 1):
        if is_full(left[-1], stop):
            left.append(stop)
    for start in range(n_fine - 1, centre, -1):
        if is_full(start, right[-1]):
            right.append(start)
    # what is left over around the centre is one bin; where that is short, it takes its neighbours
    while not is_full(left[-1], right[-1]) and len(left) + len(right) > 2:
        (left if len(left) >= len(right) else right).pop()
    return left + right[::-1]


def _check_columns(theta: np.ndarray) -> None:
    if theta.ndim != 2 or theta.shape[1] < 2:
        raise ValueError(
            f"theta has shape {theta.shape}; bins need normalised δ and ∇²δ in its first two "
            "columns."
        )


class BinnedBias:
    """Tables of f, used where an `lagbias.bias.ensemble.Ensemble` is used.

    Parameters
    ----------
    bins : FeatureBins
        Their bins.
    tables : ndarray, shape (n_tables, D, L)
        f of each bin, dimensionless.

    Raises
    ------
    ValueError
        If the tables do not have the shape of the bins.
    """

    def __init__(self, bins: FeatureBins, tables: np.ndarray):
        tables = np.asarray(tables)
        if tables.ndim != 3 or tables.shape[1:] != bins.shape or len(tables) == 0:
            raise ValueError(
                f"The tables of f have shape {tables.shape}; with these bins they need "
                f"(n_tables, {bins.shape[0]}, {bins.shape[1]})."
            )
        self._bins = bins
        self._tables = tables.reshape(len(tables), -1).astype(np.float32)

    def __len__(self) -> int:
        return len(self._tables)

    def f(self, theta: np.ndarray, *, threads: int = 1) -> np.ndarray:
        """Look up f of particles in every table.

        Parameters
        ----------
        theta : ndarray, float32, shape (P, at least 2)
            Features whose first columns are normalised δ and ∇²δ, dimensionless.
        threads : int, keyword-only
            Chunks of particles looked up side by side.

        Returns
        -------
        ndarray, float32, shape (n_tables, P)
            f, dimensionless.

        Raises
        ------
        ValueError
            If `theta` has fewer than two columns.
        """
        _check_columns(theta)
        result = np.empty((len(self), len(theta)), np.float32)

        def look_up(start: int) -> None:
            rows = slice(start, start + _CHUNK)
            result[:, rows] = self._tables[:, self._bins.index(theta[rows])]

        with ThreadPoolExecutor(threads) as pool:
            # list() waits for the chunks and passes on what they raise
            list(pool.map(look_up, range(0, len(theta), _CHUNK)))
        return result


def sums_in_bins(f: np.ndarray, index: np.ndarray, n_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum f over the particles of each bin: add up chunks, then divide, for the mean.

    Parameters
    ----------
    f : ndarray, shape (n_nets, P)
        f of some particles, dimensionless.
    index : ndarray, int64, shape (P,)
        Their bins, from `FeatureBins.index`.
    n_bins : int
        Number of bins.

    Returns
    -------
    sums : ndarray, float64, shape (n_nets, n_bins)
        Σ f of the particles in each bin, dimensionless.
    counts : ndarray, int64, shape (n_bins,)
        Particles in each bin.
    """
    sums = np.array([np.bincount(index, weights=row, minlength=n_bins) for row in f])
    return sums, np.bincount(index, minlength=n_bins)
