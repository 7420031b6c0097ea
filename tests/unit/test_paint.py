"""lagbias.grids.paint: exact weights, boundaries, slow twins, and independence of threads."""

import itertools

import numpy as np
import pytest

from lagbias.grids import paint
from lagbias.grids.paint import cell_index, overdensity, paint_cic, paint_ngp

BOX_SIZE = 100.0
# Rounding of float64 sums of a few hundred terms.
DOUBLE_PRECISION = 1e-12


def particles(n, seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    positions = rng.random((n, 3)).astype(dtype) * dtype(BOX_SIZE)
    return positions, rng.random(n, dtype=np.float32)


def ngp_twin(positions, n_cells, weights):
    grid = np.zeros((n_cells,) * 3)
    for position, weight in zip(positions.astype(np.float64), weights, strict=True):
        cell = np.floor(position * n_cells / BOX_SIZE + 0.5).astype(int) % n_cells
        grid[tuple(cell)] += weight
    return grid


def cic_twin(positions, n_cells, weights):
    """Weight of a node: the product over axes of 1 - distance in cells, where positive."""
    grid = np.zeros((n_cells,) * 3)
    nodes = np.arange(n_cells)
    for position, weight in zip(positions.astype(np.float64), weights, strict=True):
        distance = np.abs(position[:, None] * n_cells / BOX_SIZE - nodes)
        distance = np.minimum(distance, n_cells - distance)
        shares = np.maximum(1.0 - distance, 0.0)
        grid += weight * np.einsum("i,j,k->ijk", *shares)
    return grid


@pytest.mark.parametrize("n_cells", [3, 4, 7, 10])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("painter", "slow"), [(paint_ngp, ngp_twin), (paint_cic, cic_twin)], ids=["ngp", "cic"]
)
def test_slow_twins(painter, slow, n_cells, dtype):
    positions, weights = particles(300, dtype=dtype)
    expected = slow(positions, n_cells, weights)
    result = painter(positions, BOX_SIZE, n_cells, weights=weights)
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, expected, atol=DOUBLE_PRECISION)
    unweighted = painter(positions, BOX_SIZE, n_cells)
    np.testing.assert_allclose(
        unweighted, slow(positions, n_cells, np.ones(300)), atol=DOUBLE_PRECISION
    )


def test_cic_shares_of_one_particle():
    """At a quarter, a half and three quarters of a cell, across the box's edge in x."""
    grid = paint_cic(np.array([[39.0 / 4, 0.5, 2.75]]), 10.0, 10, weights=np.array([2.0]))
    expected = np.zeros((10, 10, 10))
    shares = ({9: 0.25, 0: 0.75}, {0: 0.5, 1: 0.5}, {2: 0.25, 3: 0.75})
    for (i, a), (j, b), (k, c) in itertools.product(*(share.items() for share in shares)):
        expected[i, j, k] = 2.0 * a * b * c
    np.testing.assert_array_equal(grid, expected)


def test_particles_on_nodes_stay_there():
    positions = np.array([[0.0, 10.0, 90.0], [50.0, 50.0, 50.0]], dtype=np.float32)
    for painter in (paint_ngp, paint_cic):
        grid = painter(positions, BOX_SIZE, 10)
        assert grid[0, 1, 9] == grid[5, 5, 5] == 1.0
        assert grid.sum() == 2.0


def test_ngp_cells_are_centred_on_their_nodes():
    """The training grid: 5 Mpc/h cells of a 500 Mpc/h box; the lower boundary belongs inside."""
    x = np.array([0.0, 2.4999, 2.5, 7.4999, 7.5, 497.4999, 497.5, 499.99], dtype=np.float32)
    zero = np.zeros_like(x)
    expected = np.array([0, 0, 1, 1, 2, 99, 0, 0])
    for axis, stride in enumerate((100**2, 100, 1)):
        columns = [zero, zero, zero]
        columns[axis] = x
        index = cell_index(np.stack(columns, axis=1), 500.0, 100)
        assert index.dtype == np.int32
        np.testing.assert_array_equal(index, expected * stride)


@pytest.mark.parametrize("n_cells", [5, 8])
def test_positions_rounded_onto_or_over_the_edge(n_cells):
    """A float32 just below L may round to L, one just below 0 may stay negative."""
    edge = np.float32(BOX_SIZE)
    positions = np.array([[edge] * 3, [np.float32(-1e-9)] * 3, [-edge, 2 * edge, 0.0]])
    for painter in (paint_ngp, paint_cic):
        grid = painter(positions.astype(np.float32), BOX_SIZE, n_cells)
        assert grid[0, 0, 0] == pytest.approx(3.0, abs=1e-6)
    np.testing.assert_array_equal(cell_index(positions, BOX_SIZE, n_cells), 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -101.0, 201.0])
def test_refuses_positions_far_outside(bad):
    positions = np.full((5, 3), 50.0)
    positions[3, 1] = bad
    for painter in (cell_index, paint_ngp, paint_cic):
        with pytest.raises(ValueError, match="1 particles"):
            painter(positions, BOX_SIZE, 8)


