"""Bins of δ and ∇²δ: their edges, their particles, and f looked up in them."""

import tracemalloc

import numpy as np
import pytest

from lagbias.bias import binned as feature_bins
from lagbias.bias.binned import BinnedBias, FeatureBins, make_bins, sums_in_bins


def sample(n=20000, seed=0):
    """δ and ∇²δ of particles: normal, correlated as at the same scale."""
    rng = np.random.default_rng(seed)
    delta, other = rng.normal(size=(2, n))
    return np.stack([delta, -0.69 * delta + 0.72 * other], axis=1).astype(np.float32)


def counts(bins, theta):
    return np.bincount(bins.index(theta), minlength=bins.n_bins).reshape(bins.shape)


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
    monkeypatch.setattr(feature_bins, "_CHUNK", 7)
    np.testing.assert_array_equal(HAND.index(theta), whole)


def test_every_bin_holds_enough_particles_and_every_particle_has_one():
    theta = sample()
    bins = make_bins(theta, min_particles=20)
    held = counts(bins, theta)
    assert held.min() >= 20 and held.sum() == len(theta)
    assert bins.delta_edges[0] == -4.0 and bins.delta_edges[-1] == 5.0


def test_only_the_tails_are_merged():
    bins = make_bins(sample(), min_particles=20)
    width = np.diff(bins.delta_edges)
    fine = 9.0 / 40
    merged = ~np.isclose(width, fine)
    assert merged[0] and merged[-1] and not merged[2:-2].any()
    # outer edges of equal bins are kept
    steps = (bins.delta_edges + 4.0) / fine
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-9)


def test_a_large_sample_keeps_all_bins():
    bins = make_bins(sample(), delta_bins=4, delta_range=(-1, 1), min_particles=20)
    np.testing.assert_allclose(bins.delta_edges, [-1.0, -0.5, 0.0, 0.5, 1.0])


def test_percentiles_cut_the_particles_of_each_bin():
    theta = sample(50000)
    held = counts(make_bins(theta), theta)
    fractions = held / held.sum(axis=1, keepdims=True)
    # a percentile of n values is off by one particle at most on either side
    allowed = 2.0 / held.sum(axis=1).min()
    np.testing.assert_allclose(fractions, [[0.05, 0.3, 0.3, 0.3, 0.05]] * len(held), atol=allowed)


def test_two_clumps_merge_the_gap_between_them():
    """Empty bins inside the range are merged too, not only those in the tails."""
    theta = np.concatenate([sample(2000) * 0.1 - 2.0, sample(3000, 1) * 0.1 + 2.0])
    bins = make_bins(theta, min_particles=20)
    assert counts(bins, theta).min() >= 20


def test_particles_far_outside_the_range():
    bins = make_bins(sample() + 100.0, min_particles=20)
    assert bins.shape == (1, 5)


def test_too_few_particles_are_refused():
    with pytest.raises(ValueError, match="99 particles do not fill the 5 bins of ∇²δ with 20"):
        make_bins(sample(99))
    with pytest.raises(ValueError, match="NaN"):
        make_bins(np.array([[0.0, np.nan]]))


@pytest.mark.parametrize(
    "options",
    [
        {"percentiles": (5, 50, 100)},
        {"percentiles": (0, 50, 50, 100)},
        {"delta_range": (1, 1)},
        {"delta_bins": 0},
        {"min_particles": 0},
    ],
)
def test_options_that_are_no_bins_are_refused(options):
    with pytest.raises(ValueError, match="there must be a bin"):
        make_bins(sample(), **options)


def test_edges_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="are no bins"):
        FeatureBins(np.array([0.0, 1.0]), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="are no bins"):
        FeatureBins(np.array([1.0, 0.0]), np.zeros((1, 3)))
    with pytest.raises(ValueError, match="first two columns"):
        HAND.index(np.zeros((3, 1)))


@pytest.mark.parametrize("threads", [1, 2])
def test_binned_bias_looks_up_its_tables(threads, monkeypatch):
    theta = sample(1000)
    bins = make_bins(theta, delta_bins=6, min_particles=5)
    tables = np.random.default_rng(1).random((3, *bins.shape))
    monkeypatch.setattr(feature_bins, "_CHUNK", 300)
    bias = BinnedBias(bins, tables)
    f = bias.f(theta, threads=threads)
    assert len(bias) == 3 and f.dtype == np.float32 and f.shape == (3, 1000)
    for particle in (0, 299, 300, 999):
        row = np.clip(np.searchsorted(bins.delta_edges, theta[particle, 0]) - 1, 0, None)
        row = min(row, bins.shape[0] - 1)
        column = np.searchsorted(bins.lap_delta_edges[row, 1:-1], theta[particle, 1], side="right")
        np.testing.assert_allclose(f[:, particle], tables[:, row, column], rtol=1e-7)


def test_look_up_takes_little_memory_beyond_the_result():
    theta = np.tile(sample(1 << 16), (16, 1))
    bias = BinnedBias(make_bins(theta), np.ones((5, *make_bins(theta).shape)))
    tracemalloc.start()
    f = bias.f(theta)
    extra = tracemalloc.get_traced_memory()[1] - f.nbytes
    tracemalloc.stop()
    # one chunk of 2^18 particles: its index, values and the comparison with four edges
    assert extra < 25e6


def test_tables_must_have_the_shape_of_the_bins():
    with pytest.raises(ValueError, match=r"need \(n_tables, 2, 2\)"):
        BinnedBias(HAND, np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"shape \(0, 2, 2\)"):
        BinnedBias(HAND, np.ones((0, 2, 2)))


def test_means_in_bins_add_up_over_chunks():
    theta = sample(3000)
    bins = make_bins(theta, delta_bins=6, min_particles=5)
    index, tables = bins.index(theta), np.random.default_rng(2).random((2, *bins.shape))
    f = BinnedBias(bins, tables).f(theta)
    parts = [slice(0, 1000), slice(1000, None)]
    pairs = [sums_in_bins(f[:, part], index[part], bins.n_bins) for part in parts]
    sums, held = (sum(pair[i] for pair in pairs) for i in (0, 1))
    assert held.sum() == len(theta)
    np.testing.assert_allclose((sums / held).reshape(tables.shape), tables, rtol=1e-6)
