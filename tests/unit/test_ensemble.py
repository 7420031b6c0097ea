"""Ensembles against a plain loop over networks."""

import numpy as np
import pytest
import torch

from lagbias.bias import ensemble as ensemble_module
from lagbias.bias.ensemble import Ensemble, with_unit_mean
from lagbias.bias.ensemble_training import mean_stride
from lagbias.runtime import device
from lagbias.training.network import Network
from lagbias.training.torch_network import HaloToMassNet, TorchNetwork

#: float32 networks against float64 differences: a few roundings of numbers of order one, and the
#: differences' own error, their step squared.
STEP, GRADIENT_ROUNDING = 1e-4, 1e-5
#: Between two ways in float32: the same roundings.
ROUNDING = 1e-5


def networks(n_inputs=3, scales=(1.0, 2.0, 0.5)):
    made = []
    for seed, scale in enumerate(scales):
        generator = torch.Generator().manual_seed(seed)
        weights = HaloToMassNet(n_inputs, 2, 8, generator=generator).to_weights()
        made.append(Network(weights=weights, history={}, normalisation=scale))
    return made


def inputs(count, n_inputs=3):
    return np.random.default_rng(1).normal(size=(count, n_inputs)).astype(np.float32)


def results(ensemble, x, **options):
    """F of each network, the average f and its gradient."""
    f = ensemble.evaluate(x, **options)
    return [f, *ensemble.average_f_and_gradient(x, **options)]


def f_in_double(trained, x):
    """10^y / normalisation of each network, in float64."""
    x = torch.from_numpy(x.astype(np.float64))
    with torch.no_grad():
        y = [HaloToMassNet.from_weights(one.weights).double()(x).numpy() for one in trained]
    return np.array([10.0**a / one.normalisation for a, one in zip(y, trained, strict=True)])


def test_f_and_its_gradient_are_those_of_the_networks(monkeypatch):
    monkeypatch.setitem(device._CHUNK, "cpu", 4)  # so that the last chunk is a short one
    x, trained = inputs(10), networks()
    f, average, gradient = results(Ensemble(trained), x)
    assert f.shape == (3, 10) and gradient.shape == (10, 3)
    assert f.dtype == average.dtype == gradient.dtype == np.float32
    np.testing.assert_allclose(f, f_in_double(trained, x), rtol=1e-5)
    np.testing.assert_allclose(average, f.mean(axis=0), rtol=1e-6)
    for column, step in enumerate(STEP * np.eye(3)):
        up, down = (f_in_double(trained, x + sign * step).mean(axis=0) for sign in (1, -1))
        np.testing.assert_allclose(
            gradient[:, column], (up - down) / (2 * STEP), atol=GRADIENT_ROUNDING
        )
    assert np.abs(gradient).max() > 1000 * GRADIENT_ROUNDING


def test_inputs_need_not_be_contiguous_nor_writable():
    x, ensemble = inputs(6), Ensemble(networks())
    read_only = x.copy()
    read_only.flags.writeable = False
    for same in (read_only, np.asfortranarray(x), x.astype(np.float64)):
        np.testing.assert_allclose(ensemble.evaluate(same), ensemble.evaluate(x), rtol=1e-6)


def test_threads_do_not_matter(monkeypatch):
    monkeypatch.setitem(device._CHUNK, "cpu", 3)
    ensemble, x = Ensemble(networks()), inputs(20)
    for several, one in zip(results(ensemble, x, threads=3), results(ensemble, x), strict=True):
        np.testing.assert_array_equal(several, one)


def test_gradients_do_not_depend_on_grad_mode():
    x, ensemble = inputs(5), Ensemble(networks())
    with torch.no_grad():
        _, gradient = ensemble.average_f_and_gradient(x)
    np.testing.assert_array_equal(gradient, ensemble.average_f_and_gradient(x)[1])


def test_no_particles_give_no_f():
    f, average, gradient = results(Ensemble(networks()), inputs(0))
    assert f.shape == (3, 0) and average.shape == (0,) and gradient.shape == (0, 3)


def test_unit_mean_changes_the_normalisation_only():
    trained, x = networks()[1], inputs(1000)
    assert abs(Ensemble([trained]).evaluate(x).mean() - 1) > 0.1
    scaled = with_unit_mean(trained, x)
    assert Ensemble([scaled]).evaluate(x).mean(dtype=np.float64) == pytest.approx(1, abs=1e-6)
    assert scaled.weights is trained.weights


@pytest.mark.parametrize("particles", [1, 8_000_000, 155_000_000, 10_000_000_000])
def test_the_sample_of_the_mean_is_large_enough_and_bounded(particles):
    stride = mean_stride(particles)
    assert stride % 7 == 0
    assert stride == 7 or 1_000_000 <= particles / stride < 7_000_000


def test_devices_give_equal_f_and_gradients(monkeypatch):
    """PyTorch's way, on the CPU in place of a GPU."""
    compiled, x = Ensemble(networks()), inputs(200)
    monkeypatch.setattr(ensemble_module, "CompiledNetwork", lambda w: TorchNetwork(w, "cpu"))
    plain = Ensemble(networks())
    np.testing.assert_allclose(plain.evaluate(x), compiled.evaluate(x), rtol=ROUNDING)
    for one, other in zip(
        plain.average_f_and_gradient(x), compiled.average_f_and_gradient(x), strict=True
    ):
        assert np.abs(one - other).max() < ROUNDING * np.abs(other).max()


def test_inputs_of_another_set_are_refused():
    with pytest.raises(ValueError, match=r"shape \(P, \d\), not \(20, 9\)"):
        Ensemble(networks()).evaluate(np.zeros((20, 9), np.float32))


def test_full_gpus_are_explained(monkeypatch):
    monkeypatch.setattr(ensemble_module, "CompiledNetwork", lambda w: TorchNetwork(w, "cpu"))
    ensemble = Ensemble(networks())

    def full(network, *_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(HaloToMassNet, "forward", full)
    with pytest.raises(device.DeviceFull, match="evaluating networks"):
        ensemble.evaluate(inputs(20))
    with pytest.raises(device.DeviceFull, match="differentiating networks"):
        ensemble.average_f_and_gradient(inputs(20))
    monkeypatch.setattr(HaloToMassNet, "to", full)
    with pytest.raises(device.DeviceFull, match="putting networks on it"):
        Ensemble(networks())