def test_threads_and_chunks_change_nothing(monkeypatch):
    positions, weights = particles(50_000)
    results = {}
    for chunk in (1 << 24, 7_001):
        monkeypatch.setattr(paint, "_CHUNK", chunk)
        for threads in (1, 2):
            results[chunk, threads] = [
                painter(positions, BOX_SIZE, n, weights=weights, threads=threads)
                for painter, n in ((paint_ngp, 16), (paint_cic, 16), (paint_cic, 15))
            ]
    for (chunk, _), grids in results.items():
        for grid, alone, first in zip(grids, results[chunk, 1], results[1 << 24, 1], strict=True):
            np.testing.assert_array_equal(grid, alone)
            np.testing.assert_allclose(grid, first, rtol=DOUBLE_PRECISION)


@pytest.mark.parametrize("n_cells", [1, 2, 3, 8, 9])
def test_planes_that_are_filled_together_do_not_touch(n_cells):
    """A plane fills itself and the next one, around the box's edge, too."""
    rng = np.random.default_rng(n_cells)
    for occupied in (np.arange(n_cells), np.flatnonzero(rng.random(n_cells) < 0.5)):
        groups = paint._apart(occupied, n_cells)
        for group in groups:
            filled = np.concatenate([group, (group + 1) % n_cells]) if n_cells > 1 else group
            assert len(np.unique(filled)) == len(filled)
        together = np.concatenate([occupied[:0], *groups])
        np.testing.assert_array_equal(np.sort(together), occupied)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
@pytest.mark.parametrize("n_cells", [15, 16])
def test_several_weights_are_painted_like_one_by_one(n_cells, dtype, monkeypatch):
    monkeypatch.setattr(paint, "_CHUNK", 4_001)
    positions, _ = particles(10_000)
    weights = (100 * np.random.default_rng(1).random((3, 10_000))).astype(dtype)
    grids = paint_cic(positions, BOX_SIZE, n_cells, weights=weights, threads=2)
    assert grids.shape == (3, n_cells, n_cells, n_cells)
    for grid, one in zip(grids, weights, strict=True):
        expected = paint_cic(positions, BOX_SIZE, n_cells, weights=one)
        np.testing.assert_array_equal(grid, expected)
    alone = paint_cic(positions[:1], BOX_SIZE, n_cells, weights=weights[:, :1])
    np.testing.assert_allclose(alone.sum(axis=(1, 2, 3)), weights[:, 0])


def test_painting_adds_to_the_grids_given():
    positions, _ = particles(1_000)
    weights = np.random.default_rng(1).random((2, 1_000))
    grids = np.zeros((2, 8, 8, 8))
    for rows in (slice(0, 300), slice(300, 1_000)):
        part = weights[:, rows]
        assert paint_cic(positions[rows], BOX_SIZE, 8, weights=part, out=grids) is grids
    expected = paint_cic(positions, BOX_SIZE, 8, weights=weights)
    # each node adds the same terms, plane by plane within each part
    np.testing.assert_allclose(grids, expected, rtol=DOUBLE_PRECISION)
    for wrong in (grids[0], grids.astype(np.float32), grids.transpose(0, 2, 1, 3)):
        with pytest.raises(ValueError, match="C-contiguous float64"):
            paint_cic(positions, BOX_SIZE, 8, weights=weights, out=wrong)


def test_no_particles():
    for painter in (paint_ngp, paint_cic):
        assert not painter(np.empty((0, 3), np.float32), BOX_SIZE, 4).any()


def test_many_particles_conserve_mass():
    positions, weights = particles(100_000)
    total = weights.sum(dtype=np.float64)
    for painter in (paint_ngp, paint_cic):
        grid = painter(positions, BOX_SIZE, 33, weights=weights)
        assert grid.sum() == pytest.approx(total, rel=DOUBLE_PRECISION)


def test_overdensity():
    field = np.random.default_rng(0).random((6, 6, 6)) * 1e6
    contrast = overdensity(field)
    assert contrast.dtype == np.float32
    np.testing.assert_allclose(contrast, field / field.mean() - 1, atol=1e-7)
    with pytest.raises(ValueError, match="mean 0"):
        overdensity(np.zeros((4, 4, 4)))


def test_refuses_wrong_arguments():
    positions, weights = particles(10)
    for painter, wrong in (
        (paint_cic, weights[:-1]),
        (paint_cic, weights[:, None]),
        (paint_ngp, weights[:-1]),
    ):
        with pytest.raises(ValueError, match="one weight"):
            painter(positions, BOX_SIZE, 4, weights=wrong)
    with pytest.raises(ValueError, match="expected"):
        cell_index(positions.T, BOX_SIZE, 4)
    for box_size, n_cells in ((BOX_SIZE, 1291), (-1.0, 4)):
        with pytest.raises(ValueError, match="1290"):
            cell_index(positions, box_size, n_cells)
