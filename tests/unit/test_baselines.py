"""Polynomial and Gaussian Lagrangian bias, and transfer functions, of boxes with a known f."""

import contextlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from lagbias.bias import gaussian_bias, polynomial, transfer_functions
from lagbias.bias.gaussian_bias import Box, GaussianBias
from lagbias.bias.polynomial import PolynomialBias
from lagbias.features.grids import feature_grids, values_at_sites
from lagbias.grids import paint, weighted_fields
from lagbias.grids.mode_products import filtered_modes, gram_matrix, smooth_filter
from lagbias.grids.power import auto_power
from lagbias.schema import fields

BOX_SIZE, N_SITES, N_GRID = 100.0, 32, 16
CUT = 0.3
#: Fields are float32.
SINGLE_PRECISION = 2e-6
#: The same times the condition number of the normal equations, below a hundred.
COEFFICIENTS = 1e-4
#: Standard errors: 40 comparisons, of which none fails in 10⁴ choices of the seeds.
SIGNIFICANT = 5.0
NOISE = 0.3

POLYNOMIAL = np.array([0.7, 0.25, -0.2, 0.15])
#: c_δ, c_∇, C_δδ, C_δ∇ and C_∇∇: Σ_h is smaller than Σ in one direction, larger in the other.
GAUSSIAN = np.array([0.8, 0.15, -0.3, 0.1, 0.12])


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAGBIAS_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


class Toy(NamedTuple):
    """Particles of a random field, moved along its gradient."""

    features: np.ndarray
    positions: np.ndarray
    sigma: np.ndarray

    @property
    def features_of(self) -> Callable[[slice], np.ndarray]:
        return self.features.__getitem__


def make_toy(seed):
    rng = np.random.default_rng(seed)
    axis = 2 * np.pi * np.fft.fftfreq(N_SITES, BOX_SIZE / N_SITES)
    k = np.array(np.meshgrid(axis, axis, axis, indexing="ij"))
    k_squared = np.maximum((k**2).sum(axis=0), (2 * np.pi / BOX_SIZE) ** 2)
    modes = np.fft.fftn(rng.normal(size=(N_SITES,) * 3)) * k_squared**-0.5
    modes[0, 0, 0] = 0.0
    delta = np.fft.ifftn(modes).real
    grids = feature_grids((delta / delta.std()).astype(np.float32), BOX_SIZE, rf=5.0)
    sites = np.arange(N_SITES**3)
    features = values_at_sites([grids.delta, grids.lap_delta, grids.g2], sites)
    smooth = modes * np.exp(-k_squared * 5.0**2 / 2) / k_squared
    moves = np.array([np.fft.ifftn(1j * each * smooth).real.ravel() for each in k]).T
    start = np.array(np.unravel_index(sites, (N_SITES,) * 3)).T * (BOX_SIZE / N_SITES)
    positions = (start + 4.0 * moves / moves.std()) % BOX_SIZE
    return Toy(features, positions.astype(np.float32) % np.float32(BOX_SIZE), grids.sigma)


@pytest.fixture(scope="module")
def toys():
    return [make_toy(seed) for seed in (1, 2)]


def painted(toy, weights):
    return paint.overdensity(paint.paint_cic(toy.positions, BOX_SIZE, N_GRID, weights=weights))


def basis(toy):
    return polynomial.basis_fields(toy.features_of, toy.positions, box_size=BOX_SIZE, n_grid=N_GRID)


def polynomial_f(toy, coefficients=POLYNOMIAL):
    """Return f with unit mean, by its definition."""
    delta, lap_delta, g2 = toy.features.T.astype(np.float64)
    terms = np.array([delta, delta**2, g2, lap_delta])
    return 1 + coefficients @ (terms - terms.mean(axis=1, keepdims=True))


