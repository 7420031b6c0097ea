"""Order along the space-filling curve: against a slow twin that interleaves bits one by one."""

import numpy as np
import pytest

from lagbias.training.morton import morton_order


def slow_code(site, n_side):
    """Interleave the bits of x, y, z, those of x highest."""
    coordinates = (site // n_side**2, site // n_side % n_side, site % n_side)
    code = 0
    for bit in reversed(range(10)):
        for coordinate in coordinates:
            code = 2 * code + (coordinate >> bit & 1)
    return code


def slow_order(sites, n_side):
    """Sort by code, particles of one node by their index."""
    return sorted(range(len(sites)), key=lambda p: (slow_code(int(sites[p]), n_side), p))


@pytest.mark.parametrize("n_side", [1, 2, 3, 5, 16, 17, 300, 1024])
@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32])
def test_slow_twin(n_side, dtype):
    """Several particles share a node, and most nodes of a large grid are empty."""
    rng = np.random.default_rng(n_side)
    sites = rng.integers(0, n_side**3, 2000).astype(dtype)
    sites[::7] = sites[0]
    np.testing.assert_array_equal(morton_order(sites, n_side), slow_order(sites, n_side))


def test_all_nodes_of_a_grid_of_eight():
    """The curve visits the lower corners of octants first."""
    order = morton_order(np.arange(8**3, dtype=np.int32), 8)
    x, y, z = np.unravel_index(order, (8, 8, 8))
    for depth in (8, 64):
        blocks = np.stack([x, y, z]).reshape(3, -1, depth)
        side = round(depth ** (1 / 3))
        assert np.all(blocks.max(axis=2) - blocks.min(axis=2) == side - 1)


def test_no_particles():
    assert len(morton_order(np.array([], np.int32), 4)) == 0


@pytest.mark.parametrize("n_side", [0, 1025])
def test_refuses_a_grid_beyond_the_curve(n_side):
    with pytest.raises(ValueError, match=f"{n_side} nodes per side"):
        morton_order(np.array([0]), n_side)


@pytest.mark.parametrize("site", [-1, 64])
def test_refuses_sites_off_the_grid(site):
    with pytest.raises(ValueError, match="has 0 to 63"):
        morton_order(np.array([5, site]), 4)
