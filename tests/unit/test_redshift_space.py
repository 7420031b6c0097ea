"""Redshift space: shifts along z, wrapping, and the multipoles of a linear field."""

import numpy as np
import pytest

from lagbias.cosmology import Background
from lagbias.grids.fourier import RealFFT
from lagbias.grids.multipoles import auto_multipoles
from lagbias.grids.paint import overdensity, paint_cic
from lagbias.grids.redshift_space import redshift_space, velocity_to_shift

BOX_SIZE = 200.0
OMEGA_M, REDSHIFT = 0.3, 0.5
# Second order in displacements of a hundredth of a cell, and cells as large as k_max L/N = 0.4.
LINEAR = 0.02


def test_the_shift_is_that_of_the_hubble_rate():
    # E(z) = √(0.3 · 1.5³ + 0.7) = 1.30863
    assert velocity_to_shift(OMEGA_M, REDSHIFT) == pytest.approx(1.5 / 130.863, rel=1e-5)
    assert velocity_to_shift(OMEGA_M, 0.0) == pytest.approx(0.01)


def test_only_z_moves_and_stays_in_the_box():
    position = np.array([[1, 2, 3], [1, 2, 199], [1, 2, 0], [1, 2, 0]], np.float32)
    velocity = np.array([[500, 500, 1000], [0, 0, 300], [0, 0, -1e-6], [9, 9, 0]], np.float32)
    found = redshift_space(position, velocity, box_size=BOX_SIZE, shift=0.01)
    expected = [[1, 2, 13], [1, 2, 2], [1, 2, 0], [1, 2, 0]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32 and position[0, 2] == 3
    assert np.all((found >= 0) & (found < BOX_SIZE))


def displaced_lattice(n, rng):
    """Particles half a cell from nodes, displaced by ψ with -∇·ψ = δ, and ψ [Mpc/h]."""
    index = np.fft.fftfreq(n, 1 / n) * 2 * np.pi / BOX_SIZE
    k = np.stack(np.meshgrid(index, index, index[: n // 2 + 1], indexing="ij"))
    k_squared = (k**2).sum(axis=0)
    k_squared[0, 0, 0] = 1.0
    modes = np.fft.rfftn(rng.standard_normal((n, n, n))) * np.exp(-k_squared / 0.08)
    psi = np.stack(
        [np.fft.irfftn(1j * part / k_squared * modes, s=(n,) * 3, axes=(0, 1, 2)) for part in k]
    )
    psi *= 0.01 * BOX_SIZE / n / psi.std()
    lattice = (np.indices((n, n, n)) + 0.5) * BOX_SIZE / n
    return (lattice + psi).reshape(3, -1).T, psi.reshape(3, -1).T


def test_linear_motions_multiply_modes_by_one_plus_f_mu_squared():
    """Kaiser (1987), mode by mode, for v = f a H ψ."""
    n = 64
    position, psi = displaced_lattice(n, np.random.default_rng(1))
    background = Background.flat(OMEGA_M)
    a = 1 / (1 + REDSHIFT)
    rate = float(background.growth_rate(a))
    velocity = rate * a * float(background.hubble(a)) * psi
    shift = velocity_to_shift(OMEGA_M, REDSHIFT)
    moved = position.copy()  # in float64, since displacements are small
    moved[:, 2] += shift * velocity[:, 2]
    single = [p.astype(np.float32) for p in (position, velocity)]
    found = redshift_space(*single, box_size=BOX_SIZE, shift=shift)
    np.testing.assert_allclose(found, moved, atol=1e-4)

    fft = RealFFT(n)
    real, redshifted = (
        fft.forward(overdensity(paint_cic(p, BOX_SIZE, n))) for p in (position, moved)
    )
    index = np.fft.fftfreq(n, 1 / n)
    radius = np.sqrt(index[:, None, None] ** 2 + index[:, None] ** 2 + index[: n // 2 + 1] ** 2)
    mu = np.divide(np.abs(index[: n // 2 + 1]), radius, where=radius > 0, out=0 * radius)
    expected = auto_multipoles(real * (1 + rate * mu**2), BOX_SIZE).power[:, :4]
    power = auto_multipoles(redshifted, BOX_SIZE).power[:, :4]
    np.testing.assert_allclose(power, expected, atol=LINEAR * expected[0].max())
    assert np.all(np.abs(power[0] / auto_multipoles(real, BOX_SIZE).power[0, :4] - 1) > 0.2)