def gaussian_f(toy, parameters=GAUSSIAN):
    delta, lap_delta = toy.features[:, :2].T.astype(np.float64)
    c, d, cc, cd, dd = parameters
    log = c * delta + d * lap_delta + (cc * delta**2 + dd * lap_delta**2) / 2
    f = np.exp(log + cd * delta * lap_delta)
    return f / f.mean()


def with_noise(field, seed):
    noise = NOISE * np.random.default_rng(seed).normal(size=field.shape)
    return (field + noise).astype(np.float32)


def covariance(derivatives):
    """Return the covariance of a linear fit to white noise, summed over boxes.

    With normal equations H = FᵀWF, it is σ² H⁻¹ (FᵀW²F) H⁻¹.
    """
    weight = smooth_filter(N_GRID, BOX_SIZE, CUT)
    hessian, squares = (
        sum(gram_matrix(filtered_modes(each, power)) for each in derivatives)
        for power in (weight, weight**2)
    )
    inverse = np.linalg.inv(hessian)
    return NOISE**2 * inverse @ squares @ inverse


def normal(toy, halos):
    return polynomial.normal_equations(basis(toy).fields, halos, box_size=BOX_SIZE, cut=CUT)


def fit_gaussian(boxes):
    return gaussian_bias.fit(boxes, box_size=BOX_SIZE, cut=CUT, sigma=np.ones(3))


def parameters_of(fitted):
    return np.array([*fitted.slope, *fitted.curvature[[0, 0, 1], [0, 1, 1]]])


# Basis fields


def test_basis_fields_are_weighted_overdensities(toys, monkeypatch):
    made = basis(toys[0])
    particles = painted(toys[0], None)
    np.testing.assert_allclose(made.fields[0], particles, atol=SINGLE_PRECISION)
    np.testing.assert_allclose(made.fields.mean(axis=(1, 2, 3)), 0, atol=SINGLE_PRECISION)
    for index in range(4):
        f = polynomial_f(toys[0], np.eye(4)[index])
        expected = painted(toys[0], f) - particles
        np.testing.assert_allclose(made.fields[1 + index], expected, atol=10 * SINGLE_PRECISION)
    np.testing.assert_allclose(made.averages, [0, 1, 0, 0], atol=1e-5)
    monkeypatch.setattr(weighted_fields, "_CHUNK", 5000)
    np.testing.assert_allclose(basis(toys[0]).fields, made.fields, atol=10 * SINGLE_PRECISION)


# Polynomial


def test_the_polynomial_fit_is_dense_least_squares(toys):
    """On all modes of both boxes, multiplied by √W."""
    k = 2 * np.pi * np.fft.fftfreq(N_GRID, BOX_SIZE / N_GRID)
    squared = k[:, None, None] ** 2 + k[:, None] ** 2 + k**2
    root = np.exp(-((squared / CUT**2) ** 2) / 2)
    rows, targets, sums = [], [], 0
    for seed, toy in enumerate(toys):
        halos = with_noise(painted(toy, gaussian_f(toy)), seed)
        made = basis(toy).fields
        modes = np.array([(root * np.fft.fftn(field)).ravel() for field in (*made, halos)])
        rows.append(modes[1:5].T)
        targets.append(modes[5] - modes[0])
        sums = sums + normal(toy, halos)
    matrix, target = np.concatenate(rows), np.concatenate(targets)
    expected = np.linalg.lstsq(
        np.concatenate([matrix.real, matrix.imag]), np.concatenate([target.real, target.imag])
    )[0]
    np.testing.assert_allclose(polynomial.solve(sums), expected, atol=COEFFICIENTS)


def test_a_planted_polynomial_is_recovered(toys):
    halos = painted(toys[0], polynomial_f(toys[0]))
    found = polynomial.solve(normal(toys[0], halos))
    np.testing.assert_allclose(found, POLYNOMIAL, atol=COEFFICIENTS)
    np.testing.assert_allclose(
        polynomial.model_field(basis(toys[0]).fields, found), halos, atol=10 * COEFFICIENTS
    )


