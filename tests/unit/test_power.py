"""Spectra: normalisation, binning, mode weights, and quantities derived from spectra."""

import numpy as np
import pytest

from lagbias.grids.power import (
    auto_power,
    correlation_coefficient,
    cross_power,
    mode_weighted_mean,
    uncorrelated_power,
)

BOX_SIZE = 500.0
FUNDAMENTAL = 2 * np.pi / BOX_SIZE
# Rounding of complex64 modes in float64 sums.
SINGLE_PRECISION = 1e-6
# Rounding of float64 sums of up to 1e5 products, in units of the power of the fields.
DOUBLE_PRECISION = 1e-13


def modes_of(field):
    return np.fft.rfftn(field).astype(np.complex64)


def integer_wavenumbers(n):
    index = np.fft.fftfreq(n, 1 / n)
    return np.stack(np.meshgrid(index, index, index, indexing="ij"))


def twin(field_a, field_b):
    """Average all N³ complex modes without any weights."""
    n = len(field_a)
    product = (np.fft.fftn(field_a) * np.conj(np.fft.fftn(field_b))).real * BOX_SIZE**3 / n**6
    radius = np.sqrt((integer_wavenumbers(n) ** 2).sum(axis=0))
    shells = [np.abs(radius - m) < 0.5 for m in range(1, n // 2 + 1)]
    return (
        np.array([product[shell].mean() for shell in shells]),
        np.array([radius[shell].mean() for shell in shells]) * FUNDAMENTAL,
        np.array([shell.sum() for shell in shells]),
    )


@pytest.mark.parametrize("n", [2, 9, 12])
def test_equals_the_average_of_all_complex_modes(n):
    rng = np.random.default_rng(n)
    a, b = rng.standard_normal((2, n, n, n))
    power, mean_k, n_modes = twin(a, b)
    result = cross_power(modes_of(a), modes_of(b + 1.0), BOX_SIZE)  # the mean does not matter
    np.testing.assert_allclose(
        result.power, power, rtol=SINGLE_PRECISION, atol=SINGLE_PRECISION * np.abs(power).max()
    )
    np.testing.assert_allclose(result.mean_k, mean_k, rtol=1e-12)
    np.testing.assert_array_equal(result.n_modes, n_modes)
    np.testing.assert_allclose(result.k, FUNDAMENTAL * np.arange(1, n // 2 + 1), rtol=1e-15)
    assert result.n_modes.dtype == np.int64


def sums_twin(modes_a, modes_b):
    """Sum products of complex64 modes over shells in NumPy, over the whole grid at once."""
    n = len(modes_a)
    squared = (integer_wavenumbers(n)[..., : n // 2 + 1] ** 2).sum(axis=0)
    weight = np.full(squared.shape, 2.0)
    weight[..., 0] = 1.0
    if n % 2 == 0:
        weight[..., -1] = 1.0
    shell = np.rint(np.sqrt(squared)).astype(int).ravel()
    product = (modes_a.astype(complex) * modes_b.astype(complex).conj()).real
    return [
        np.bincount(shell, weights=(weight * values).ravel())[1 : n // 2 + 1]
        for values in (1.0, np.sqrt(squared), product)
    ]


@pytest.mark.parametrize("n", [2, 3, 16, 31, 48])
def test_sums_are_those_of_the_whole_grid_in_float64(n):
    rng = np.random.default_rng(n)
    a, b = (modes_of(field) for field in rng.standard_normal((2, n, n, n)))
    counts, sum_n, squares = sums_twin(a, a)
    products = sums_twin(a, b)[2]
    unit = BOX_SIZE**3 / n**6
    cross, auto = cross_power(a, b, BOX_SIZE), auto_power(a, BOX_SIZE)
    for result in (cross, auto):
        np.testing.assert_array_equal(result.n_modes, counts)
        np.testing.assert_allclose(
            result.mean_k, FUNDAMENTAL * sum_n / counts, rtol=DOUBLE_PRECISION
        )
    np.testing.assert_allclose(auto.power, unit * squares / counts, rtol=DOUBLE_PRECISION)
    # a cross spectrum may be near zero: the tolerance is relative to the power
    np.testing.assert_allclose(
        cross.power, unit * products / counts, rtol=0, atol=DOUBLE_PRECISION * auto.power.max()
    )
    for other in (a.astype(complex), np.asfortranarray(a)):
        np.testing.assert_array_equal(auto_power(other, BOX_SIZE).power, auto.power)


@pytest.mark.parametrize("wavevector", [(2, 0, 0), (0, 0, 3), (1, -2, 2), (0, 0, 8), (8, 0, 0)])
def test_plane_wave(wavevector):
    n, amplitude = 16, 0.3
    phase = 2 * np.pi / n * np.einsum("i,ixyz->xyz", wavevector, np.mgrid[:n, :n, :n])
    result = auto_power(modes_of(amplitude * np.cos(phase)), BOX_SIZE)
    shell = round(np.sqrt(np.dot(wavevector, wavevector))) - 1
    # A cosine has two modes of A²/4; at Nyquist they are one mode of A².
    total = amplitude**2 * (1.0 if 8 in wavevector else 0.5) * BOX_SIZE**3
    expected = np.zeros(n // 2)
    expected[shell] = total / result.n_modes[shell]
    np.testing.assert_allclose(result.power, expected, atol=SINGLE_PRECISION * expected.max())


def test_known_spectrum_is_returned():
    """Modes of exactly the right size, whatever the phases, give the input in every bin."""
    n, rng = 24, np.random.default_rng(5)
    phases = np.fft.rfftn(rng.standard_normal((n, n, n)))
    index = integer_wavenumbers(n)[..., : n // 2 + 1]
    shell = np.maximum(np.rint(np.sqrt((index**2).sum(axis=0))), 1)
    power = 1e4 / shell
    modes = phases / np.abs(phases) * np.sqrt(power / BOX_SIZE**3) * n**3
    result = auto_power(modes.astype(np.complex64), BOX_SIZE)
    np.testing.assert_allclose(result.power, 1e4 / np.arange(1, 13), rtol=SINGLE_PRECISION)


def test_number_of_modes():
    """Seven bins lie below 0.1 h/Mpc at 500 Mpc/h; 2102 modes do, 1790 of them in these bins."""
    result = auto_power(np.ones((32, 32, 17), np.complex64), BOX_SIZE)
    radius = np.sqrt((integer_wavenumbers(32) ** 2).sum(axis=0)).ravel()
    low = result.k < 0.1
    assert low.sum() == 7
    assert result.n_modes[low].sum() == np.sum((radius > 0) & (radius < 7.5)) == 1790
    assert np.sum((radius > 0) & (radius * FUNDAMENTAL < 0.1)) == 2102


def test_uncorrelated_power_is_model_power_less_what_correlates():
    rng = np.random.default_rng(3)
    halo, rest = rng.standard_normal((2, 12, 12, 12))
    model = 0.8 * halo + 0.2 * rest
    p_h, p_m = auto_power(modes_of(halo), BOX_SIZE), auto_power(modes_of(model), BOX_SIZE)
    p_hm = cross_power(modes_of(halo), modes_of(model), BOX_SIZE)
    r = correlation_coefficient(p_m.power, p_hm.power, p_h.power)
    uncorrelated = uncorrelated_power(p_m.power, p_hm.power, p_h.power)
    np.testing.assert_allclose(uncorrelated, p_m.power * (1 - r**2), rtol=1e-10)
    assert np.all(np.abs(r) <= 1) and np.all(uncorrelated >= 0)
    twice = cross_power(modes_of(halo), modes_of(2 * halo), BOX_SIZE).power
    np.testing.assert_allclose(
        uncorrelated_power(4 * p_h.power, twice, p_h.power), 0.0, atol=1e-6 * p_h.power.max()
    )


def test_mode_weighted_mean():
    k, n_modes = np.array([0.05, 0.09, 0.1, 0.2]), np.array([1, 3, 100, 100])
    ratio = np.array([[2.0, 1.0, 50.0, 50.0], [4.0, 8.0, 0.0, 0.0]])
    np.testing.assert_allclose(mode_weighted_mean(ratio, k, n_modes), [1.25, 7.0])
    assert mode_weighted_mean(ratio[0], k, n_modes, k_max=0.06) == 2.0
    with pytest.raises(ValueError, match="k_max"):
        mode_weighted_mean(ratio, k, n_modes, k_max=0.01)


@pytest.mark.parametrize(
    ("shape_a", "shape_b"), [((8, 8, 5), (6, 6, 4)), ((8, 8, 8), (8, 8, 8)), ((8, 6, 5), (8, 6, 5))]
)
def test_refuses_other_shapes(shape_a, shape_b):
    with pytest.raises(ValueError, match="shapes"):
        cross_power(np.zeros(shape_a, np.complex64), np.zeros(shape_b, np.complex64), BOX_SIZE)
