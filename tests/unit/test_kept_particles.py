"""The choice of particles that are kept."""

import numpy as np
import pytest

from lagbias.simulate.kept_particles import kept_sites

N = 48
#: Power of even sites below a quarter of the Nyquist frequency over that of random ones: measured
#: 0.015 to 0.043, most of it from the edges of a box whose side is no period of the sequence.
EVEN_POWER = 0.06


def sites(fraction, sampling, seed=0):
    return kept_sites(N, fraction, sampling, np.random.default_rng(seed))


@pytest.mark.parametrize("sampling", ["even", "random"])
@pytest.mark.parametrize("fraction", [0.03, 0.25, 0.3, 1.0])
def test_sites_are_distinct_ascending_and_as_many_as_asked_for(fraction, sampling):
    chosen = sites(fraction, sampling)
    assert chosen.dtype == np.int32
    assert np.all(np.diff(chosen) > 0) and chosen[0] >= 0 and chosen[-1] < N**3
    tolerance = 4 * np.sqrt(fraction * (1 - fraction) / N**3)  # four standard errors of `random`
    assert chosen.size / N**3 == pytest.approx(fraction, abs=tolerance)


@pytest.mark.parametrize("sampling", ["even", "random"])
def test_the_generator_decides(sampling):
    assert np.array_equal(sites(0.25, sampling), sites(0.25, sampling))
    assert not np.array_equal(sites(0.25, sampling), sites(0.25, sampling, seed=1))


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.3])
def test_even_sites_have_little_power_on_large_scales(fraction):
    def large_scale_power(sampling):
        field = np.zeros(N**3)
        field[sites(fraction, sampling)] = 1.0
        modes = np.abs(np.fft.fftn(field.reshape(N, N, N))) ** 2
        index = np.fft.fftfreq(N, 1 / N)
        squared = index[:, None, None] ** 2 + index[:, None] ** 2 + index**2
        return modes[(squared > 0) & (squared < (N / 8) ** 2)].mean()

    assert large_scale_power("even") < EVEN_POWER * large_scale_power("random")
