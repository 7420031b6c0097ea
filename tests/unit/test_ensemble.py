"""Ensembles against a plain loop over networks."""

import numpy as np
import pytest
import torch

from lagbias.bias.ensemble import Ensemble, with_unit_mean
from lagbias.runtime import device
from lagbias.training.network import HaloToMassNet, TrainedNetwork

#: float32 networks against float64 differences: a few roundings of numbers of order one, and the
#: differences' own error, their step squared.
STEP, GRADIENT_ROUNDING = 1e-4, 1e-5


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
    monkeypatch.setitem(device.CHUNK, "cpu", 4)  # so that the last chunk is a short one
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
    monkeypatch.setitem(device.CHUNK, "cpu", 3)
    ensemble = Ensemble(networks())
    np.testing.assert_array_equal(ensemble.f(inputs(20), threads=3), ensemble.f(inputs(20)))


def average_f_in_double(trained, x):
    """Mean over the networks of 10^y / normalisation, in float64."""
    with torch.no_grad():
        y = [HaloToMassNet.from_weights(n.weights).double()(torch.from_numpy(x)) for n in trained]
    scales = [n.normalisation for n in trained]
    return np.mean([10.0 ** one.numpy() / s for one, s in zip(y, scales, strict=True)], axis=0)


def test_gradient_equals_central_differences(monkeypatch):
    monkeypatch.setitem(device.CHUNK, "cpu", 4)  # so that the last chunk is a short one
    x, trained = inputs(10), networks()
    f, gradient = Ensemble(trained).average_f_and_gradient(x)
    assert f.shape == (10,) and gradient.shape == (10, 3)
    assert f.dtype == gradient.dtype == np.float32
    for column, step in enumerate(STEP * np.eye(3)):
        up, down = (average_f_in_double(trained, x + sign * step) for sign in (1, -1))
        np.testing.assert_allclose(
            gradient[:, column], (up - down) / (2 * STEP), atol=GRADIENT_ROUNDING
        )
    assert np.abs(gradient).max() > 1000 * GRADIENT_ROUNDING


def test_average_f_is_the_mean_of_the_normalised_f():
    x, ensemble = inputs(50), Ensemble(networks())
    f, _ = ensemble.average_f_and_gradient(x)
    np.testing.assert_allclose(f, ensemble.f(x).mean(axis=0), rtol=1e-6)


def test_gradient_of_the_average_is_the_average_gradient():
    x, trained = inputs(20), networks()
    singly = [Ensemble([one]).average_f_and_gradient(x)[1] for one in trained]
    _, gradient = Ensemble(trained).average_f_and_gradient(x)
    np.testing.assert_allclose(gradient, np.mean(singly, axis=0), atol=1e-6)


def test_threads_do_not_matter_to_gradients(monkeypatch):
    monkeypatch.setitem(device.CHUNK, "cpu", 3)
    ensemble, x = Ensemble(networks()), inputs(20)
    for one, several in zip(
        ensemble.average_f_and_gradient(x),
        ensemble.average_f_and_gradient(x, threads=3),
        strict=True,
    ):
        np.testing.assert_array_equal(one, several)


def test_gradients_where_the_caller_wants_none():
    x, ensemble = inputs(5), Ensemble(networks())
    with torch.no_grad():
        _, gradient = ensemble.average_f_and_gradient(x)
    np.testing.assert_array_equal(gradient, ensemble.average_f_and_gradient(x)[1])


def test_no_particles_give_no_f():
    assert Ensemble(networks()).f(inputs(0)).shape == (3, 0)
    assert Ensemble(networks()).average_f_and_gradient(inputs(0))[1].shape == (0, 3)


def test_wrong_inputs_are_refused():
    with pytest.raises(ValueError, match=r"\(P, 3\)"):
        Ensemble(networks()).f(inputs(4, 5))
    with pytest.raises(ValueError, match=r"\(P, 3\)"):
        Ensemble(networks()).average_f_and_gradient(inputs(4, 5))


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


def full_above(room, monkeypatch):
    """Let networks fail as on a full GPU with more particles than `room`."""
    forward = HaloToMassNet.forward

    def limited(network, batch):
        if len(batch) > room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(network, batch)

    monkeypatch.setattr(HaloToMassNet, "forward", limited)


@pytest.mark.parametrize("threads", [1, 3])
def test_full_memory_changes_nothing_but_chunks(monkeypatch, threads):
    """On the CPU to the last bit: y does not depend on the neighbours, nor 10^y with such cuts."""
    monkeypatch.setattr(device, "_LEAST_CHUNK", 1)
    ensemble, x = Ensemble(networks(7)), inputs(1000, 7)
    expected = [ensemble.f(x), *ensemble.average_f_and_gradient(x)]
    full_above(100, monkeypatch)
    found = [
        ensemble.f(x, threads=threads),
        *ensemble.average_f_and_gradient(x, threads=threads),
    ]
    for mine, its in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, its)


def test_memory_too_full_for_any_chunk_is_explained(monkeypatch):
    full_above(0, monkeypatch)
    with pytest.raises(device.DeviceFull, match="even 20 particles at a time while evaluating"):
        Ensemble(networks()).f(inputs(20))
    with pytest.raises(device.DeviceFull, match="while differentiating networks"):
        Ensemble(networks()).average_f_and_gradient(inputs(20))


def test_networks_that_find_no_room_are_explained(monkeypatch):
    def full(network, where):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(HaloToMassNet, "to", full)
    with pytest.raises(device.DeviceFull, match="while putting networks on it"):
        Ensemble(networks())
