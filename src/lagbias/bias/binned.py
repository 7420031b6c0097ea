"""Bins of δ and ∇²δ, and f as a table over them (Wu et al. 2022)."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from lagbias.schema import fields
from lagbias.schema.labels import EnsembleLabels

__all__ = ["BinnedF", "FeatureBins", "make_bins", "sums_in_bins"]

#: Particles per chunk: limits temporary memory to about 20 MB per thread.
_CHUNK = 1 << 18


@dataclass(frozen=True)
class FeatureBins:
    """Bins of normalised δ, each with its own bins of normalised ∇²δ.

    Outermost bins are open-ended. A value on an inner edge belongs to the upper bin.
    """

    delta_edges: np.ndarray  # increasing, in δ/σ, shape (D + 1,)
    lap_delta_edges: np.ndarray  # in ∇²δ/σ, of each bin of δ, shape (D, L + 1)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of bins of δ, and of ∇²δ in each of them."""
        return self.lap_delta_edges.shape[0], self.lap_delta_edges.shape[1] - 1

    @property
    def n_bins(self) -> int:
        """Total number of bins."""
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
        """
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

    The bins of δ have equal widths, and the edges in ∇²δ are percentiles of the particles in each.
    Neighbouring bins of δ are merged from the tails inwards until every bin holds enough
    particles: sparse bins make columns of A degenerate.

    Parameters
    ----------
    theta : ndarray, float32, shape (P, at least 2)
        Features whose first columns are normalised δ and ∇²δ, dimensionless.
    delta_bins : int, keyword-only
        Bins of δ before merging.
    delta_range : pair of float, keyword-only
        Outermost edges in δ/σ, dimensionless; particles beyond count in the outermost bins.
    percentiles : sequence of float, keyword-only
        Edges in ∇²δ, increasing from 0 to 100.
    min_particles : int, keyword-only
        Minimum number of particles of the sample in a bin.

    Returns
    -------
    FeatureBins
        At most ``delta_bins`` by ``len(percentiles) - 1`` bins. The defaults are the 200 unknowns
        of the authors' analysis, whose larger samples need no merging.

    Raises
    ------
    ValueError
        If there are too few particles for one bin of δ.
    """
    delta, lap_delta = (theta[:, column].astype(np.float64) for column in (0, 1))
    edges = np.linspace(*delta_range, delta_bins + 1)
    fine_bin = np.searchsorted(edges[1:-1], delta, side="right")
    lap_delta = lap_delta[np.argsort(fine_bin, kind="stable")]
    first = np.concatenate(([0], np.cumsum(np.bincount(fine_bin, minlength=delta_bins))))

    def is_full(low: int, high: int) -> bool:
        """Whether all bins of ∇²δ are full when fine bins ``low:high`` are merged."""
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


def _merge_inwards(is_full, n_fine: int, *, centre: int) -> list[int]:
    """Return the fine edges of the merged bins, each the narrowest full one from its tail."""
    left, right = [0], [n_fine]
    for stop in range(1, centre + 1):
        if is_full(left[-1], stop):
            left.append(stop)
    for start in range(n_fine - 1, centre, -1):
        if is_full(start, right[-1]):
            right.append(start)
    # the remainder around the centre is one bin; unless full, it absorbs its neighbours
    while not is_full(left[-1], right[-1]) and len(left) + len(right) > 2:
        (left if len(left) >= len(right) else right).pop()
    return left + right[::-1]


@dataclass(frozen=True, kw_only=True)
class BinnedF(EnsembleLabels):
    """Tables of f over bins of δ and ∇²δ, used like a `lagbias.bias.ensemble.Ensemble`."""

    KIND: ClassVar[str] = "binned_f"
    delta_edges: np.ndarray = fields.array("1", "delta_edge", "edges in normalised δ")
    lap_delta_edges: np.ndarray = fields.array("1", "delta_bin edge", "of ∇²δ in each bin of δ")
    f: np.ndarray = fields.array("1", "seed delta_bin lap_delta_bin", "f of the bins")
    share: np.ndarray = fields.array("1", "delta_bin lap_delta_bin", "fraction of all particles")
    seeds: np.ndarray = fields.array("1", "seed", "of the sub-samples or networks", code="i")

    @property
    def bins(self) -> FeatureBins:
        """The bins."""
        return FeatureBins(self.delta_edges, self.lap_delta_edges)

    def __len__(self) -> int:
        return len(self.f)

    def evaluate(self, theta: np.ndarray, *, threads: int = 1) -> np.ndarray:
        """Look up f of particles in every table.

        Parameters
        ----------
        theta : ndarray, float32, shape (P, at least 2)
            Features whose first columns are normalised δ and ∇²δ, dimensionless.
        threads : int, keyword-only
            Chunks of particles processed concurrently.

        Returns
        -------
        ndarray, float32, shape (n_tables, P)
            f, dimensionless.
        """
        bins, tables = self.bins, self.f.reshape(len(self), -1).astype(np.float32)
        result = np.empty((len(self), len(theta)), np.float32)

        def look_up(start: int) -> None:
            rows = slice(start, start + _CHUNK)
            result[:, rows] = tables[:, bins.index(theta[rows])]

        with ThreadPoolExecutor(threads) as pool:
            # list() waits for the chunks and raises their errors
            list(pool.map(look_up, range(0, len(theta), _CHUNK)))
        return result


def sums_in_bins(f: np.ndarray, index: np.ndarray, n_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum f and count particles in each bin; add results of chunks, then divide for the mean.

    Parameters
    ----------
    f : ndarray, shape (n_nets, P)
        f of the particles, dimensionless.
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
