"""Summaries of spectra: power ratio, correlation and ⟨f⟩ on large scales."""

import numpy as np
import pytest

from lagbias.bias import summary
from lagbias.bias.spectra import Spectra


@pytest.fixture
def spectra():
    """Return spectra whose summary is known: bins of 10 and 30 modes below 0.1 h/Mpc."""
    halo = np.array([100.0, 50.0, 20.0])
    networks = np.array([[1.1, 0.9, 5.0], [1.0, 0.8, 5.0]])
    average = np.array([1.05, 0.85, 5.0])
    correlation = np.array([0.999, 0.995, 0.1])
    return Spectra(
        k=np.array([0.03, 0.06, 0.12]),
        n_modes=np.array([10, 30, 100]),
        halo_power=halo,
        model_power=networks * halo,
        cross_power=np.sqrt(networks) * halo,
        average_model_power=average * halo,
        average_cross_power=correlation * np.sqrt(average) * halo,
        mean_f=np.array([1.0, 1.002]),
        average_mean_f=np.array([1.001]),
        seeds=np.array([0, 1]),
        train_box="box0",
        target_box="box1",
        smoothing_set="3Rf",
        inputs="full",
    )


def test_a_summary_is_of_large_scales_and_weighted_by_modes(spectra):
    found = summary.summarise(spectra)
    assert found.ratio == pytest.approx((10 * 1.05 + 30 * 0.85) / 40)
    assert found.spread == pytest.approx(0.1)
    assert found.worst_ratio == pytest.approx(0.85)
    assert found.lowest_correlation == pytest.approx(0.995)
    assert found.mean_f == pytest.approx(1.001)
    with pytest.raises(ValueError, match=r"k_max=0\.01"):
        summary.summarise(spectra, k_max=0.01)


def test_the_table_has_a_row_for_each(spectra):
    row = "| 3Rf | full | box0 | box1 | 0.900 | 0.100 | 0.850 | 0.9950 | 1.0010 |"
    assert summary.table([spectra, spectra]).splitlines()[-2:] == [row, row]
