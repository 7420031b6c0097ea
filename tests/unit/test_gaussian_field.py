"""Gaussian initial conditions."""

import numpy as np
import pytest

from lagbias.cosmology import LinearPower
from lagbias.grids.fourier import RealFFT, wavenumbers
from lagbias.simulate.gaussian_field import linear_density_modes, white_noise

N, BOX_SIZE = 32, 100.0
POWER = LinearPower(np.geomspace(1e-4, 100, 9), 300.0 * np.geomspace(1e-4, 100, 9) ** -1.0)


@pytest.fixture(scope="module")
def fft():
    return RealFFT(N)


def modes_of(noise, fft, box_size=BOX_SIZE, power=POWER):
    return linear_density_modes(noise, box_size=box_size, linear_power=power, fft=fft)


def test_white_noise_is_seeded_and_of_unit_variance():
    noise = white_noise(N, np.random.default_rng(3))
    assert noise.shape == (N, N, N) and noise.dtype == np.float32
    np.testing.assert_array_equal(noise, white_noise(N, np.random.default_rng(3)))
    assert np.any(noise != white_noise(N, np.random.default_rng(4)))
    assert noise.std() == pytest.approx(1.0, abs=5 / np.sqrt(2 * N**3))


def test_modes_are_noise_times_the_root_of_power(fft):
    noise = white_noise(N, np.random.default_rng(3))
    kx, ky, kz = wavenumbers(N, BOX_SIZE)
    k = np.sqrt(kx**2 + ky**2 + kz**2)
    k[0, 0, 0] = 1.0
    expected = np.fft.rfftn(noise.astype(np.float64)) * np.sqrt(POWER(k) * (N / BOX_SIZE) ** 3)
    expected[0, 0, 0] = 0.0
    before = noise.copy()
    modes = modes_of(noise, fft)
    np.testing.assert_array_equal(noise, before)
    assert modes.dtype == np.complex64
    np.testing.assert_allclose(modes, expected, atol=1e-5 * np.abs(expected).max())
    assert modes[0, 0, 0] == 0


def test_unit_noise_gives_the_power_spectrum_back(fft):
    # Noise with the same |noise_k|^2 = N^3 in every mode: a delta function of height N^(3/2).
    noise = np.zeros((N, N, N), dtype=np.float32)
    noise[0, 0, 0] = N**1.5
    modes = modes_of(noise, fft)
    fundamental = 2 * np.pi / BOX_SIZE
    measured = np.abs(modes[2, 0, 1]) ** 2 * BOX_SIZE**3 / N**6
    assert measured == pytest.approx(float(POWER(np.sqrt(5) * fundamental)), rel=1e-5)


def test_the_same_seed_gives_the_same_structure_in_another_box(fft):
    noise = white_noise(N, np.random.default_rng(3))
    white = LinearPower(np.array([1e-4, 100.0]), np.array([1.0, 1.0]))
    small = modes_of(noise, fft, box_size=50.0, power=white)
    large = modes_of(noise, fft, box_size=200.0, power=white)
    np.testing.assert_allclose(small / 8.0, large, rtol=1e-5, atol=1e-5)
