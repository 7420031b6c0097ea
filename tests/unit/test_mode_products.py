"""Filtered modes and their products against NumPy's full transforms."""

import numpy as np
import pytest

from lagbias.grids.mode_products import filtered_modes, gram_matrix, sharp_filter, smooth_filter

BOX_SIZE = 40.0
CUT = 0.4
#: Transforms of a few hundred float32 numbers.
SINGLE_PRECISION = 1e-5


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LAGBIAS_CACHE_DIR", str(tmp_path))


def wavenumber(n):
    """Return |k| of a full complex transform."""
    k = 2 * np.pi * np.fft.fftfreq(n, BOX_SIZE / n)
    return np.sqrt(k[:, None, None] ** 2 + k[:, None] ** 2 + k**2)


@pytest.mark.parametrize("n", [7, 8])
@pytest.mark.parametrize("shape", ["smooth", "sharp"])
def test_products_are_those_of_the_full_transform(n, shape):
    a, b = np.random.default_rng(n).normal(size=(2, n, n, n)).astype(np.float32)
    k = wavenumber(n)
    if shape == "smooth":
        weight, full = smooth_filter(n, BOX_SIZE, CUT), np.exp(-((k / CUT) ** 4))
    else:
        weight, full = sharp_filter(n, BOX_SIZE, CUT), (k < CUT).astype(float)
    modes = np.fft.fftn(a), np.fft.fftn(b)
    expected = [[(full * one * two.conj()).real.sum() for two in modes] for one in modes]
    products = gram_matrix(filtered_modes([a, b], weight))
    scale = expected[0][0] / n**3
    np.testing.assert_allclose(
        products, np.array(expected) / n**3, rtol=0, atol=SINGLE_PRECISION * scale
    )


def test_without_a_filter_they_are_sums_over_nodes():
    rows = np.random.default_rng(1).normal(size=(3, 8**3)).astype(np.float32)
    modes = filtered_modes(rows.reshape(3, 8, 8, 8), sharp_filter(8, BOX_SIZE, np.inf))
    np.testing.assert_allclose(gram_matrix(modes), rows @ rows.T, atol=SINGLE_PRECISION * 8**3)


def test_only_modes_that_pass_are_kept():
    """k_c and k_max below the second multiple of 2π/L: the mean, and few modes around it."""
    field = np.ones((1, 8, 8, 8), np.float32)
    (modes,) = filtered_modes(field, sharp_filter(8, BOX_SIZE, 1.1 * 2 * np.pi / BOX_SIZE))
    assert modes.shape == (6,)  # the mean, four with k_z = 0, and one of the pair along z
    (modes,) = filtered_modes(field, smooth_filter(8, BOX_SIZE, 2 * np.pi / BOX_SIZE))
    assert len(modes) < 8 * 8 * 5
