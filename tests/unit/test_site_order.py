"""Particles in the order of their Lagrangian sites."""

import numpy as np
import pytest

from lagbias.sources.site_order import sort_by_site


@pytest.mark.parametrize("count", [0, 1, 5000])
def test_the_order_is_that_of_a_stable_sort(count):
    rng = np.random.default_rng(count)
    sites = rng.integers(0, 512, count).astype(np.int32)
    positions, velocities = rng.random((2, count, 3), np.float32)
    order = np.argsort(sites, kind="stable")
    expected = sites[order], positions[order], velocities[order]
    site, vectors = sort_by_site(sites.copy(), [positions, velocities], 512)
    for found, wanted in zip((site, *vectors), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
        assert found.dtype == wanted.dtype


@pytest.mark.parametrize("site", [-1, 512])
def test_a_site_off_the_grid_is_an_error(site):
    with pytest.raises(ValueError, match=rf"{site}.*outside 0 \.\.\. 511"):
        sort_by_site(np.array([3, site], np.int32), [np.zeros((2, 3), np.float32)], 512)


def test_absent_velocities_stay_absent():
    positions = np.arange(6, dtype=np.float32).reshape(2, 3)
    sites = np.array([7, 2], np.int32)
    _, (found, velocities) = sort_by_site(sites, [positions, positions[:0]], 8)
    np.testing.assert_array_equal(found, positions[::-1])
    assert velocities.shape == (0, 3)
