"""Where a slab is cut: periodic places, centring, and which particles belong to it."""

import numpy as np
import pytest

from lagbias.figures import region

BOX_SIZE, N_SIDE = 100.0, 25
SPACING = BOX_SIZE / N_SIDE


def lattice():
    """Return the nodes of the initial grid as particles that have not moved, and their sites."""
    sites = np.arange(N_SIDE**3, dtype=np.int32)
    nodes = np.stack(np.unravel_index(sites, (N_SIDE,) * 3), axis=1)
    return (nodes * SPACING).astype(np.float32), sites


def choose(halo, positions=None, sites=None, **options):
    """Choose a region around the heavier of two halos, of which `halo` is that."""
    if positions is None:
        positions, sites = lattice()
    halos = np.array([[50.0, 50.0, 50.0], halo])
    lengths = {"size": 40.0, "depth": 8.0, **options}
    return region.choose_region(
        halos, np.array([1.0, 2.0]), positions, sites, box_size=BOX_SIZE, n_side=N_SIDE, **lengths
    )


@pytest.mark.parametrize("halo", [(30.0, 61.3, 50.0), (1.0, 99.0, 0.5), (99.9, 0.0, 99.0)])
def test_the_most_massive_halo_is_in_the_middle_across_the_boundary_too(halo):
    where = choose(halo)
    assert where.size == 40.0 and where.middle == halo[2]
    offset = where.places(np.array([halo]))[0] - 20.0
    assert np.abs(offset).max() <= 0.5 * SPACING


def test_places_run_on_across_the_boundary():
    where = choose((1.0, 50.0, 50.0))
    x = np.array([[99.0, 50.0], [1.0, 50.0], [3.0, 50.0]])
    np.testing.assert_allclose(np.diff(where.places(x)[:, 0]), [2.0, 2.0])
    assert where.contains(where.places(x)).all()


def test_a_margin_widens_the_square():
    where = choose((50.0, 50.0, 50.0))
    places = np.array([[-1.0, 5.0], [5.0, 40.5], [-3.0, 5.0]])
    assert where.contains(places).tolist() == [False, False, False]
    assert where.contains(places, margin=2.0).tolist() == [True, True, False]


def test_the_layer_is_where_the_halo_came_from():
    positions, sites = lattice()
    # everything moved down by five layers, so that the halo's matter comes from across the boundary
    positions[:, 2] = (positions[:, 2] - 5 * SPACING) % BOX_SIZE
    where = choose((40.0, 40.0, 23 * SPACING), positions, sites)
    assert where.layer == (23 + 5) % N_SIDE


def test_a_halo_without_particles_near_gives_its_own_layer():
    where = choose((40.0, 40.0, 8.0), np.empty((0, 3), np.float32), np.empty(0, np.int32))
    assert where.layer == 2


def test_layer_rows_are_those_that_start_or_end_in_the_square():
    positions, sites = lattice()
    where = choose((50.0, 50.0, 50.0))
    still = region.layer_rows(where, positions, sites)
    assert len(still) == where.n_nodes**2
    assert set(sites[still] % N_SIDE) == {where.layer}
    moved = positions + np.array([SPACING, 0.0, 3.0], np.float32)
    rows = region.layer_rows(where, moved % BOX_SIZE, sites)
    assert len(rows) == where.n_nodes * (where.n_nodes + 1)  # one row of nodes comes in
    assert set(still) <= set(rows)


def test_slab_rows_are_those_that_end_within_the_depth():
    positions, _ = lattice()
    where = choose((50.0, 50.0, 1.0), depth=12.0)  # from z = -5 to 7: nodes at -4, 0 and 4
    rows = region.slab_rows(where, positions)
    assert sorted(set(positions[rows, 2])) == [0.0, 4.0, 96.0]
    assert len(rows) == 3 * where.n_nodes**2
    # the next nodes are half a distance outside
    assert len(region.slab_rows(where, positions, margin=3.0)) == 3 * (where.n_nodes + 2) ** 2


def test_rows_do_not_depend_on_how_many_are_looked_at_together(monkeypatch):
    positions, sites = lattice()
    where = choose((1.0, 50.0, 50.0))
    whole = region.layer_rows(where, positions, sites), region.slab_rows(where, positions)
    monkeypatch.setattr(region, "_CHUNK", 1000)
    parts = region.layer_rows(where, positions, sites), region.slab_rows(where, positions)
    for first, second in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_square_that_all_but_fills_the_box_is_the_box():
    where = choose((10.0, 90.0, 50.0), size=95.0, depth=200.0)
    assert (where.size, where.depth) == (BOX_SIZE, BOX_SIZE)
    positions, sites = lattice()
    assert len(region.layer_rows(where, positions, sites)) == N_SIDE**2


def test_impossible_regions_are_explained():
    positions, sites = lattice()
    options = {"box_size": BOX_SIZE, "n_side": N_SIDE}
    with pytest.raises(ValueError, match="at least one halo"):
        region.choose_region(np.empty((0, 3)), np.empty(0), positions, sites, **options)
    with pytest.raises(ValueError, match="positive lengths"):
        choose((0.0, 0.0, 0.0), depth=0.0)