def test_two_noisy_boxes_give_it_within_the_errors(toys):
    made = [with_noise(painted(toy, polynomial_f(toy)), i) for i, toy in enumerate(toys)]
    found = polynomial.solve(sum(normal(toy, halos) for toy, halos in zip(toys, made, strict=True)))
    errors = np.sqrt(np.diag(covariance([basis(toy).fields[1:] for toy in toys])))
    assert errors.max() < 0.2  # the fit says something
    assert np.abs((found - POLYNOMIAL) / errors).max() < SIGNIFICANT


def fitted_polynomial(toy):
    return PolynomialBias(
        coefficients=POLYNOMIAL, averages=basis(toy).averages, sigma=toy.sigma, cut=CUT
    )


def test_the_polynomial_weighs_particles(toys):
    toy = toys[0]
    fitted = fitted_polynomial(toy)
    fields.check(fitted)
    f = fitted.evaluate(toy.features)
    assert f.shape == (len(fitted), len(toy.positions)) == (1, N_SITES**3)
    assert f.dtype == np.float32 and f.min() < 0
    np.testing.assert_allclose(f[0], polynomial_f(toy), atol=1e-5)
    np.testing.assert_allclose(fitted.evaluate(toy.features, threads=2), f)
    expected = polynomial.model_field(basis(toy).fields, POLYNOMIAL)
    np.testing.assert_allclose(painted(toy, f[0]), expected, atol=10 * SINGLE_PRECISION)


def test_parameters_are_those_of_fields_in_their_own_units(toys):
    toy = toys[0]
    fitted = fitted_polynomial(toy)
    delta, lap_delta, s2 = (toy.features * toy.sigma).T.astype(np.float64)  # s² less its mean
    b = fitted.parameters
    f = 1 + b.b1 * delta + b.b2 / 2 * (delta**2 - np.mean(delta**2))
    f += b.b_s2 * s2 + b.b_nabla2 * lap_delta
    np.testing.assert_allclose(fitted.evaluate(toy.features)[0], f, atol=1e-4)


# Transfer functions


def products(toy, halos):
    return transfer_functions.binned_products(basis(toy).fields, halos, box_size=BOX_SIZE)


