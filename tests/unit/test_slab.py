"""The slab of Fig. 1: what its particles and maps hold."""

import numpy as np
import pytest

from lagbias.figures import region, slab

BOX_SIZE, N_SIDE = 100.0, 25
SPACING = BOX_SIZE / N_SIDE
# Maps are float32 and sums of many terms.
MAP_TOLERANCE = 1e-5
# The window ends after four standard deviations, and what it lacks there is cut alike everywhere.
WINDOW_TOLERANCE = 1e-6


@pytest.fixture
def box():
    """Particles that moved from all nodes by a few Mpc/h, halos, and a density."""
    rng = np.random.default_rng(3)
    sites = rng.permutation(N_SIDE**3).astype(np.int32)
    nodes = np.stack(np.unravel_index(sites, (N_SIDE,) * 3), axis=1) * SPACING
    positions = (nodes + rng.normal(0.0, 3.0, nodes.shape)) % BOX_SIZE
    return {
        "positions": positions,
        "sites": sites,
        "halo_positions": rng.uniform(0.0, BOX_SIZE, (300, 3)),
        "halo_mass": rng.uniform(1e12, 1e14, 300),
        "delta": rng.normal(size=(N_SIDE,) * 3).astype(np.float32),
    }


def choose(box, **options):
    lengths = {"size": 40.0, "depth": 8.0, **options}
    names = ("halo_positions", "halo_mass", "positions", "sites")
    return region.choose_region(
        *(box[name] for name in names), box_size=BOX_SIZE, n_side=N_SIDE, **lengths
    )


def cut(box, where, f_of=lambda rows: np.ones(len(rows)), pixel=1.0, **changes):
    names = ("positions", "sites", "halo_positions", "halo_mass")
    parts = {**box, **changes}
    arrays = [parts[name] for name in names]
    return slab.cut(where, *arrays, f_of, parts["delta"], rf=2.83, pixel=pixel)


def test_maps_of_the_whole_box_have_mean_one(box):
    found = cut(box, choose(box, size=BOX_SIZE, depth=BOX_SIZE))
    assert found.model_map.shape == (100, 100)
    assert found.model_map.mean(dtype=np.float64) == pytest.approx(1.0, rel=MAP_TOLERANCE)
    assert found.halo_map.mean(dtype=np.float64) == pytest.approx(1.0, rel=MAP_TOLERANCE)
    assert found.model_map.std() > 0.01


def test_a_map_of_a_region_is_a_part_of_that_of_the_box(box):
    part = choose(box)
    whole = region.Region(part.corner, N_SIDE, part.layer, part.middle, 8.0, BOX_SIZE, N_SIDE)

    def f_of(rows):
        return 1.0 + rows % 3

    found, expected = cut(box, part, f_of), cut(box, whole, f_of)
    for name in ("model_map", "halo_map"):
        inside, there = getattr(expected, name)[:40, :40], getattr(found, name)
        np.testing.assert_allclose(there, inside, rtol=0, atol=WINDOW_TOLERANCE * inside.max())


def test_one_halo_keeps_its_place_and_mass(box):
    halo, mass = np.array([[1.3, 50.0, 99.0]]), np.array([7e13])
    where = choose({**box, "halo_positions": halo, "halo_mass": mass})
    found = cut(box, where, halo_positions=halo, halo_mass=mass, pixel=0.5)
    # 1 + δ is the halo's mass over the mean density, which it makes alone
    share = found.halo_map.sum(dtype=np.float64) * 0.5**2 * found.depth / BOX_SIZE**3
    assert share == pytest.approx(1.0, rel=MAP_TOLERANCE)
    centres = (np.arange(80) + 0.5) * 0.5
    weights = found.halo_map / found.halo_map.sum(dtype=np.float64)
    middle = weights.sum(axis=1) @ centres, weights.sum(axis=0) @ centres
    # a point is moved to the middle of its pixel
    np.testing.assert_allclose(middle, where.places(halo)[0], atol=0.25 + MAP_TOLERANCE)
    spread = np.sqrt(weights.sum(axis=1) @ (centres - middle[0]) ** 2)
    assert spread == pytest.approx(slab.MAP_SMOOTHING, rel=0.01)  # the cut window is narrower


def test_the_model_map_is_linear_in_f(box):
    where = choose(box)
    once, thrice = cut(box, where), cut(box, where, lambda rows: np.full(len(rows), 3.0))
    np.testing.assert_allclose(thrice.model_map, 3.0 * once.model_map, rtol=MAP_TOLERANCE)
    np.testing.assert_array_equal(thrice.halo_map, once.halo_map)


def test_particles_carry_their_own_density_weight_and_places(box):
    where = choose(box)
    found = cut(box, where, lambda rows: box["sites"][rows])  # so that f tells the site
    assert found.origin.shape == found.position.shape == (len(found.f), 2)
    sites = found.f.astype(int)
    assert set(sites % N_SIDE) == {where.layer}
    np.testing.assert_array_equal(found.delta, box["delta"].reshape(-1)[sites])
    inside = where.contains(found.origin)
    assert inside.sum() == where.n_nodes**2
    # nodes are in the middle of the squares of the image
    node = (found.origin[inside] / SPACING).astype(int)
    np.testing.assert_array_equal(found.initial_delta[tuple(node.T)], found.delta[inside])
    np.testing.assert_allclose(found.origin[inside] / SPACING - node, 0.5, atol=1e-5)
    # no particle jumps across the region where its boundary and that of the box meet
    assert np.abs(found.position - found.origin).max() < 20.0
    lengths = (found.region_size, found.layer_thickness, found.depth, found.rf)
    assert lengths == (40.0, SPACING, 8.0, 2.83)


def test_what_does_not_fit_is_explained(box):
    where = choose(box)
    with pytest.raises(ValueError, match=r"shape \(3, 3, 3\), but .* 25 nodes"):
        cut(box, where, delta=np.zeros((3, 3, 3)))
    with pytest.raises(ValueError, match="mean density"):
        cut(box, where, halo_mass=np.zeros(300))
