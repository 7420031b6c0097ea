"""Spectra of model fields: streaming, averaging and normalisation."""

import numpy as np
import pytest
import torch

from lagbias.bias import prediction
from lagbias.bias.ensemble import Ensemble
from lagbias.grids import paint
from lagbias.grids.power import auto_power
from lagbias.schema import fields
from lagbias.training.network import Network
from lagbias.training.torch_network import HaloToMassNet

BOX_SIZE = 50.0
N_GRID = 8
N_CELLS = 5
# f is float32, and PyTorch may round it otherwise in chunks of another length.
SINGLE_PRECISION = 1e-5


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LAGBIAS_CACHE_DIR", str(tmp_path))


@pytest.fixture
def box():
    rng = np.random.default_rng(0)
    positions = rng.uniform(0, BOX_SIZE, (3000, 3)).astype(np.float32)
    inputs = rng.normal(size=(3000, 2)).astype(np.float32)
    halos = paint.overdensity(paint.paint_cic(positions[:400], BOX_SIZE, N_GRID))
    return positions, inputs, halos


def ensemble(scales=(1.0, 1.3)):
    made = []
    for seed, scale in enumerate(scales):
        generator = torch.Generator().manual_seed(seed)
        weights = HaloToMassNet(2, 2, 8, generator=generator).to_weights()
        weights["layers.2.weight"] *= 5.0  # so that f varies
        made.append(Network(weights=weights, history={}, normalisation=scale))
    return Ensemble(made)


def painted(box, nets):
    positions, inputs, _ = box
    grids = {"n_grid": N_GRID, "n_cells": N_CELLS}
    return prediction.model_fields(nets, inputs.__getitem__, positions, box_size=BOX_SIZE, **grids)


def measure(box, nets):
    seeds = range(len(nets))
    return prediction.measure_spectra(painted(box, nets), box[2], box_size=BOX_SIZE, seeds=seeds)


def test_spectra_are_complete_and_chunks_do_not_matter(box, monkeypatch):
    whole = measure(box, ensemble())
    fields.check(whole)
    assert whole.k.shape == (N_GRID // 2,) and whole.seeds.tolist() == [0, 1]
    assert whole.box_size == BOX_SIZE and whole.n_grid == N_GRID
    monkeypatch.setattr(prediction, "_CHUNK", 1001)
    parts = measure(box, ensemble())
    for (name, found, _), (_, wanted, _) in zip(
        fields.datasets(parts), fields.datasets(whole), strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, err_msg=name)


def test_fields_are_those_of_each_network_alone(box, monkeypatch):
    positions, inputs, _ = box
    nets = ensemble((1.0, 1.3, 0.7))
    monkeypatch.setattr(prediction, "_CHUNK", 1001)
    found, f = painted(box, nets), nets.evaluate(inputs)
    for field, weights in zip(found.fields, f, strict=True):
        expected = paint.paint_cic(positions, BOX_SIZE, N_GRID, weights=weights)
        np.testing.assert_allclose(field, expected, rtol=SINGLE_PRECISION)
    expected = paint.paint_ngp(positions, BOX_SIZE, N_CELLS, weights=f.mean(axis=0))
    np.testing.assert_allclose(found.in_cells, expected, rtol=1e-5)


def test_average_is_the_field_of_the_mean_f(box):
    positions, inputs, _ = box
    nets = ensemble()
    spectra, f = measure(box, nets), nets.evaluate(inputs)
    field = paint.paint_cic(positions, BOX_SIZE, N_GRID, weights=f.mean(axis=0))
    expected = auto_power(np.fft.rfftn(paint.overdensity(field)), BOX_SIZE).power
    np.testing.assert_allclose(spectra.average_model_power, expected, rtol=1e-4)
    np.testing.assert_allclose(spectra.mean_f, f.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(spectra.average_mean_f, f.mean(), rtol=1e-5)


def test_normalisation_of_f_drops_out_of_the_spectra(box):
    one, other = measure(box, ensemble((1.0, 1.0))), measure(box, ensemble((1.0, 4.0)))
    np.testing.assert_allclose(one.model_power, other.model_power, rtol=1e-4)
    np.testing.assert_allclose(one.mean_f, other.mean_f * [1, 4], rtol=1e-5)


def test_a_constant_f_gives_the_matter_field(box):
    positions, inputs, _ = box
    weights = HaloToMassNet(2, 1, 4, generator=torch.Generator().manual_seed(0)).to_weights()
    weights["layers.1.weight"] *= 0.0
    matter = paint.overdensity(paint.paint_cic(positions, BOX_SIZE, N_GRID))
    constant = Ensemble([Network(weights=weights, history={}, normalisation=2.0)])
    spectra = measure((positions, inputs, matter), constant)
    np.testing.assert_allclose(spectra.model_power[0], spectra.halo_power, rtol=1e-4)
    np.testing.assert_allclose(spectra.cross_power[0], spectra.halo_power, rtol=1e-4)
