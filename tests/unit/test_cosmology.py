"""Growth and linear power against closed forms and AbacusSummit's own tables."""

import numpy as np
import pytest
from abacusnbody.metadata import get_meta
from scipy.special import gamma

from lagbias.cosmology import Background, LinearPower, abacus_linear_power

# AbacusSummit's header of the small c000 boxes at z = 0.5 (500 Mpc/h, 1728^3 particles).
ABACUS_GROWTH_RATE = 0.759069923632896
ABACUS_PARTICLE_MASS = 2.109081520e9


@pytest.fixture(scope="module")
def c000():
    return Background.abacus_c000()


def test_growth_matches_abacus_growth_table(c000):
    table = get_meta("AbacusSummit_small_c000_ph3000", redshift=0.5)["GrowthTable"]
    redshift, growth = np.array(sorted(table.items()), dtype=np.float64).T
    assert redshift[0] == 0 and redshift[-1] == 99
    np.testing.assert_allclose(c000.growth(1 / (1 + redshift)), growth / growth[0], rtol=1e-6)


def test_growth_at_the_snapshot(c000):
    assert c000.growth(1.0) == pytest.approx(1.0, abs=1e-12)
    assert c000.growth(1 / 1.5) == pytest.approx(0.76942, abs=5e-6)
    assert c000.growth_rate(1 / 1.5) == pytest.approx(ABACUS_GROWTH_RATE, rel=1e-6)


def test_growth_rate_is_the_slope_of_growth(c000):
    a, step = 0.6, 1e-4
    slope = np.log(c000.growth(a * np.exp(step)) / c000.growth(a * np.exp(-step))) / (2 * step)
    assert c000.growth_rate(a) == pytest.approx(slope, rel=1e-6)


def test_second_order_slope_is_the_slope_in_growth(c000):
    high, low = 0.61, 0.59
    rise = c000.second_order_growth(high) - c000.second_order_growth(low)
    slope = rise / (c000.growth(high) - c000.growth(low))
    assert c000.second_order_slope(0.6) == pytest.approx(slope, rel=1e-3)


def test_second_order_growth_is_close_to_the_usual_approximation(c000):
    # Bouchet et al. 1995: E = -3/7 D^2 Omega_m(a)^(-1/143), here with a little smooth matter.
    a = np.array([0.05, 0.3, 1 / 1.5, 1.0])
    omega = c000.omega_m / (c000.omega_m + (1 - c000.omega_m) * a**3)
    approximation = -3 / 7 * c000.growth(a) ** 2 * omega ** (-1 / 143)
    np.testing.assert_allclose(c000.second_order_growth(a), approximation, rtol=5e-3)


def test_einstein_de_sitter_is_exact():
    background = Background(omega_m=1.0, omega_smooth=0.0, h=0.7)
    a = np.array([0.01, 0.1, 0.5, 1.0])
    np.testing.assert_allclose(background.growth(a), a, rtol=1e-8)
    np.testing.assert_allclose(background.growth_rate(a), 1.0, rtol=1e-8)
    np.testing.assert_allclose(background.second_order_growth(a), -3 / 7 * a**2, rtol=1e-8)
    np.testing.assert_allclose(background.second_order_slope(a), -6 / 7 * a, rtol=1e-8)
    np.testing.assert_allclose(background.hubble(a), 100 * a**-1.5, rtol=1e-12)
    assert background.velocity_factor(0.25) == pytest.approx(100 * 0.25**0.5, rel=1e-8)


def test_scale_factor_inverts_growth(c000):
    a = np.linspace(0.02, 1.1, 23)
    np.testing.assert_allclose(c000.scale_factor(c000.growth(a)), a, rtol=1e-8)


def test_particle_mass_leaves_out_smooth_matter(c000):
    mass = c000.particle_mass((500 / 1728) ** 3)
    # AbacusSummit's critical density differs in the fourth digit; the smooth part is 0.45 %.
    assert mass == pytest.approx(ABACUS_PARTICLE_MASS, rel=5e-4)


def test_abacus_power_has_the_amplitude_of_the_clustering_matter():
    power = abacus_linear_power()
    assert np.sqrt(power.variance(8.0, window="top_hat")) == pytest.approx(0.8114, abs=2e-4)
    assert power.k[0] < 1e-5 and power.k[-1] > 10


def test_interpolation_is_exact_for_a_power_law_and_stays_inside_the_table():
    power = LinearPower(np.geomspace(1e-3, 10, 7), 5.0 * np.geomspace(1e-3, 10, 7) ** -1.5)
    k = np.array([1e-3, 0.0234, 1.7, 10.0])
    np.testing.assert_allclose(power(k), 5.0 * k**-1.5, rtol=1e-12)
    for outside in (0.5e-3, 11.0):
        with pytest.raises(ValueError, match="covers"):
            power(outside)


def test_gaussian_variance_of_a_power_law():
    # P = A k^n gives sigma^2(R) = A Gamma((n+3)/2) / (4 pi^2 R^(n+3)).
    slope, amplitude, radius = -1.2, 7.0, 3.0
    k = np.geomspace(1e-6, 50, 40)
    expected = amplitude * gamma((slope + 3) / 2) / (4 * np.pi**2 * radius ** (slope + 3))
    variance = LinearPower(k, amplitude * k**slope).variance(radius)
    assert variance == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="'sharp'"):
        LinearPower(k, k).variance(radius, window="sharp")
