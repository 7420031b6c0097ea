"""Friends of friends against cKDTree, label by label."""

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from lagbias.simulate.friends_of_friends import friends_of_friends, halo_properties

BOX_SIZE = 20.0


def scipy_groups(positions, box_size, linking_length):
    """Component number of each particle, from all pairs of a periodic tree."""
    tree = cKDTree(positions.astype(np.float64), boxsize=box_size)
    pairs = tree.query_pairs(linking_length, output_type="ndarray")
    shape = (len(positions), len(positions))
    graph = coo_matrix((np.ones(len(pairs), dtype=bool), pairs.T), shape=shape)
    return connected_components(graph, directed=False)[1]


def canonical(labels):
    """Name each group by its first particle, so that two labellings can be compared."""
    first = {}
    return np.array([-1 if g < 0 else first.setdefault(g, p) for p, g in enumerate(labels)])


def find(positions, linking_length, min_particles=1, threads=1, box_size=BOX_SIZE):
    return friends_of_friends(
        positions,
        box_size=box_size,
        linking_length=linking_length,
        min_particles=min_particles,
        threads=threads,
    )


@pytest.fixture(scope="module")
def clustered():
    """Clumps of all densities, some of them across faces and corners, on a uniform background."""
    rng = np.random.default_rng(11)
    centres = np.concatenate([rng.uniform(0, BOX_SIZE, (40, 3)), np.zeros((1, 3)), [[0, 10, 20]]])
    clumps = [
        centre + rng.standard_normal((60, 3)) * width
        for centre, width in zip(centres, np.resize([0.02, 0.2, 0.6], len(centres)), strict=True)
    ]
    everything = np.concatenate([*clumps, rng.uniform(0, BOX_SIZE, (3000, 3))]) % BOX_SIZE
    positions = rng.permutation(everything).astype(np.float32)
    positions[positions >= BOX_SIZE] = 0
    return positions


@pytest.mark.parametrize("linking_length", [0.05, 0.3, 0.7, 1.1, 2.0])
def test_labels_equal_those_of_scipy(clustered, linking_length):
    expected = scipy_groups(clustered, BOX_SIZE, linking_length)
    labels = find(clustered, linking_length)
    np.testing.assert_array_equal(canonical(labels), canonical(expected))


def test_labels_do_not_depend_on_threads(clustered):
    one, two = (find(clustered, 0.4, min_particles=5, threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_small_groups_are_left_out(clustered):
    everything = find(clustered, 0.4)
    size = np.bincount(everything)
    labels = find(clustered, 0.4, min_particles=20)
    np.testing.assert_array_equal(labels >= 0, size[everything] >= 20)
    assert labels.max() + 1 == np.count_nonzero(size >= 20)


@pytest.mark.parametrize("start", [[5, 5, 5], [0.05, 10, 10], [10, 19.97, 3], [3, 3, 19.99]])
@pytest.mark.parametrize("direction", [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, 0.8, 0], [2, -1, 2]])
@pytest.mark.parametrize(("factor", "linked"), [(1 - 1e-9, True), (1 + 1e-9, False)])
def test_pairs_just_under_and_over_the_linking_length(start, direction, factor, linked):
    linking_length = 0.5
    step = np.array(direction) / np.linalg.norm(direction) * linking_length * factor
    pair = np.array([start, (np.array(start) - step) % BOX_SIZE])  # float64: exact enough
    labels = find(pair, linking_length)
    assert (labels[0] == labels[1]) == linked


def test_a_chain_through_all_faces_is_one_group():
    steps = np.linspace(0, 2 * BOX_SIZE, 400, endpoint=False)
    chain = np.stack([steps, steps / 2, (BOX_SIZE - steps) % BOX_SIZE], axis=1) % BOX_SIZE
    spacing = 1.5 * BOX_SIZE / 200
    assert find(chain, 1.01 * spacing).max() == 0
    assert find(chain, 0.99 * spacing).max() == len(chain) - 1


def test_properties_are_periodic_means():
    rng = np.random.default_rng(12)
    centres = np.array([[0.05, 19.98, 10.0], [7.0, 8.0, 9.0], [15.0, 2.0, 0.0]])
    sizes = np.array([10, 30, 10])
    member = np.repeat([0, 1, 2], sizes)
    offsets = rng.uniform(-0.1, 0.1, (50, 3))
    positions = ((centres[member] + offsets) % BOX_SIZE).astype(np.float32)
    velocities = rng.standard_normal((50, 3)).astype(np.float32)
    labels = np.append(member, -1).astype(np.int32)
    halos = halo_properties(
        labels,
        np.append(positions, [[1, 1, 1]], axis=0).astype(np.float32),
        np.append(velocities, [[9, 9, 9]], axis=0).astype(np.float32),
        box_size=BOX_SIZE,
    )
    order = [1, 0, 2]  # by size, then in the order of labels
    np.testing.assert_array_equal(halos.particles, [30, 10, 10])
    np.testing.assert_array_equal(halos.label, order)
    for halo, group in enumerate(order):
        expected = (centres[group] + offsets[member == group].mean(axis=0)) % BOX_SIZE
        np.testing.assert_allclose(halos.positions[halo], expected, atol=1e-5)
        mean = velocities[member == group].mean(axis=0)
        np.testing.assert_allclose(halos.velocities[halo], mean, atol=1e-6)
    assert np.all((halos.positions >= 0) & (halos.positions < BOX_SIZE))


def test_no_halos_at_all():
    positions = np.array([[1, 1, 1], [10, 10, 10]], dtype=np.float32)
    labels = find(positions, 0.5, min_particles=2)
    np.testing.assert_array_equal(labels, [-1, -1])
    halos = halo_properties(labels, positions, positions, box_size=BOX_SIZE)
    assert halos.particles.shape == (0,) and halos.positions.shape == (0, 3)


@pytest.mark.parametrize("linking_length", [0.0, -1.0, 2.1])
def test_impossible_linking_lengths_are_refused(linking_length):
    with pytest.raises(ValueError, match="linking_length"):
        find(np.zeros((3, 3), np.float32), linking_length)


@pytest.mark.parametrize("bad", [-0.1, BOX_SIZE, np.nan])
def test_positions_outside_the_box_are_refused(bad):
    with pytest.raises(ValueError, match="wrap"):
        find(np.array([[1, 1, bad]], np.float32), 0.5)
