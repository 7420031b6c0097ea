"""Least squares of f with the residual below a maximum wavenumber."""

import dataclasses

import numpy as np
import pytest

from lagbias.bias.binned import FeatureBins
from lagbias.bias.least_squares import filtered_normal_equations, normal_equations, solve
from lagbias.training.training_set import TrainingSet

SIDE, BOX_SIZE = 8, 40.0
K_MAX = 0.45  # above the half of the Nyquist wavenumber, 0.63
#: Columns are float32 grids; relative to the largest element.
SINGLE_PRECISION = 3e-6
#: The same, times a condition number of some ten.
RECOVERED = 1e-4
BINS = FeatureBins(np.array([-5.0, -0.5, 0.5, 5.0]), np.array([[-5.0, 0.0, 5.0]] * 3))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LAGBIAS_CACHE_DIR", str(tmp_path))


def training_set(table, empty=0, noise=0.0):
    """A grid of clustered cells, whose target is a table's f plus noise, normalised."""
    rng = np.random.default_rng(2)
    occupied = np.sort(rng.choice(SIDE**3, SIDE**3 - empty, replace=False))
    n = 1 + rng.poisson(20, len(occupied))
    start = np.concatenate([[0], np.cumsum(n)])
    large = np.repeat(rng.normal(size=(len(occupied), 2)), n, axis=0)
    theta = (0.7 * large + 0.7 * rng.normal(size=large.shape)).astype(np.float32)
    factor = rng.uniform(0.9, 1.1, len(occupied)).astype(np.float32) / 21
    factor *= SIDE**3 / (factor @ n)
    made = TrainingSet(theta, start, factor, np.ones(len(n), np.float32), SIDE**3, occupied)
    table = table / (normal_equations(made, BINS).weights @ table)
    target = np.add.reduceat(table[BINS.index(theta)], start[:-1]) * factor
    target += noise * rng.normal(size=len(n))
    return dataclasses.replace(made, target=target.astype(np.float32)), table


TABLE = np.array([0.0, 0.0, 0.6, 0.3, 2.0, 1.0])


def wavenumber():
    k = 2 * np.pi * np.fft.fftfreq(SIDE, BOX_SIZE / SIDE)
    return np.sqrt(k[:, None, None] ** 2 + k[:, None] ** 2 + k**2)


def low_pass(rows):
    """Remove modes with k ≥ K_MAX from rows of cells, with complex transforms in float64."""
    grids = np.asarray(rows, np.float64).reshape(-1, SIDE, SIDE, SIDE)
    modes = np.fft.fftn(grids, axes=(1, 2, 3)) * (wavenumber() < K_MAX)
    return np.fft.ifftn(modes, axes=(1, 2, 3)).real.reshape(len(grids), -1)


def filtered(made, k_max=K_MAX):
    return filtered_normal_equations(made, BINS, box_size=BOX_SIZE, k_max=k_max)


@pytest.mark.parametrize("empty", [0, 15])
def test_equations_are_those_of_the_dense_filtered_matrix(empty):
    made, _ = training_set(TABLE, empty=empty, noise=0.5)
    cell = np.repeat(np.arange(len(made.target)), np.diff(made.cell_start))
    design, target = np.zeros((BINS.n_bins, SIDE**3)), np.zeros(SIDE**3)
    factor = made.cell_factor[cell].astype(np.float64)
    np.add.at(design, (BINS.index(made.inputs), made.cell_index[cell]), factor)
    target[made.cell_index] = made.target
    matrix, wanted = low_pass(design), low_pass(target)[0]
    normal = filtered(made)
    scale = np.abs(matrix @ matrix.T).max()
    np.testing.assert_allclose(normal.matrix, matrix @ matrix.T, atol=SINGLE_PRECISION * scale)
    np.testing.assert_allclose(normal.rhs, matrix @ wanted, atol=SINGLE_PRECISION * scale)
    assert normal.target_square == pytest.approx(wanted @ wanted, rel=SINGLE_PRECISION)
    f = np.random.default_rng(3).random(BINS.n_bins)
    loss = np.sum((f @ matrix - wanted) ** 2) / len(made.target)
    assert normal.loss_per_cell(f) == pytest.approx(loss, rel=1e-4)
    unfiltered = normal_equations(made, BINS)
    np.testing.assert_array_equal(normal.weights, unfiltered.weights)
    assert np.abs(normal.matrix - unfiltered.matrix).max() > 0.01 * scale


def test_without_a_limit_they_are_those_of_the_cells():
    made, _ = training_set(TABLE, empty=15, noise=0.5)
    normal, expected = filtered(made, k_max=np.inf), normal_equations(made, BINS)
    scale = expected.matrix.max()
    np.testing.assert_allclose(normal.matrix, expected.matrix, atol=SINGLE_PRECISION * scale)
    np.testing.assert_allclose(normal.rhs, expected.rhs, atol=SINGLE_PRECISION * scale)


def test_a_known_table_is_recovered():
    made, table = training_set(TABLE)
    solution = solve(filtered(made))
    np.testing.assert_allclose(solution.f, table, atol=RECOVERED * table.max())


def test_small_scales_do_not_matter():
    """Noise at k ≥ k_max changes f of the cells, and not that of the filtered residual."""
    made, table = training_set(TABLE)
    noise = 5 * np.random.default_rng(4).normal(size=SIDE**3)
    noise -= low_pass(noise)[0]
    noisy = dataclasses.replace(made, target=(made.target + noise).astype(np.float32))
    assert np.abs(solve(normal_equations(noisy, BINS)).f - table).max() > 0.05
    solution = solve(filtered(noisy))
    assert solution.f.min() >= 0
    np.testing.assert_allclose(solution.f, table, atol=10 * RECOVERED * table.max())


def test_cells_that_are_no_cube_are_refused():
    made, _ = training_set(TABLE)
    with pytest.raises(ValueError, match="no cubic grid"):
        filtered(dataclasses.replace(made, n_cells=SIDE**3 + 1))
