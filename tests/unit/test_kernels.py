"""The particle-mesh kernels against plain NumPy."""

import numba
import numpy as np
import pytest

from lagbias.runtime.threads import numba_threads
from lagbias.simulate import kernels

BOX_SIZE, N_MESH = 40.0, 16
CELL = BOX_SIZE / N_MESH


@pytest.fixture(scope="module")
def positions():
    rng = np.random.default_rng(7)
    inside = rng.uniform(0, BOX_SIZE, (500, 3))
    outside = rng.uniform(-0.9 * BOX_SIZE, 1.9 * BOX_SIZE, (200, 3))  # drifted out of the box
    edges = [[0, 0, 0], [BOX_SIZE - 1e-5, 0, CELL / 2], [-1e-6, CELL / 2, BOX_SIZE]]
    return np.concatenate([inside, outside, edges]).astype(np.float32)


def cic_matrix(positions, n_mesh):
    """Dense (P, n, n, n) cloud-in-cell weights in float64; node i is at (i - 1/2) cells."""
    nodes = np.arange(n_mesh)
    weights = []
    for axis in range(3):
        scaled = positions[:, axis].astype(np.float64) / BOX_SIZE * n_mesh + kernels.MESH_OFFSET
        distance = np.abs(scaled[:, None] - nodes)
        distance = np.minimum(distance % n_mesh, -distance % n_mesh)
        weights.append(np.maximum(0.0, 1.0 - distance))
    return np.einsum("pi,pj,pk->pijk", *weights)


def paint(positions, threads=1):
    meshes = np.full((kernels.PAINT_COPIES, N_MESH, N_MESH, N_MESH), np.nan, dtype=np.float32)
    with numba_threads(threads):
        return kernels.paint_overdensity(positions, BOX_SIZE, meshes)


def test_painting_matches_numpy(positions):
    expected = cic_matrix(positions, N_MESH).sum(axis=0) * N_MESH**3 / len(positions) - 1.0
    np.testing.assert_allclose(paint(positions), expected, atol=2e-4)


def test_a_lattice_paints_a_uniform_field():
    nodes = np.arange(N_MESH // 2) * 2 * CELL
    lattice = np.stack(np.meshgrid(nodes, nodes, nodes), axis=-1).reshape(-1, 3)
    field = paint(lattice.astype(np.float32))
    np.testing.assert_allclose(field, 0.0, atol=1e-6)  # half-way between nodes: no lattice seen


def test_painting_is_bitwise_independent_of_threads(positions):
    np.testing.assert_array_equal(paint(positions, threads=1), paint(positions, threads=2))


def test_kick_matches_numpy(positions):
    rng = np.random.default_rng(8)
    potential = rng.standard_normal((N_MESH,) * 3).astype(np.float32)
    velocities = rng.standard_normal(positions.shape).astype(np.float32)
    keep, gain = 0.7, 1.3
    weights = cic_matrix(positions, N_MESH)
    expected = keep * velocities.astype(np.float64)
    for axis in range(3):

        def shifted(nodes, axis=axis):
            return np.roll(potential.astype(np.float64), -nodes, axis)

        gradient = 8 * (shifted(1) - shifted(-1)) - (shifted(2) - shifted(-2))
        expected[:, axis] -= gain * np.einsum("pijk,ijk->p", weights, gradient) / (12 * CELL)
    kernels.kick(positions, velocities, potential, box_size=BOX_SIZE, keep=keep, gain=gain)
    np.testing.assert_allclose(velocities, expected, atol=5e-5)


def test_the_gradient_is_that_of_a_slow_wave():
    n_mesh, wave = 64, 2 * np.pi / BOX_SIZE
    nodes = (np.arange(n_mesh) - kernels.MESH_OFFSET) * BOX_SIZE / n_mesh
    potential = np.cos(wave * nodes)[None, :, None] * np.ones((n_mesh,) * 3)
    positions = np.random.default_rng(9).uniform(0, BOX_SIZE, (100, 3)).astype(np.float32)
    velocities = np.zeros_like(positions)
    kernels.kick(
        positions, velocities, potential.astype(np.float32), box_size=BOX_SIZE, keep=1.0, gain=1.0
    )
    expected = wave * np.sin(wave * positions[:, 1])
    np.testing.assert_allclose(velocities[:, 1], expected, atol=2e-3 * wave)  # CIC readout
    np.testing.assert_allclose(velocities[:, ::2], 0.0, atol=1e-5 * wave)


def test_filtered_inverse_laplacian_matches_numpy():
    n = 8
    rng = np.random.default_rng(10)
    modes = (rng.standard_normal((n, n, 5)) + 1j * rng.standard_normal((n, n, 5))).astype("c8")
    fx, fy, fz = (rng.uniform(0.5, 2, size).astype(np.float32) for size in (n, n, n))
    wavenumber = np.fft.fftfreq(n, 1 / n).astype(np.float32)
    k_squared = (
        wavenumber[:, None, None] ** 2 + wavenumber[:, None] ** 2 + wavenumber[:5] ** 2
    ).astype(np.float64)
    k_squared[0, 0, 0] = np.inf
    expected = 1j * modes * (fx[:, None, None] * fy[:, None] * fz[:5]) / k_squared
    out = np.empty_like(modes)
    kernels.filtered_inverse_laplacian(modes, fx, fy, fz, wavenumber, np.complex64(1j), out)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-7)
    kernels.filtered_inverse_laplacian(modes, fx, fy, fz, wavenumber, np.complex64(1j), modes)
    np.testing.assert_array_equal(modes, out)  # in place


def test_advance_and_wrap():
    positions = np.array([[1.0, 39.5, 20.0], [-1e-9, 40.0, -0.5]], dtype=np.float32)
    velocities = np.array([[-4.0, 2.0, 0.0], [0.0, 0.0, 0.0]], dtype=np.float32)
    kernels.advance(positions, velocities, 0.5)
    np.testing.assert_allclose(positions[0], [-1.0, 40.5, 20.0])
    kernels.wrap(positions, BOX_SIZE)
    np.testing.assert_allclose(positions, [[39.0, 0.5, 20.0], [0.0, 0.0, 39.5]], atol=1e-5)
    assert positions.min() >= 0 and positions.max() < BOX_SIZE


def test_threads_are_restored_even_after_an_error():
    before = numba.get_num_threads()
    with pytest.raises(RuntimeError), numba_threads(1):
        assert numba.get_num_threads() == 1
        raise RuntimeError
    assert numba.get_num_threads() == before
    with numba_threads(10_000):  # more than there are: all of them
        assert numba.get_num_threads() == numba.config.NUMBA_NUM_THREADS


_KICK_AND_PAINT = """
import hashlib, numpy as np
from lagbias.simulate import kernels
rng = np.random.default_rng(5)
positions = rng.uniform(0, 40, (20000, 3)).astype(np.float32)
velocities = rng.standard_normal((20000, 3)).astype(np.float32)
potential = rng.standard_normal((16, 16, 16)).astype(np.float32)
kernels.kick(positions, velocities, potential, box_size=40.0, keep=0.9, gain=0.3)
kernels.advance(positions, velocities, 0.1)
kernels.wrap(positions, 40.0)
mesh = kernels.paint_overdensity(positions, 40.0, np.empty((2, 16, 16, 16), np.float32))
print(hashlib.sha256(velocities.tobytes() + mesh.tobytes()).hexdigest())
"""


def test_the_process_that_compiles_gives_the_bits_of_those_that_load(compiled_and_loaded):
    compiled, loaded = compiled_and_loaded(_KICK_AND_PAINT)
    assert compiled == loaded
