"""2LPT against plane waves, for which the displacements are known in closed form."""

import numpy as np
import pytest

from lagbias.cosmology import Background
from lagbias.grids.fourier import RealFFT
from lagbias.simulate.lpt import displacement, initial_conditions, second_order_source

N, BOX_SIZE = 16, 50.0
AMPLITUDE, WAVE = 0.3, 2  # of the plane waves; WAVE periods across the box
K = 2 * np.pi * WAVE / BOX_SIZE
NODES = np.arange(N) * BOX_SIZE / N
X, Y, Z = np.meshgrid(NODES, NODES, NODES, indexing="ij")


@pytest.fixture(scope="module")
def fft():
    return RealFFT(N)


def to_modes(fft, field):
    return fft.forward(field.astype(np.float32))


def assert_close(actual, expected, scale):
    np.testing.assert_allclose(actual, expected, atol=2e-6 * scale, rtol=0)


@pytest.mark.parametrize(("axis", "coordinate"), [(0, X), (1, Y), (2, Z)])
def test_a_plane_wave_moves_matter_to_its_crest(fft, axis, coordinate):
    modes = to_modes(fft, AMPLITUDE * np.cos(K * coordinate))
    for component in range(3):
        expected = -AMPLITUDE / K * np.sin(K * coordinate) if component == axis else 0.0 * X
        assert_close(displacement(modes, component, box_size=BOX_SIZE, fft=fft), expected, 1 / K)


def test_one_plane_wave_has_no_second_order(fft):
    modes = to_modes(fft, AMPLITUDE * np.cos(K * (X + Y)))
    source = fft.inverse(second_order_source(modes, box_size=BOX_SIZE, fft=fft))
    assert_close(source, 0.0, 1.0)


def test_crossed_waves_have_the_product_as_source(fft):
    modes = to_modes(fft, AMPLITUDE * (np.cos(K * X) + np.cos(K * Z)))
    source = fft.inverse(second_order_source(modes, box_size=BOX_SIZE, fft=fft))
    assert_close(source, AMPLITUDE**2 * np.cos(K * X) * np.cos(K * Z), 1.0)


def test_off_diagonal_terms_of_the_source(fft):
    # Oblique waves: phi_xx phi_yy - phi_xy^2 is 1/4 |k_1 x k_2|^2/(k_1^2 k_2^2) ... = the sum and
    # difference waves weighted by sin^2 of the angle between k_1 = (K, K, 0) and k_2 = (K, 0, 0).
    modes = to_modes(fft, np.cos(K * (X + Y)) + np.cos(K * X))
    source = fft.inverse(second_order_source(modes, box_size=BOX_SIZE, fft=fft))
    assert_close(source, 0.5 * np.cos(K * (X + Y)) * np.cos(K * X), 1.0)


def test_nyquist_mode_does_not_move_anything(fft):
    modes = to_modes(fft, np.cos(np.pi * np.arange(N))[:, None, None] + 0.0 * X)
    assert_close(displacement(modes, 0, box_size=BOX_SIZE, fft=fft), 0.0, 1.0)


def test_initial_conditions_put_both_orders_together(fft):
    background = Background.abacus_c000()
    a = 0.3
    growth = float(background.growth(a))
    second = float(background.second_order_growth(a))
    slope = float(background.second_order_slope(a))
    modes = to_modes(fft, AMPLITUDE * (np.cos(K * X) + np.cos(K * Y)))
    before = modes.copy()
    positions, velocities = initial_conditions(
        modes, growth=growth, background=background, box_size=BOX_SIZE, fft=fft
    )
    np.testing.assert_array_equal(modes, before)
    assert positions.shape == velocities.shape == (N**3, 3)
    assert positions.dtype == velocities.dtype == np.float32
    first = -AMPLITUDE / K * np.stack([np.sin(K * X), np.sin(K * Y), 0 * X], axis=-1)
    # psi_2 = grad laplacian^-1 (A^2 cos cos) = A^2/(2K) (sin cos, cos sin, 0)
    crossed = np.stack([np.sin(K * X) * np.cos(K * Y), np.cos(K * X) * np.sin(K * Y), 0 * X], -1)
    crossed *= AMPLITUDE**2 / (2 * K)
    lattice = np.stack([X, Y, Z], axis=-1)
    expected = (lattice + growth * first + second * crossed).reshape(-1, 3)
    assert_close(positions, expected, BOX_SIZE / 10)
    assert_close(velocities, (first + slope * crossed).reshape(-1, 3), 1 / K)
