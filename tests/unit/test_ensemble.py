"""Ensembles against a plain loop over networks."""

import numpy as np
import pytest
import torch

from lagbias import ensemble as module
from lagbias.ensemble import Ensemble, with_unit_mean
from lagbias.network import HaloToMassNet, TrainedNetwork


def networks(n_inputs=3, scales=(1.0, 2.0, 0.5)):
    made = []
    for seed, scale in enumerate(scales):
        generator = torch.Generator().manual_seed(seed)
        network = HaloToMassNet(n_inputs, 2, 8, generator=generator)
        made.append(TrainedNetwork(network.to_weights(), scale))
    return made


def inputs(count, n_inputs=3):
    return np.random.default_rng(1).normal(size=(count, n_inputs)).astype(np.float32)


def test_f_equals_the_networks_one_by_one(monkeypatch):
    monkeypatch.setitem(module._CHUNK, "cpu", 4)  # so that the last chunk is a short one
    x, trained = inputs(10), networks()
    f = Ensemble(trained).f(x)
    assert f.shape == (3, 10) and f.dtype == np.float32
    for row, one in zip(f, trained, strict=True):
        y = HaloToMassNet.from_weights(one.weights)(torch.from_numpy(x)).detach().numpy()
        np.testing.assert_allclose(row, 10.0**y / one.normalisation, rtol=1e-5)


def test_inputs_need_not_be_contiguous_nor_writable():
    x = inputs(6)
    read_only = x.copy()
    read_only.flags.writeable = False
    ensemble = Ensemble(networks())
    assert len(ensemble) == 3
    for same in (read_only, np.asfortranarray(x), x.astype(np.float64)):
        np.testing.assert_allclose(ensemble.f(same), ensemble.f(x), rtol=1e-6)


def test_threads_do_not_matter(monkeypatch):
    monkeypatch.setitem(module._CHUNK, "cpu", 3)
    ensemble = Ensemble(networks())
    np.testing.assert_array_equal(ensemble.f(inputs(20), threads=3), ensemble.f(inputs(20)))


def test_no_particles_give_no_f():
    assert Ensemble(networks()).f(inputs(0)).shape == (3, 0)


def test_wrong_inputs_are_refused():
    with pytest.raises(ValueError, match=r"\(P, 3\)"):
        Ensemble(networks()).f(inputs(4, 5))


def test_networks_must_agree():
    with pytest.raises(ValueError, match=r"\[3, 4\]"):
        Ensemble([*networks(), *networks(4)])
    with pytest.raises(ValueError, match="no network"):
        Ensemble([])


def test_the_mean_is_made_one_and_the_weights_are_kept():
    trained, x = networks()[1], inputs(1000)
    assert abs(Ensemble([trained]).f(x).mean() - 1) > 0.1
    scaled = with_unit_mean(trained, x)
    assert Ensemble([scaled]).f(x).mean(dtype=np.float64) == pytest.approx(1, abs=1e-6)
    assert scaled.weights is trained.weights
