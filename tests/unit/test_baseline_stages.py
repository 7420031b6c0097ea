"""The stages that fit, paint and compare baselines, on stored artefacts of two small boxes."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

from lagbias.artefacts import store
from lagbias.bias.least_squares import filtered_normal_equations, solve
from lagbias.bias.prediction import ModelField
from lagbias.config.checks import BASELINES
from lagbias.config.sections import HaloSample
from lagbias.grids import paint
from lagbias.grids.fourier import RealFFT
from lagbias.grids.halo_field import HaloFields
from lagbias.grids.mode_products import filtered_modes, gram_matrix, smooth_filter
from lagbias.grids.power import auto_power
from lagbias.schema import fields
from lagbias.sources.base import Particles
from lagbias.sources.embedded import make_box
from lagbias.stages.compare_fields import DELTA_EDGES, compare_fields
from lagbias.stages.evaluation import evaluate
from lagbias.stages.fit_baselines import fit_baselines
from lagbias.stages.make_features import make_features
from lagbias.stages.make_halo_fields import make_halo_fields
from lagbias.stages.particle_features import load_features
from lagbias.stages.predict_baselines import predict_baselines
from lagbias.stages.samples import load_samples
from lagbias.stages.training_boxes import TrainingBox

BOX_SIZE, GRID, RF, CUT = 120.0, 32, 6.0, 0.4
TRAINING = SimpleNamespace(subsample=0.5, sampling="even", fourier_cut=CUT)
BINS = {
    "delta_bins": 8,
    "delta_range": [-4, 5],
    "percentiles": [0, 35, 65, 100],
    "min_particles": 50,
}
COMPARISON = SimpleNamespace(pdf_radii=[5.0, 10.0], bispectrum_width=1, bispectrum_k_max=0.3)
#: Fields are float32; sums of 32768 weights.
SINGLE_PRECISION = 1e-5
#: Gaussian fits stop at 10⁻⁹ of the power of the halos, near the minimum of a parabola.
STOPPED = 1e-3


class Stored(NamedTuple):
    """Paths of a box, and its halo field."""

    box: TrainingBox
    halos: np.ndarray


@pytest.fixture(scope="module")
def boxes(box, small_settings, tmp_path_factory):
    made = []
    for name, part in (("first", box), ("second", make_box(small_settings, seed=2, threads=1))):
        here = tmp_path_factory.mktemp(name)
        paths = {kind: here / f"{kind}.h5" for kind in ("linear_density", "particles", "halos")}
        for kind, path in paths.items():
            store.write(path, getattr(part, kind))
        features, halo_fields = here / "rf.h5", here / "halo_fields.h5"
        density, particles = paths["linear_density"], paths["particles"]
        store.write(features, make_features(density, particles, rf=RF, threads=1))
        options = {"cell_size": 10.0, "evaluation_grid": GRID}
        painted = make_halo_fields(paths["halos"], sample=HaloSample(min_particles=5), **options)
        store.write(halo_fields, painted)
        made.append(Stored(TrainingBox(particles, halo_fields, [features]), painted.evaluation))
    return made


def fit(boxes, **bins):
    options = {"rf": RF, "seed": 3, "threads": 1}
    return fit_baselines([each.box for each in boxes], BINS | bins, TRAINING, **options)


@pytest.fixture(scope="module")
def fitted(boxes):
    """The baselines of the first box, of the second, and of both together."""
    first, second = boxes
    return {"first": fit([first]), "second": fit([second]), "both": fit(boxes)}


@pytest.fixture(scope="module")
def predict(tmp_path_factory) -> Callable:
    """Write baselines, and return their fields on a box."""

    def fields_of(baselines, stored):
        here = tmp_path_factory.mktemp("baselines")
        paths = {name: here / f"{name}.h5" for name in baselines._fields}
        for name, path in paths.items():
            store.write(path, getattr(baselines, name))
        paths |= {"particles": stored.box.particles, "features": stored.box.features}
        return predict_baselines(paths, evaluation_grid=GRID, threads=1)

    return fields_of


def filtered_square(model, halos):
    """Return Σ W |δ_model - δ_h|² / N³."""
    weight = smooth_filter(GRID, BOX_SIZE, CUT)
    return gram_matrix(filtered_modes([model - halos], weight))[0, 0]


def test_every_baseline_can_be_stored(fitted, predict, boxes):
    assert fitted["both"]._fields == BASELINES
    for baseline in fitted["both"]:
        fields.check(baseline)
    painted = predict(fitted["both"], boxes[0])
    assert tuple(painted) == BASELINES
    for field in painted.values():
        fields.check(field)
        assert field.evaluation.shape == (GRID,) * 3 and field.evaluation.dtype == np.float32
        assert (field.average.size, field.box_size) == (0, BOX_SIZE)
        assert abs(field.evaluation.mean(dtype=np.float64)) < SINGLE_PRECISION


def test_a_box_that_is_given_twice_changes_nothing(boxes, fitted):
    once, twice = fitted["first"], fit([boxes[0], boxes[0]], min_particles=100)
    for name in ("coefficients", "averages", "sigma"):
        found, expected = (getattr(each.polynomial, name) for each in (twice, once))
        np.testing.assert_allclose(found, expected, rtol=SINGLE_PRECISION, atol=1e-7)
    np.testing.assert_allclose(twice.transfer.beta, once.transfer.beta, rtol=SINGLE_PRECISION)
    for name in ("slope", "curvature", "offset"):
        found, expected = (getattr(each.gaussian, name) for each in (twice, once))
        np.testing.assert_allclose(found, expected, rtol=STOPPED, atol=STOPPED)
    tables, box = twice.filtered_least_squares, boxes[0].box
    options = {"fraction": TRAINING.subsample, "sampling": TRAINING.sampling, "seeds": [3]}
    (sample,) = load_samples(box, partial(load_features, box.features, columns=2), **options)
    normal = filtered_normal_equations(sample, tables.bins, box_size=BOX_SIZE, k_max=1 / RF)
    np.testing.assert_allclose(tables.f.ravel(), solve(normal).f, atol=SINGLE_PRECISION)


@pytest.mark.parametrize("name", ["polynomial", "transfer", "gaussian"])
def test_a_fit_to_both_boxes_is_the_best_for_both_and_worse_for_each(fitted, predict, boxes, name):
    """Whatever box a model is fitted to, it is evaluated with ⟨f⟩ = 1, as it is fitted."""
    squares = {
        key: [
            filtered_square(predict(baselines, stored)[name].evaluation, stored.halos)
            for stored in boxes
        ]
        for key, baselines in fitted.items()
    }
    total = {key: sum(each) for key, each in squares.items()}
    assert total["both"] < min(total["first"], total["second"])
    assert squares["both"][0] > squares["first"][0]
    assert squares["both"][1] > squares["second"][1]
    nothing = sum(filtered_square(0 * stored.halos, stored.halos) for stored in boxes)
    assert total["both"] < 0.7 * nothing


def test_least_squares_of_both_boxes_has_their_mean_share(fitted, boxes):
    found = fitted["both"].filtered_least_squares
    assert found.share.sum() == pytest.approx(1.0)
    assert (found.f[0] * found.share).sum() == pytest.approx(1.0)
    assert found.f.min() >= 0 and found.seeds.tolist() == [3]
    counts = 0
    for stored in boxes:
        theta = load_features(stored.box.features, slice(0, None), columns=2)
        counts = counts + np.bincount(found.bins.index(theta), minlength=found.bins.n_bins)
    # half of the particles of each box, drawn evenly
    np.testing.assert_allclose(found.share.ravel(), counts / counts.sum(), atol=0.01)


@pytest.mark.parametrize("name", ["polynomial", "gaussian", "filtered_least_squares"])
def test_fields_are_those_of_the_weights(fitted, predict, boxes, name):
    """On the box that the model is fitted to, where ⟨f⟩ = 1."""
    stored, weights = boxes[0], getattr(fitted["first"], name)
    f = weights.evaluate(load_features(stored.box.features, slice(0, None)))[0]
    positions = store.read_array(stored.box.particles, Particles, "position")
    expected = paint.overdensity(paint.paint_cic(positions, BOX_SIZE, GRID, weights=f))
    found = predict(fitted["first"], stored)[name].evaluation
    np.testing.assert_allclose(found, expected, atol=SINGLE_PRECISION * np.abs(expected).max())


def test_transfer_functions_explain_more_than_the_polynomial(fitted, predict, boxes):
    painted = predict(fitted["first"], boxes[0])
    transfer, polynomial = (
        filtered_square(painted[name].evaluation, boxes[0].halos)
        for name in ("transfer", "polynomial")
    )
    assert transfer < polynomial


def test_evaluation_keeps_the_field_of_the_average(fitted, boxes):
    """Its power is that of the average in the spectra."""
    tables = fitted["first"].filtered_least_squares
    tables = replace(tables, f=np.concatenate([tables.f, 2.0 * np.sqrt(tables.f)]))
    box = boxes[1].box
    spectra, field = evaluate(
        tables,
        partial(load_features, box.features, columns=2),
        box.particles,
        box.halo_fields,
        seeds=[0, 1],
        threads=1,
    )
    fields.check(field)
    modes = RealFFT(GRID).forward(field.evaluation)
    np.testing.assert_allclose(
        auto_power(modes, BOX_SIZE).power, spectra.average_model_power, rtol=1e-4
    )
    assert field.average.shape == (12, 12, 12)


def test_halos_equal_themselves(boxes, tmp_path):
    box, halos = boxes[0]
    store.write(tmp_path / "model.h5", ModelField(evaluation=halos, box_size=BOX_SIZE))
    found = compare_fields(tmp_path / "model.h5", box.halo_fields, COMPARISON, threads=1)
    fields.check(found)
    for values in (found.ratio, found.correlation):
        np.testing.assert_allclose(values, 1.0, rtol=SINGLE_PRECISION)
    np.testing.assert_array_equal(found.wasserstein, 0.0)
    assert found.shot_noise == store.read(box.halo_fields, HaloFields).shot_noise
    assert (found.box_size, found.n_grid) == (BOX_SIZE, GRID)
    assert found.radii.tolist() == COMPARISON.pdf_radii and found.shell_k.max() < 0.3
    # the bins hold nearly all of the smoothed field of these few halos
    inside = found.halo_density @ np.diff(DELTA_EDGES)
    assert np.all(inside > 0.98) and np.all(inside <= 1.0)


def test_a_model_without_some_power_is_told_from_halos(boxes, tmp_path):
    box, halos = boxes[0]
    model = ModelField(evaluation=np.float32(0.5) * halos, box_size=BOX_SIZE)
    store.write(tmp_path / "model.h5", model)
    found = compare_fields(tmp_path / "model.h5", box.halo_fields, COMPARISON, threads=1)
    np.testing.assert_allclose(found.ratio, 0.25, rtol=SINGLE_PRECISION)
    assert np.all(found.wasserstein > 0.05)
