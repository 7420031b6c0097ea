"""Spectra of model fields: streaming, averaging and normalisation."""

import numpy as np
import pytest
import torch

from lagbias.bias import prediction as predict
from lagbias.bias.ensemble import Ensemble
from lagbias.grids import paint
from lagbias.training.network import HaloToMassNet, TrainedNetwork

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
        made.append(TrainedNetwork(weights, scale))
    return Ensemble(made)


def painted(box, nets):
    positions, inputs, _ = box
    grids = {"n_grid": N_GRID, "n_cells": N_CELLS}
    return predict.model_fields(nets, inputs.__getitem__, positions, box_size=BOX_SIZE, **grids)


def measure(box, nets):
    fields = painted(box, nets)
    return predict.measure_spectra(fields, box[2], box_size=BOX_SIZE, seeds=range(len(nets)))


def test_shapes_and_names(box):
    spectra = measure(box, ensemble())
    bins = N_GRID // 2
    shapes = {name: values.shape for name, values in spectra.items()}
    assert shapes == {
        "k": (bins,),
        "n_modes": (bins,),
        "halo_power": (bins,),
        "model_power": (2, bins),
        "cross_power": (2, bins),
        "average_model_power": (bins,),
        "average_cross_power": (bins,),
        "mean_f": (2,),
        "average_mean_f": (1,),
        "seeds": (2,),
    }


def test_chunks_do_not_matter(box, monkeypatch):
    whole = measure(box, ensemble())
    monkeypatch.setattr(predict, "_CHUNK", 1001)
    for name, values in measure(box, ensemble()).items():
        np.testing.assert_allclose(values, whole[name], rtol=1e-4, err_msg=name)


def test_fields_are_those_of_each_network_alone(box, monkeypatch):
    positions, inputs, _ = box
    nets = ensemble((1.0, 1.3, 0.7))
    monkeypatch.setattr(predict, "_CHUNK", 1001)
    fields = painted(box, nets).fields
    for field, f in zip(fields, nets.f(inputs), strict=True):
        expected = paint.paint_cic(positions, BOX_SIZE, N_GRID, weights=f)
        np.testing.assert_allclose(field, expected, rtol=SINGLE_PRECISION)


def test_average_is_the_field_of_the_mean_f(box):
    positions, inputs, _ = box
    nets = ensemble()
    spectra = measure(box, nets)
    f = nets.f(inputs)
    field = paint.paint_cic(positions, BOX_SIZE, N_GRID, weights=f.mean(axis=0))
    modes = np.fft.rfftn(paint.overdensity(field))
    expected = predict.auto_power(modes, BOX_SIZE).power
    np.testing.assert_allclose(spectra["average_model_power"], expected, rtol=1e-4)
    np.testing.assert_allclose(spectra["mean_f"], f.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(spectra["average_mean_f"], f.mean(), rtol=1e-5)


def test_normalisation_of_f_drops_out_of_the_spectra(box):
    one, other = measure(box, ensemble((1.0, 1.0))), measure(box, ensemble((1.0, 4.0)))
    np.testing.assert_allclose(one["model_power"], other["model_power"], rtol=1e-4)
    np.testing.assert_allclose(one["mean_f"], other["mean_f"] * [1, 4], rtol=1e-5)


def test_a_constant_f_gives_the_matter_field(box):
    positions, inputs, _ = box
    weights = HaloToMassNet(2, 1, 4, generator=torch.Generator().manual_seed(0)).to_weights()
    weights["layers.1.weight"] *= 0.0
    matter = paint.overdensity(paint.paint_cic(positions, BOX_SIZE, N_GRID))
    spectra = measure((positions, inputs, matter), Ensemble([TrainedNetwork(weights, 2.0)]))
    np.testing.assert_allclose(spectra["model_power"][0], spectra["halo_power"], rtol=1e-4)
    np.testing.assert_allclose(spectra["cross_power"][0], spectra["halo_power"], rtol=1e-4)


def test_the_average_f_is_summed_in_training_cells(box, monkeypatch):
    positions, inputs, _ = box
    nets = ensemble()
    expected = paint.paint_ngp(positions, BOX_SIZE, N_CELLS, weights=nets.f(inputs).mean(axis=0))
    monkeypatch.setattr(predict, "_CHUNK", 1001)
    np.testing.assert_allclose(painted(box, nets).in_cells, expected, rtol=1e-5)


def test_one_seed_per_network(box):
    fields = painted(box, ensemble())
    with pytest.raises(ValueError, match="3 seeds were given for 2 networks"):
        predict.measure_spectra(fields, box[2], box_size=BOX_SIZE, seeds=range(3))
