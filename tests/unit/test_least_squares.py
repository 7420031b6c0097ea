"""The constrained least-squares f: its equations, its optimum and the check of it."""

import dataclasses
import itertools

import numpy as np
import pytest

from lagbias.bias.binned import FeatureBins, make_bins
from lagbias.bias.least_squares import NormalEquations, normal_equations, optimality_residual, solve
from lagbias.training.training_set import TrainingSet

# Unit particles and cells of order one: what is left of 1e-8 times a condition number of some
# hundred after two refinements is below rounding of the sums.
EXACT = 1e-8
# The reference is the exact optimum of every active set, solved without a ridge or scaling.
REFERENCE = 1e-9


def synthetic(seed=0, n_cells=400, per_cell=25, bins=None, table=None, noise=0.0):
    """Particles in clustered cells, whose target is a table's f plus noise."""
    rng = np.random.default_rng(seed)
    n = 1 + rng.poisson(per_cell, n_cells)
    start = np.concatenate([[0], np.cumsum(n)])
    large = np.repeat(rng.normal(size=(n_cells, 2)), n, axis=0)
    theta = (0.6 * large + 0.8 * rng.normal(size=large.shape)).astype(np.float32)
    factor = (rng.uniform(0.9, 1.1, n_cells) / per_cell).astype(np.float32)
    bins = bins or make_bins(theta, delta_bins=8, percentiles=(0, 30, 70, 100))
    made = TrainingSet(
        theta, start, factor, np.ones(n_cells, np.float32), n_cells + 10, np.arange(n_cells)
    )
    if table is None:
        table = smooth_table(bins)
    table = table / (normal_equations(made, bins).weights @ table)
    target = np.add.reduceat(table[bins.index(theta)], start[:-1]) * factor
    # float64, so that the target is the table's to rounding
    target = np.maximum(target + noise * rng.normal(size=n_cells), 0.0)
    return dataclasses.replace(made, target=target), bins, table


def smooth_table(bins):
    """Zero at low δ and high ∇²δ, rising from there."""
    row, column = np.indices(bins.shape)
    return np.maximum(0.0, row - 0.4 * bins.shape[0] - 0.6 * column + 0.3).ravel()


def dense(made, bins):
    """Return A, by the definition."""
    cell = np.repeat(np.arange(len(made.target)), np.diff(made.cell_start))
    matrix = np.zeros((len(made.target), bins.n_bins))
    np.add.at(matrix, (cell, bins.index(made.inputs)), made.cell_factor[cell].astype(np.float64))
    return matrix


def exhaustive(normal):
    """Return the best of the optima on all subsets of bins, with the constraint eliminated."""
    size, best, best_loss = len(normal.rhs), None, np.inf
    for count in range(1, size + 1):
        for free in map(list, itertools.combinations(range(size), count)):
            border = normal.weights[free]
            system = np.block(
                [
                    [normal.matrix[np.ix_(free, free)], border[:, None]],
                    [border[None], np.zeros((1, 1))],
                ]
            )
            f = np.zeros(size)
            f[free] = np.linalg.solve(system, np.append(normal.rhs[free], 1.0))[:-1]
            loss = 0.5 * f @ normal.matrix @ f - normal.rhs @ f
            if f.min() >= 0 and loss < best_loss:
                best, best_loss = f, loss
    return best


