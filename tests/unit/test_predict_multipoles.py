"""The stage that measures multipoles, on stored artefacts of a small box."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lagbias.artefacts import store
from lagbias.config.sections import HaloSample
from lagbias.schema import fields
from lagbias.stages.fit_whitening import fit_whitening
from lagbias.stages.make_features import make_features
from lagbias.stages.make_halo_fields import make_halo_fields
from lagbias.stages.predict_multipoles import predict_multipoles
from lagbias.stages.predict_spectra import predict_spectra
from lagbias.training.network import Network
from lagbias.training.torch_network import HaloToMassNet

GRID, RF = 32, 6.0
SAMPLE = HaloSample(min_particles=5)
# Fields are painted with the f of each network in one stage, and with their mean in the other.
SINGLE_PRECISION = 1e-4


@pytest.fixture(scope="module")
def paths(box, tmp_path_factory):
    """Artefacts of a box and of two networks that were not trained."""
    here = tmp_path_factory.mktemp("artefacts")
    made = {n: here / f"{n}.h5" for n in ("linear_density", "particles", "halos", "halo_fields")}
    for name in ("linear_density", "particles", "halos"):
        store.write(made[name], getattr(box, name))
    options = {"sample": SAMPLE, "cell_size": 15.0, "evaluation_grid": GRID}
    store.write(made["halo_fields"], make_halo_fields(made["halos"], **options))
    made |= {"features": [here / "rf.h5"], "whitening": here / "whitening.h5"}
    features = make_features(made["linear_density"], made["particles"], rf=RF, threads=1)
    store.write(made["features"][0], features)
    store.write(made["whitening"], fit_whitening(made["features"], radii=[RF]))
    made["networks"] = [here / f"seed{seed}.h5" for seed in range(2)]
    for seed, path in enumerate(made["networks"]):
        generator = torch.Generator().manual_seed(seed)
        weights = HaloToMassNet(3, 2, 8, generator=generator).to_weights()
        store.write(path, Network(weights=weights, history={}, seed=seed))
    return made


def multipoles(paths):
    options = {"inputs": "full", "eigenvalue_cut": None, "device": "cpu", "threads": 1}
    return predict_multipoles(paths, sample=SAMPLE, evaluation_grid=GRID, **options)


def with_velocities(paths, box, directory, factor):
    """Artefacts with other velocities of particles and halos."""
    found = dict(paths)
    for name, part in (("particles", box.particles), ("halos", box.halos)):
        found[name] = directory / f"{name}.h5"
        store.write(found[name], replace(part, velocity=part.velocity * np.float32(factor)))
    return found


def test_the_monopole_at_rest_is_the_power_spectrum(paths, box, tmp_path):
    at_rest = multipoles(with_velocities(paths, box, tmp_path, 1e-6))
    options = {"inputs": "full", "eigenvalue_cut": None, "device": "cpu", "threads": 1}
    spectra, _ = predict_spectra(paths, **options)
    fields.check(at_rest)
    np.testing.assert_array_equal(at_rest.k, spectra.k)
    np.testing.assert_array_equal(at_rest.n_modes, spectra.n_modes)
    for found, expected in (
        (at_rest.halo_power, spectra.halo_power),
        (at_rest.model_power, spectra.average_model_power),
        (at_rest.cross_power, spectra.average_cross_power),
    ):
        np.testing.assert_allclose(found[0], expected, rtol=SINGLE_PRECISION)
    assert at_rest.mean_f == pytest.approx(spectra.average_mean_f[0], rel=SINGLE_PRECISION)
    assert (at_rest.box_size, at_rest.n_grid) == (120.0, GRID)


def test_infall_makes_large_scales_quadrupolar(paths, box, tmp_path):
    """Kaiser: P_2 > 0 on large scales, and P_0 above that in real space."""
    found, real = multipoles(paths), multipoles(with_velocities(paths, box, tmp_path, 1e-6))
    weights = found.n_modes[:3]
    for name in ("halo_power", "model_power", "cross_power"):
        moving, at_rest = (
            np.average(getattr(m, name)[:2, :3], axis=1, weights=weights) for m in (found, real)
        )
        assert moving[0] > at_rest[0] and moving[1] - at_rest[1] > 0.2 * at_rest[0], name


@pytest.mark.parametrize("name", ["particles", "halos"])
def test_a_box_without_velocities_is_refused(paths, box, tmp_path, name):
    part = getattr(box, name)
    absent = part.velocity[:0] if name == "particles" else 0 * part.velocity
    store.write(tmp_path / "still.h5", replace(part, velocity=absent))
    with pytest.raises(ValueError, match=f"still.h5 has no velocities of {name}"):
        multipoles(paths | {name: tmp_path / "still.h5"})
