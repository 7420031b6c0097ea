"""Sub-samples of particles: quotas, evenness, repeatability."""

import numpy as np
import pytest

from lagbias.training import subsample as module
from lagbias.training.morton import morton_order
from lagbias.training.subsample import draw_even_subsample, draw_subsample


def draw(cells, n_cells, fraction, seed=0):
    return draw_subsample(np.asarray(cells, np.int32), n_cells, fraction, rng(seed))


def rng(seed):
    return np.random.default_rng(seed)


@pytest.fixture
def cells():
    return rng(5).permutation(np.repeat(np.arange(6), [0, 1, 9, 10, 35, 0])).astype(np.int32)


def test_quotas_are_filled_without_replacement(cells, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 7)
    sample = draw(cells, 6, 0.1)
    np.testing.assert_array_equal(sample.cells, [1, 2, 3, 4])
    np.testing.assert_array_equal(sample.n_all, [1, 9, 10, 35])
    np.testing.assert_array_equal(sample.n_sub, [1, 1, 1, 3])
    assert len(set(sample.particles)) == 6
    np.testing.assert_array_equal(cells[sample.particles], [1, 2, 3, 4, 4, 4])
    assert np.all(np.diff(sample.particles[3:]) > 0)


@pytest.mark.parametrize(("fraction", "count", "quota"), [(0.1, 30, 3), (0.29, 100, 29)])
def test_rounding_errors_do_not_lower_a_quota(fraction, count, quota):
    assert draw(np.zeros(count), 1, fraction).n_sub[0] == quota


def test_the_whole_is_a_sample_too(cells):
    sample = draw(cells, 6, 1.0)
    np.testing.assert_array_equal(sample.particles, np.argsort(cells, kind="stable"))


def test_seeds_repeat_and_differ(cells):
    first, again, other = (draw(cells, 6, 0.5, seed).particles for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_pair_of_particles_is_equally_likely():
    # Two of five from 4000 cells: each particle 0.4, each pair 0.1; five standard deviations.
    n_cells = 4000
    sample = draw(np.tile(np.arange(n_cells), 5), n_cells, 0.4)
    first, second = (sample.particles // n_cells).reshape(n_cells, 2).T
    pairs = np.bincount(5 * first + second, minlength=25).reshape(5, 5)
    expected = n_cells * 0.1 * np.triu(np.ones((5, 5)), 1)
    np.testing.assert_allclose(pairs, expected, atol=5 * np.sqrt(n_cells * 0.1 * 0.9))
    assert np.all(pairs[expected == 0] == 0)


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.1])
def test_fraction_out_of_range(fraction):
    with pytest.raises(ValueError, match="fraction"):
        draw([0, 1], 2, fraction)


def test_bad_cells_and_no_particles():
    with pytest.raises(ValueError, match=r"outside \[0, 2\)"):
        draw([0, 2], 2, 0.5)
    with pytest.raises(ValueError, match=r"outside \[0, 2\)"):
        draw([-1, 1], 2, 0.5)
    with pytest.raises(ValueError, match="no particles"):
        draw([], 2, 0.5)


N_SIDE = 16


@pytest.fixture(scope="module")
def lattice():
    """Sites of an initial grid in random order, and a few lumps of it as cells."""
    sites = rng(3).permutation(N_SIDE**3)
    x, y, z = np.unravel_index(sites, (N_SIDE,) * 3)
    cells = (x // 8) * 4 + (y // 8) * 2 + z // 8
    return sites, cells.astype(np.int32)


def draw_even(lattice, fraction, seed=0):
    sites, cells = lattice
    return draw_even_subsample(cells, 8, fraction, rng(seed), order=morton_order(sites, N_SIDE))


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.37, 0.9, 1.0])
def test_even_draw_fills_the_same_quotas_without_replacement(lattice, fraction):
    _, cells = lattice
    even, random = draw_even(lattice, fraction), draw_subsample(cells, 8, fraction, rng(0))
    for name in ("cells", "n_all", "n_sub"):
        np.testing.assert_array_equal(getattr(even, name), getattr(random, name))
    assert len(set(even.particles)) == even.n_sub.sum()
    np.testing.assert_array_equal(cells[even.particles], np.repeat(even.cells, even.n_sub))


@pytest.mark.parametrize("fraction", [0.01, 0.13, 0.5, 1.0])
def test_even_draw_against_a_plain_one(fraction):
    """Uneven cells, some empty, and sites that several particles share."""
    sites = rng(1).integers(0, N_SIDE**3, 3000)
    cells = np.minimum(rng(2).geometric(0.2, 3000), 15).astype(np.int32)
    starts, curve = rng(4).random(20), morton_order(sites, N_SIDE)
    expected = []
    for cell in range(20):
        line = [p for p in curve if cells[p] == cell]
        quota = max(int(fraction * len(line) + 1e-9), 1) if line else 0
        ranks = ((np.arange(quota) + starts[cell]) * len(line) / max(quota, 1)).astype(int)
        expected += [line[rank] for rank in ranks]
    sample = draw_even_subsample(cells, 20, fraction, rng(4), order=morton_order(sites, N_SIDE))
    np.testing.assert_array_equal(sample.particles, expected)


def test_even_draw_takes_each_particle_equally_often(lattice):
    # 1000 draws of a tenth: binomial scatter of the counts is 9.5; six of them
    counts = np.zeros(N_SIDE**3)
    for seed in range(1000):
        sample = draw_even(lattice, 0.1, seed)
        counts[sample.particles] += 1
    expected = 1000 * sample.n_sub[0] / sample.n_all[0]
    np.testing.assert_allclose(counts, expected, atol=6 * 9.5)


def test_even_draw_is_spread_out(lattice):
    """The mean of a smooth field over a cell's draw scatters far less than over a random draw."""
    sites, cells = lattice
    x, y, z = np.unravel_index(sites, (N_SIDE,) * 3)
    field = np.cos(0.4 * x + 0.3 * y - 0.35 * z)

    def scatter(draw):
        means = [
            np.add.reduceat(field[s.particles], np.r_[0, np.cumsum(s.n_sub)[:-1]]) / s.n_sub
            for s in map(draw, range(40))
        ]
        return np.std(means, axis=0).mean()

    even = scatter(lambda seed: draw_even(lattice, 0.05, seed))
    random = scatter(lambda seed: draw_subsample(cells, 8, 0.05, rng(seed)))
    assert even < 0.5 * random