def bin_of_modes():
    n = np.minimum(np.arange(N_GRID), N_GRID - np.arange(N_GRID))
    half = np.arange(N_GRID // 2 + 1)
    length = np.sqrt(n[:, None, None] ** 2 + n[:, None] ** 2 + half**2)
    return length * (2 * np.pi / BOX_SIZE), np.rint(length).astype(int)


def apply(beta_of_modes, toy):
    modes = np.fft.rfftn(basis(toy).fields.astype(np.float64), axes=(1, 2, 3))
    return np.fft.irfftn(
        (beta_of_modes * modes).sum(axis=0), s=(N_GRID,) * 3, axes=(0, 1, 2)
    ).astype(np.float32)


def test_planted_transfer_functions_are_recovered(toys):
    """β that are constant in each bin, from the sums of two boxes."""
    beta = np.random.default_rng(0).normal(size=(5, N_GRID // 2))
    _, bins = bin_of_modes()
    of_modes = beta[:, np.clip(bins, 1, N_GRID // 2) - 1]
    found = transfer_functions.solve([products(toy, apply(of_modes, toy)) for toy in toys])
    fields.check(found)
    # the fewest modes of a bin are 18, whose equations have condition numbers up to a thousand
    np.testing.assert_allclose(found.beta, beta, atol=10 * COEFFICIENTS)


def test_transfer_functions_are_applied_by_interpolation(toys):
    k, _ = bin_of_modes()
    nodes = np.array([0.1, 0.2, 0.35])
    beta = np.random.default_rng(1).normal(size=(5, 3))
    transfer = transfer_functions.TransferFunctions(k=nodes, beta=beta)
    expected = apply(np.array([np.interp(k, nodes, each) for each in beta]), toys[0])
    found = transfer_functions.model_field(transfer, basis(toys[0]).fields, box_size=BOX_SIZE)
    assert k.min() < nodes[0] and k.max() > nodes[-1]
    np.testing.assert_allclose(found, expected, atol=20 * SINGLE_PRECISION)


def test_combinations_of_the_fields_give_the_same_model(toys):
    """Why making them orthogonal would change nothing."""
    made = basis(toys[0]).fields
    mixed = np.tensordot(np.tril(np.ones((5, 5))), made, 1).astype(np.float32)
    halos = with_noise(painted(toys[0], gaussian_f(toys[0])), 3)
    models = []
    for each in (made, mixed):
        sums = transfer_functions.binned_products(each, halos, box_size=BOX_SIZE)
        solved = transfer_functions.solve([sums])
        models.append(transfer_functions.model_field(solved, each, box_size=BOX_SIZE))
    np.testing.assert_allclose(models[1], models[0], atol=10 * COEFFICIENTS)


def test_no_polynomial_leaves_less_power(toys):
    halos = with_noise(painted(toys[0], gaussian_f(toys[0])), 4)
    sums = products(toys[0], halos)
    beta = transfer_functions.solve([sums]).beta
    best = polynomial.solve(normal(toys[0], halos))

    def residual(coefficients):
        vectors = np.concatenate([coefficients, -np.ones((1, coefficients.shape[1]))])
        return np.einsum("ik,kij,jk->k", vectors, sums.sums, vectors)

    constant = np.repeat(np.array([[1.0, *best]]).T, N_GRID // 2, axis=1)
    assert (residual(beta) < residual(constant)).all()
    modes = np.fft.rfftn(polynomial.model_field(basis(toys[0]).fields, best) - halos)
    power = auto_power(modes, BOX_SIZE)
    np.testing.assert_allclose(residual(constant), power.power * power.n_modes, rtol=1e-4)


def test_bins_of_other_boxes_are_refused(toys):
    sums = products(toys[0], basis(toys[0]).fields[1])
    with pytest.raises(ValueError, match="boxes of one size"):
        transfer_functions.solve([sums, sums._replace(k=2 * sums.k)])


# Gaussian bias


def test_derivatives_are_finite_differences(toys):
    toy = toys[0]
    box = Box(toy.features_of, toy.positions, np.zeros((N_GRID,) * 3, np.float32))
    made = gaussian_bias.fields_and_derivatives(GAUSSIAN, box, box_size=BOX_SIZE)
    expected = painted(toy, gaussian_f(toy))
    np.testing.assert_allclose(made.fields[0], expected, atol=10 * SINGLE_PRECISION)
    step = 1e-2  # the error is of order step², that of rounding 1e-6 / step
    for index, derivative in enumerate(made.fields[1:]):
        low, high = (
            painted(toy, gaussian_f(toy, GAUSSIAN + sign * step * np.eye(5)[index]))
            for sign in (-1, 1)
        )
        scale = np.abs(derivative).max()
        np.testing.assert_allclose(derivative, (high - low) / (2 * step), atol=2e-3 * scale)


def test_a_planted_gaussian_is_recovered(toys):
    boxes = [Box(t.features_of, t.positions, painted(t, gaussian_f(t))) for t in toys]
    fitted = fit_gaussian(boxes)
    fields.check(fitted)
    np.testing.assert_allclose(parameters_of(fitted), GAUSSIAN, atol=COEFFICIENTS)
    f = fitted.evaluate(toys[0].features)
    assert f.shape == (len(fitted), N_SITES**3) and f.dtype == np.float32 and f.min() > 0
    np.testing.assert_allclose(fitted.evaluate(toys[0].features, threads=2), f)
    both = np.concatenate([fitted.evaluate(toy.features)[0] for toy in toys])
    assert both.mean(dtype=np.float64) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(f[0] / f.mean(), gaussian_f(toys[0]), rtol=0.01)


def test_two_noisy_boxes_give_it_within_the_errors_too(toys):
    boxes = [
        Box(t.features_of, t.positions, with_noise(painted(t, gaussian_f(t)), seed))
        for seed, t in enumerate(toys)
    ]
    derivatives = [
        gaussian_bias.fields_and_derivatives(GAUSSIAN, box, box_size=BOX_SIZE).fields[1:]
        for box in boxes
    ]
    errors = np.sqrt(np.diag(covariance(derivatives)))
    assert errors.max() < 0.3
    difference = parameters_of(fit_gaussian(boxes)) - GAUSSIAN
    assert np.abs(difference / errors).max() < SIGNIFICANT


def test_mean_and_covariance_at_halos_and_b1():
    """Of f as a ratio of two normal distributions; b1 is the response of ⟨f⟩ to a shift of δ."""
    field = np.array([[1.0, -0.6], [-0.6, 1.1]])
    mean, halo = np.array([1.2, -0.7]), np.array([[0.5, -0.2], [-0.2, 0.8]])
    inverse, halo_inverse = np.linalg.inv(field), np.linalg.inv(halo)
    constant = np.log(np.linalg.det(field) / np.linalg.det(halo)) - mean @ halo_inverse @ mean
    fitted = GaussianBias(
        offset=constant / 2,
        slope=halo_inverse @ mean,
        curvature=inverse - halo_inverse,
        field_covariance=field,
        sigma=np.array([0.5, 1.0, 1.0]),
        cut=CUT,
    )
    np.testing.assert_allclose(fitted.halo_mean, mean, rtol=1e-12)
    np.testing.assert_allclose(fitted.halo_covariance, halo, rtol=1e-12)

    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    grid = np.array(np.meshgrid(nodes, nodes)).reshape(2, -1)
    x = (np.linalg.cholesky(field) @ grid).T
    weight = np.outer(weights, weights).ravel() / (2 * np.pi)
    step = 1e-2

    def mean_f(shift):
        moved = (x + np.array([shift / fitted.sigma[0], 0])).astype(np.float32)
        return weight @ fitted.evaluate(moved)[0].astype(np.float64)

    assert mean_f(0.0) == pytest.approx(1, rel=1e-5)
    slope = (mean_f(step) - mean_f(-step)) / (2 * step)
    assert fitted.b1 == pytest.approx(slope, rel=1e-2)  # of order step², and float32


def smallest_eigenvalue(parameters, precision):
    """Return that of Σ_h⁻¹ = Σ⁻¹ - C."""
    return np.linalg.eigvalsh(precision - parameters[[[2, 3], [3, 4]]]).min()


def test_steps_keep_the_covariance_at_halos_positive(toys):
    """On the way to an f that is one above a threshold of δ, whose Σ_h is small."""
    toy = toys[0]
    f = np.where(toy.features[:, 0] > 2.5, 1.0, 0.0)
    box = Box(toy.features_of, toy.positions, painted(toy, f))
    precision = np.linalg.inv(gaussian_bias._second_moment([box]))
    tried = []

    def linearise(parameters):
        tried.append(smallest_eigenvalue(parameters, precision))
        return gaussian_bias._linearise(parameters, [box], box_size=BOX_SIZE, cut=CUT, threads=1)

    found = gaussian_bias._minimise(linearise, precision)
    assert min(tried) > 0 and found.objective < 0.01 * found.target
    tried.clear()
    with contextlib.suppress(ArithmeticError):
        gaussian_bias._minimise(linearise, 1e6 * np.eye(2))
    assert min(tried) < 0  # otherwise the check has not been needed


def test_a_fit_that_does_not_converge_says_so(toys, monkeypatch):
    monkeypatch.setattr(gaussian_bias, "_MAX_STEPS", 1)
    toy = toys[0]
    with pytest.raises(ArithmeticError, match="does not converge"):
        fit_gaussian([Box(toy.features_of, toy.positions, painted(toy, gaussian_f(toy)))])
