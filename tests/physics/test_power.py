"""Painting and spectra against abacusutils, noise statistics and known inputs."""

import numba
import numpy as np
import pytest
from scipy import stats

from lagbias.cosmology import abacus_linear_power
from lagbias.grids.fourier import RealFFT
from lagbias.grids.paint import overdensity, paint_cic
from lagbias.grids.power import auto_power, cross_power

pytestmark = pytest.mark.physics

# abacusutils bins |δ_k|² in float32 sums over up to 4e4 modes and with fast arithmetic.
ABACUS_POWER_TOLERANCE = 1e-4
# abacusutils finds the cell by rounding in the arithmetic of its arguments, here float64.
ABACUS_CIC_TOLERANCE = 1e-10
# Chance of a wrong alarm, had the seed not been fixed.
SIGNIFICANCE = 1e-4


@pytest.fixture(autouse=True)
def keep_numba_threads():
    """Undo what abacusutils does to the number of threads of the whole process."""
    before = numba.get_num_threads()
    yield
    numba.set_num_threads(before)


def abacus_power(modes_a, modes_b, box_size):
    from abacusnbody.analysis.power_spectrum import calc_pk_from_deltak

    n = len(modes_a)
    edges = (np.arange(n // 2) + 0.5) * 2 * np.pi / box_size
    # Its modes are those of the mean-one convention: divide by N³.
    return calc_pk_from_deltak(
        modes_a / n**3, box_size, edges, np.array([0.0, 1.0]), field2_fft=modes_b / n**3, nthread=2
    )


def test_spectra_agree_with_abacusutils():
    n, box_size, rng = 48, 300.0, np.random.default_rng(2)
    field = rng.standard_normal((n, n, n), dtype=np.float32)
    other = field + 0.5 * rng.standard_normal((n, n, n), dtype=np.float32)
    fft = RealFFT(n)
    a, b = fft.forward(field), fft.forward(other)
    theirs = abacus_power(a, b, box_size)
    ours = cross_power(a, b, box_size)
    inside = slice(0, n // 2 - 1)  # its weights of the Nyquist plane differ
    np.testing.assert_array_equal(ours.n_modes[inside], theirs["N_mode"])
    np.testing.assert_allclose(ours.mean_k[inside], theirs["k_avg"], rtol=ABACUS_POWER_TOLERANCE)
    np.testing.assert_allclose(ours.power[inside], theirs["power"], rtol=ABACUS_POWER_TOLERANCE)


@pytest.mark.parametrize("n_cells", [24, 31])
def test_painting_agrees_with_abacusutils(n_cells):
    from abacusnbody.analysis.cic import cic_serial

    box_size, rng = 300.0, np.random.default_rng(3)
    positions, weights = rng.random((100_000, 3)) * box_size, rng.random(100_000)
    theirs = np.zeros((n_cells,) * 3)
    cic_serial(positions, theirs, box_size, weights=weights)
    ours = paint_cic(positions, box_size, n_cells, weights=weights, threads=2)
    np.testing.assert_allclose(ours, theirs, rtol=ABACUS_CIC_TOLERANCE)


def test_white_noise_level_and_scatter():
    """P = σ² V / N³, and each bin scatters as n_modes / 2 independent complex modes do."""
    n, box_size = 64, 200.0
    field = np.random.default_rng(4).standard_normal((n, n, n), dtype=np.float32)
    result = auto_power(RealFFT(n).forward(field), box_size)
    # Beyond the sphere's inside, self-conjugate modes exist only at Nyquist: leave out that bin.
    level, n_modes = box_size**3 / n**3, result.n_modes[:-1]
    chi_squared = result.power[:-1] / level * n_modes
    p_values = stats.chi2(n_modes).cdf(chi_squared)
    assert stats.kstest(p_values, "uniform").pvalue > SIGNIFICANCE
    total = stats.chi2(n_modes.sum()).cdf(chi_squared.sum())
    assert SIGNIFICANCE < total < 1 - SIGNIFICANCE


def test_shot_noise_of_random_particles():
    """Unclustered particles have P = V Σw² / (Σw)² where the CIC window does not bite."""
    n, box_size, rng = 64, 200.0, np.random.default_rng(5)
    positions = (rng.random((200_000, 3)) * box_size).astype(np.float32)
    weights = rng.exponential(size=200_000).astype(np.float32)
    delta = overdensity(paint_cic(positions, box_size, n, weights=weights, threads=2))
    result = auto_power(RealFFT(n).forward(delta), box_size)
    expected = box_size**3 * np.sum(weights**2, dtype=np.float64) / weights.sum() ** 2
    low = result.k < 0.1 * np.pi * n / box_size  # window² > 0.98 there
    p_value = stats.chi2(result.n_modes[low].sum()).cdf(
        np.sum(result.power[low] / expected * result.n_modes[low])
    )
    assert SIGNIFICANCE < p_value < 1 - SIGNIFICANCE


def test_linear_power_is_recovered():
    """A Gaussian field drawn from the c000 spectrum gives it back, bin by bin, within χ²."""
    n, box_size = 64, 500.0
    index = np.fft.fftfreq(n, 1 / n) * 2 * np.pi / box_size
    half = np.abs(index[: n // 2 + 1])
    k = np.sqrt(index[:, None, None] ** 2 + index[None, :, None] ** 2 + half**2)
    spectrum = np.zeros_like(k)
    spectrum[k > 0] = abacus_linear_power()(k[k > 0])
    fft = RealFFT(n)
    white = np.random.default_rng(6).standard_normal((n, n, n), dtype=np.float32)
    modes = fft.forward(white) * np.sqrt(spectrum * n**3 / box_size**3).astype(np.float32)
    result = auto_power(fft.forward(fft.inverse(modes)), box_size)
    # The expectation is the mean of P over the bin's modes: bins are wide where P is curved.
    bins = np.rint(k * box_size / (2 * np.pi)).astype(int)
    weights = np.where((half > 0) & (half < half[-1]), 2.0, 1.0) * np.ones_like(k)
    n_bins = n // 2 + 1
    mean = np.bincount(bins.ravel(), (weights * spectrum).ravel())[1:n_bins]
    square = np.bincount(bins.ravel(), (weights * spectrum**2).ravel())[1:n_bins]
    expected = mean / result.n_modes
    deviation = (result.power - expected) / (np.sqrt(2 * square) / result.n_modes)
    p_value = stats.chi2(n_bins - 2).cdf(np.sum(deviation[:-1] ** 2))
    assert SIGNIFICANCE < p_value < 1 - SIGNIFICANCE
