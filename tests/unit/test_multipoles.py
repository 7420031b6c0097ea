"""Multipoles of the power spectrum."""

import numpy as np
import pytest
from scipy.special import eval_legendre

from lagbias.grids.multipoles import ELLS, auto_multipoles, cross_multipoles
from lagbias.grids.power import auto_power, cross_power

BOX_SIZE = 500.0
# Rounding of complex64 modes in float64 sums.
SINGLE_PRECISION = 1e-6
# Shells of a cubic grid do not sample μ evenly: the means of L_4 over those used here are up to
# 0.013, and 1.6 times as large with β = 0.4.
SAMPLING = 0.03


def modes_of(field):
    return np.fft.rfftn(field).astype(np.complex64)


def twin(field_a, field_b):
    """Average all N³ complex modes without any weights."""
    n = len(field_a)
    index = np.fft.fftfreq(n, 1 / n)
    nx, ny, nz = np.meshgrid(index, index, index, indexing="ij")
    radius = np.sqrt(nx**2 + ny**2 + nz**2)
    mu = np.divide(nz, radius, where=radius > 0, out=np.zeros_like(radius))
    product = (np.fft.fftn(field_a) * np.conj(np.fft.fftn(field_b))).real * BOX_SIZE**3 / n**6
    shells = [np.abs(radius - m) < 0.5 for m in range(1, n // 2 + 1)]
    return np.array(
        [
            [(2 * ell + 1) * (product * eval_legendre(ell, mu))[s].mean() for s in shells]
            for ell in ELLS
        ]
    )


@pytest.mark.parametrize("n", [2, 9, 12])
def test_equal_the_average_of_all_complex_modes(n):
    a, b = np.random.default_rng(n).standard_normal((2, n, n, n))
    expected = twin(a, b)
    found = cross_multipoles(modes_of(a), modes_of(b + 1.0), BOX_SIZE).power
    tolerance = SINGLE_PRECISION * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=SINGLE_PRECISION, atol=tolerance)


def test_the_monopole_is_the_power_spectrum():
    a, b = (modes_of(f) for f in np.random.default_rng(1).standard_normal((2, 10, 10, 10)))
    for found, expected in (
        (auto_multipoles(a, BOX_SIZE), auto_power(a, BOX_SIZE)),
        (cross_multipoles(a, b, BOX_SIZE), cross_power(a, b, BOX_SIZE)),
    ):
        np.testing.assert_array_equal(found.power[0], expected.power)
        for name in ("k", "mean_k", "n_modes"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize("beta", [0.0, 0.4])
def test_a_planted_anisotropy_is_returned(beta):
    """P_ℓ of P(k) (1 + β μ²)², Kaiser (1987); modes have exactly the right size."""
    n, rng = 48, np.random.default_rng(5)
    index = np.fft.fftfreq(n, 1 / n)
    half = index[: n // 2 + 1]
    radius = np.sqrt(index[:, None, None] ** 2 + index[:, None] ** 2 + half**2)
    radius[0, 0, 0] = 1.0
    phases = np.fft.rfftn(rng.standard_normal((n, n, n)))
    shell = np.maximum(np.rint(radius), 1)
    size = np.sqrt(1e4 / shell / BOX_SIZE**3) * n**3 * (1 + beta * (half / radius) ** 2)
    found = auto_multipoles((phases / np.abs(phases) * size).astype(np.complex64), BOX_SIZE)
    factors = [1 + 2 * beta / 3 + beta**2 / 5, 4 * beta / 3 + 4 * beta**2 / 7, 8 * beta**2 / 35]
    scaled = found.power * np.arange(1, n // 2 + 1) / 1e4
    expected = np.broadcast_to(np.array(factors)[:, None], scaled.shape)
    widths = 2 * np.array(ELLS)[:, None] + 1
    assert np.abs((scaled - expected) / widths)[:, 8:-1].max() < SAMPLING


def test_refuses_other_shapes():
    with pytest.raises(ValueError, match="shapes"):
        cross_multipoles(np.zeros((8, 8, 5), complex), np.zeros((6, 6, 4), complex), BOX_SIZE)
