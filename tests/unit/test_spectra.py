"""lagbias.bias.spectra: derived quantities and rebinning."""

import numpy as np
import pytest

from lagbias.bias.spectra import Spectra, rebin


def made(n_bins, n_nets, seed=0):
    """Positive powers with |r| ≤ 1."""
    rng = np.random.default_rng(seed)
    halo, average, *nets = rng.uniform(1.0, 2.0, (2 + n_nets, n_bins))
    cross = rng.uniform(0.5, 1.0, (1 + n_nets, n_bins)) * np.sqrt(halo * [average, *nets])
    return Spectra(
        k=np.linspace(0.02, 0.02 * n_bins, n_bins),
        n_modes=np.arange(1, n_bins + 1) ** 2,
        halo_power=halo,
        model_power=np.array(nets),
        cross_power=cross[1:],
        average_model_power=average,
        average_cross_power=cross[0],
        mean_f=np.ones(n_nets),
        average_mean_f=np.ones(1),
        seeds=np.arange(n_nets),
    )


def test_derived_quantities_are_their_definitions():
    spectra = made(30, 3)
    halo, model, cross = (
        spectra.halo_power,
        spectra.average_model_power,
        spectra.average_cross_power,
    )
    np.testing.assert_array_equal(spectra.ratio, model / halo)
    np.testing.assert_array_equal(spectra.ratios, spectra.model_power / halo)
    np.testing.assert_allclose(spectra.correlation, cross / np.sqrt(model * halo))
    # eq. 3.1
    np.testing.assert_allclose(spectra.uncorrelated, model / halo - (cross / halo) ** 2)
    low, weights = spectra.k < 0.1, spectra.n_modes[spectra.k < 0.1]
    assert spectra.mean_ratio() == pytest.approx(np.average(spectra.ratio[low], weights=weights))
    for mean, ratio in zip(spectra.mean_ratios(), spectra.ratios, strict=True):
        assert mean == pytest.approx(np.average(ratio[low], weights=weights))


def test_rebinning_keeps_low_bins_and_the_power_of_all_modes():
    spectra = made(64, 3)
    merged = rebin(spectra, k_from=0.1)
    low = spectra.k < 0.1
    np.testing.assert_allclose(merged.k[: low.sum()], spectra.k[low], rtol=1e-14)
    assert merged.k.size < spectra.k.size
    assert merged.n_modes.sum() == spectra.n_modes.sum()
    for name in ("halo_power", "model_power", "average_cross_power"):
        before, after = getattr(spectra, name), getattr(merged, name)
        np.testing.assert_allclose(
            (after * merged.n_modes).sum(axis=-1), (before * spectra.n_modes).sum(axis=-1)
        )


def test_rebinning_two_bins_by_hand():
    spectra = Spectra(
        k=np.array([1.0, 1.01]),
        n_modes=np.array([1, 3]),
        halo_power=np.array([4.0, 8.0]),
        model_power=np.array([[2.0, 6.0]]),
        cross_power=np.array([[1.0, 1.0]]),
        average_model_power=np.array([0.0, 4.0]),
        average_cross_power=np.array([4.0, 0.0]),
        mean_f=np.ones(1),
        average_mean_f=np.ones(1),
        seeds=np.array([0]),
    )
    merged = rebin(spectra)
    assert merged.k.shape == (1,) and merged.n_modes[0] == 4
    assert merged.halo_power[0] == 7.0 and merged.model_power[0, 0] == 5.0
    assert merged.average_model_power[0] == 3.0 and merged.average_cross_power[0] == 1.0
