"""Bins of δ and ∇²δ: their edges, their particles, and f looked up in them."""

import tracemalloc

import numpy as np
import pytest

from lagbias.bias import binned
from lagbias.bias.binned import BinnedF, FeatureBins, make_bins, sums_in_bins


def sample(n=20000, seed=0):
    """δ and ∇²δ of particles: normal, correlated as at the same scale."""
    rng = np.random.default_rng(seed)
    delta, other = rng.normal(size=(2, n))
    return np.stack([delta, -0.69 * delta + 0.72 * other], axis=1).astype(np.float32)


def counts(bins, theta):
    return np.bincount(bins.index(theta), minlength=bins.n_bins).reshape(bins.shape)


def tables_of(bins, f, share=None):
    return BinnedF(
        delta_edges=bins.delta_edges,
        lap_delta_edges=bins.lap_delta_edges,
        f=f,
        share=np.ones(bins.shape) / bins.n_bins if share is None else share,
        seeds=np.arange(len(f)),
    )


HAND = FeatureBins(np.array([0.0, 1.0, 2.0]), np.array([[0.0, 0.5, 1.0], [0.0, 0.2, 1.0]]))


@pytest.mark.parametrize(
    ("delta", "lap_delta", "expected"),
    [
        (0.5, 0.4, 0),
        (0.5, 0.5, 1),  # an inner edge belongs to the upper bin
        (1.0, 0.1, 2),
        (1.5, 0.3, 3),
        (2.0, 1.0, 3),  # the top edges are inside
        (-9.0, -9.0, 0),  # and so is what lies beyond the outermost
        (9.0, 9.0, 3),
    ],
)
def test_bins_by_hand(delta, lap_delta, expected):
    index = HAND.index(np.array([[delta, lap_delta, np.nan]]))  # further columns do not matter
    assert index.dtype == np.int64 and index.tolist() == [expected]


def test_chunks_do_not_matter(monkeypatch):
    theta = sample(1000)
    whole = HAND.index(theta)
    monkeypatch.setattr(binned, "_CHUNK", 7)
    np.testing.assert_array_equal(HAND.index(theta), whole)


def test_only_the_tails_are_merged():
    theta = sample()
    bins = make_bins(theta, min_particles=20)
    held = counts(bins, theta)
    assert held.min() >= 20 and held.sum() == len(theta)
    edges, fine = bins.delta_edges, 9.0 / 40
    assert edges[0] == -4.0 and edges[-1] == 5.0
    merged = ~np.isclose(np.diff(edges), fine)
    assert merged[0] and merged[-1] and not merged[2:-2].any()
    # outer edges of equal bins are kept
    steps = (edges + 4.0) / fine
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-9)
    # a narrow range has no tails to merge
    narrow = make_bins(theta, delta_bins=4, delta_range=(-1, 1), min_particles=20)
    np.testing.assert_allclose(narrow.delta_edges, [-1.0, -0.5, 0.0, 0.5, 1.0])


def test_percentiles_cut_the_particles_of_each_bin():
    theta = sample(50000)
    held = counts(make_bins(theta), theta)
    fractions = held / held.sum(axis=1, keepdims=True)
    # a percentile of n values is off by one particle at most on either side
    allowed = 2.0 / held.sum(axis=1).min()
    np.testing.assert_allclose(fractions, [[0.05, 0.3, 0.3, 0.3, 0.05]] * len(held), atol=allowed)


def test_unusual_samples():
    # empty bins inside the range are merged too, not only those in the tails
    theta = np.concatenate([sample(2000) * 0.1 - 2.0, sample(3000, 1) * 0.1 + 2.0])
    assert counts(make_bins(theta, min_particles=20), theta).min() >= 20
    # far outside the range
    assert make_bins(sample() + 100.0, min_particles=20).shape == (1, 5)
    with pytest.raises(ValueError, match="99 particles do not fill the 5 bins of ∇²δ with 20"):
        make_bins(sample(99))


@pytest.mark.parametrize("threads", [1, 2])
def test_f_is_looked_up_and_averaged_in_bins(threads, monkeypatch):
    theta = sample(1000)
    bins = make_bins(theta, delta_bins=6, min_particles=5)
    tables = np.random.default_rng(1).random((3, *bins.shape))
    monkeypatch.setattr(binned, "_CHUNK", 300)
    made = tables_of(bins, tables)
    f = made.evaluate(theta, threads=threads)
    assert len(made) == 3 and f.dtype == np.float32 and f.shape == (3, 1000)
    for particle in (0, 299, 300, 999):
        row = np.searchsorted(bins.delta_edges[1:-1], theta[particle, 0], side="right")
        column = np.searchsorted(bins.lap_delta_edges[row, 1:-1], theta[particle, 1], side="right")
        np.testing.assert_allclose(f[:, particle], tables[:, row, column], rtol=1e-7)
    # the sums of chunks give the tables back
    index = bins.index(theta)
    parts = [sums_in_bins(f[:, p], index[p], bins.n_bins) for p in np.split(np.arange(1000), [400])]
    sums, held = (sum(pair[i] for pair in parts) for i in (0, 1))
    assert held.sum() == len(theta)
    np.testing.assert_allclose((sums / held).reshape(tables.shape), tables, rtol=1e-6)


def test_look_up_takes_little_memory_beyond_the_result():
    theta = np.tile(sample(1 << 16), (16, 1))
    bins = make_bins(theta)
    made = tables_of(bins, np.ones((5, *bins.shape)))
    tracemalloc.start()
    f = made.evaluate(theta)
    extra = tracemalloc.get_traced_memory()[1] - f.nbytes
    tracemalloc.stop()
    # one chunk of 2^18 particles: its index, values and the comparison with four edges
    assert extra < 25e6