def test_equations_are_those_of_the_dense_matrix():
    made, bins, _ = synthetic(noise=0.5)
    before = made.cell_start.copy()
    normal, matrix = normal_equations(made, bins), dense(made, bins)
    np.testing.assert_array_equal(made.cell_start, before)
    np.testing.assert_allclose(normal.matrix, matrix.T @ matrix, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(normal.rhs, matrix.T @ made.target, rtol=1e-12)
    f = np.random.default_rng(3).random(bins.n_bins)
    loss = np.mean((matrix @ f - made.target) ** 2)
    # the expanded square cancels digits
    np.testing.assert_allclose(normal.loss_per_cell(f), loss, rtol=1e-10)


def test_weights_are_fractions_of_all_particles():
    """A cell of which one particle in four was drawn counts four times."""
    bins = FeatureBins(np.array([-1.0, 0.0, 1.0]), np.array([[-1.0, 1.0]] * 2))
    made = TrainingSet(
        inputs=np.array([[-0.5, 0], [-0.5, 0], [0.5, 0], [0.5, 0]], np.float32),
        cell_start=np.array([0, 3, 4]),
        cell_factor=np.array([1.0, 4.0], np.float32),
        target=np.ones(2, np.float32),
        n_cells=2,
        cell_index=np.arange(2),
    )
    np.testing.assert_allclose(normal_equations(made, bins).weights, [2 / 7, 5 / 7], rtol=1e-15)


def test_a_known_table_is_recovered_with_its_zeros():
    made, bins, table = synthetic()
    solution = solve(normal_equations(made, bins))
    assert (table == 0).sum() >= 5
    np.testing.assert_allclose(solution.f, table, atol=EXACT * table.max())
    assert solution.kkt_residual < EXACT and 1.0 < solution.condition_number < 1e5


def test_both_constraints_act_on_noise():
    made, bins, _ = synthetic(noise=1.5)
    normal = normal_equations(made, bins)
    free_fit = np.linalg.solve(normal.matrix, normal.rhs)
    assert free_fit.min() < -0.1 and abs(normal.weights @ free_fit - 1.0) > 1e-3
    solution = solve(normal)
    assert solution.f.min() == 0.0 and (solution.f == 0).sum() >= 3
    assert abs(normal.weights @ solution.f - 1.0) < 1e-12
    assert normal.loss_per_cell(solution.f) > normal.loss_per_cell(free_fit)
    assert normal.loss_per_cell(solution.f) < normal.loss_per_cell(np.ones(bins.n_bins))


@pytest.mark.parametrize("seed", range(12))
def test_the_optimum_of_four_bins_is_the_best_of_all_active_sets(seed):
    rng = np.random.default_rng(seed)
    design = rng.random((9, 4)) * [1.0, 10.0, 0.1, 3.0]
    target = rng.normal(size=9) + 0.5
    weights = rng.dirichlet(np.ones(4))
    normal = NormalEquations(design.T @ design, design.T @ target, target @ target, weights, 9)
    expected = exhaustive(normal)
    np.testing.assert_allclose(solve(normal).f, expected, atol=REFERENCE * expected.max())


def test_identical_and_empty_bins_survive():
    """Two equal columns and one of zeros: their sum is determined, and the loss the least."""
    made, bins, _ = synthetic(noise=0.3)
    normal = normal_equations(made, bins)
    copy = np.append(np.arange(bins.n_bins), bins.n_bins - 1)  # the last bin, split in two
    size = len(copy) + 1
    matrix, rhs, weights = np.zeros((size, size)), np.zeros(size), np.zeros(size)
    matrix[:-1, :-1] = normal.matrix[np.ix_(copy, copy)]
    rhs[:-1], weights[:-1] = normal.rhs[copy], normal.weights[copy]
    for array in (matrix, matrix.T, rhs, weights):
        array[-3:-1] /= 2
    singular = dataclasses.replace(normal, matrix=matrix, rhs=rhs, weights=weights)
    solution, regular = solve(singular), solve(normal)
    assert solution.condition_number > 1e12 and solution.f[-1] == 0.0
    np.testing.assert_allclose(solution.f[-3:-1].mean(), regular.f[-1], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(solution.f[:-3], regular.f[:-1], atol=1e-6 * regular.f.max())


@pytest.mark.parametrize("change", ["sign", "mean", "free", "active", "nan"])
def test_a_tampered_solution_fails_the_check(change):
    made, bins, _ = synthetic(noise=1.5)
    normal = normal_equations(made, bins)
    solution = solve(normal)
    f, weights = solution.f.copy(), normal.weights
    zeros, free = np.flatnonzero(f == 0), np.flatnonzero(f > 0)
    if change == "sign":
        f[zeros[0]] = -1e-3
    elif change == "mean":
        f *= 1 + 1e-8
    elif change == "free":  # the mean stays
        f[free[0]] += 1e-3 / weights[free[0]]
        f[free[1]] -= 1e-3 / weights[free[1]]
    elif change == "active":  # the best f without one more bin, which would be better positive
        f = without(normal, free[np.argmax(f[free])])
    else:
        f[0] = np.nan
    assert optimality_residual(normal, solution.f, solution.multiplier) == solution.kkt_residual
    with pytest.raises(ArithmeticError, match="not a constrained minimum"):
        optimality_residual(normal, f, solution.multiplier)


def without(normal, bin_):
    """Return the optimum with one bin's f held at zero."""
    kept = np.delete(np.arange(len(normal.rhs)), bin_)
    part = dataclasses.replace(
        normal,
        matrix=normal.matrix[np.ix_(kept, kept)],
        rhs=normal.rhs[kept],
        weights=normal.weights[kept],
    )
    return np.insert(solve(part).f, bin_, 0.0)


def test_the_order_of_the_bins_does_not_matter():
    made, bins, _ = synthetic(noise=1.0)
    normal = normal_equations(made, bins)
    order = np.random.default_rng(5).permutation(bins.n_bins)
    shuffled = dataclasses.replace(
        normal,
        matrix=normal.matrix[np.ix_(order, order)],
        rhs=normal.rhs[order],
        weights=normal.weights[order],
    )
    f = solve(normal).f
    np.testing.assert_allclose(solve(shuffled).f, f[order], atol=EXACT * f.max())
