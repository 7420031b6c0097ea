"""`lagbias.load`, `lagbias.fit` and `lagbias.Model` on a small simulation."""

import dataclasses
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
import yaml

import lagbias
from lagbias.config.sections import TrainingSettings
from lagbias.figures.common import style
from lagbias.grids.fourier import RealFFT
from lagbias.grids.power import auto_power
from lagbias.model import fitting, pretrained
from lagbias.runtime.atomic import ArtefactError
from lagbias.runtime.checkpoints import read
from lagbias.sources.diagnosis import SMALLEST_ALIGNED
from lagbias.training import loop

BOX_SIZE, N_SIDE, RADII = 100.0, 40, (2.83, 5.66)
#: Transfer functions of a small box scatter from bin to bin, between which they are interpolated.
INTERPOLATED = 0.1
QUICK = {"epochs": 2, "hidden_layers": 2, "width": 16}


@pytest.fixture(scope="module")
def boxes():
    given = {"box_size": BOX_SIZE, "particles_per_side": N_SIDE, "steps": 4}
    return [lagbias.simulate_box(seed, **given, linking_length=0.2, threads=1) for seed in (1, 2)]


def arrays(box):
    return {
        "linear_density": box.linear_density.delta,
        "positions": box.particles.position,
        "halo_positions": box.halos.position,
        "halo_masses": box.halos.mass,
    }


@pytest.fixture(scope="module")
def model(boxes):
    return fit(boxes[0])


def fit(box, **changed):
    given = {"box_size": BOX_SIZE, "smoothing_radii": RADII, "seeds": (0, 1), **QUICK}
    return lagbias.fit(**{**arrays(box), **given, **changed})


def predict(model, box, **changed):
    given = {"positions": box.particles.position, "box_size": BOX_SIZE, "grid": 16}
    given |= {"linear_density": box.linear_density.delta, **changed}
    return model.predict(**given)


def test_a_predicted_field_is_an_overdensity_like_that_of_the_halos(model, boxes):
    field = predict(model, boxes[1])
    assert field.dtype == np.float32
    assert field.shape == (16, 16, 16)
    assert field.min() >= -1
    assert field.mean() == pytest.approx(0, abs=1e-6)
    halos = boxes[1].halos
    true = lagbias.halo_overdensity(halos.position, halos.mass, box_size=BOX_SIZE, grid=16)
    # networks of two epochs: far better than chance, which gives 0.00 ± 0.016
    assert np.corrcoef(field.ravel(), true.ravel())[0, 1] > 0.5


def test_f_has_the_mean_of_its_networks_and_unit_mean(model, boxes):
    features = model.features(boxes[0].linear_density.delta, BOX_SIZE)
    assert features.shape == (N_SIDE**3, 6)
    np.testing.assert_allclose(features.std(axis=0), 1, rtol=1e-5)
    each = model.f(features, each=True)
    f = model.f(features)
    assert each.shape == (2, N_SIDE**3)
    np.testing.assert_allclose(each.mean(axis=0), f, rtol=1e-6)
    assert f.min() >= 0
    assert f.mean() == pytest.approx(1, abs=0.02)  # normalised on every seventh particle


def test_power_without_halos_is_that_of_the_average_f_with_them(model, boxes):
    box = boxes[1]
    given = {"positions": box.particles.position, "box_size": BOX_SIZE, "grid": 16}
    given["linear_density"] = box.linear_density.delta
    halos = lagbias.halo_overdensity(box.halos.position, box.halos.mass, box_size=BOX_SIZE, grid=16)
    alone, spectra = (
        model.halo_power(**given),
        model.halo_power(**given, halo_overdensity=halos),
    )
    np.testing.assert_allclose(alone.power, spectra.average_model_power, rtol=1e-5)
    np.testing.assert_array_equal(alone.k, spectra.k)
    assert len(model.plot_power(spectra).axes) == 2


def compare(model, box, **changed):
    """Spectra of a model and of the halos."""
    halos = lagbias.halo_overdensity(box.halos.position, box.halos.mass, box_size=BOX_SIZE, grid=16)
    given = {"positions": box.particles.position, "box_size": BOX_SIZE, "grid": 16}
    given |= {"linear_density": box.linear_density.delta, "halo_overdensity": halos, **changed}
    return model.halo_power(**given)


def test_transfer_functions_give_the_field_the_power_of_the_halos(model, boxes):
    spectra = compare(model, boxes[0])
    fitted = model.with_transfer([spectra])
    assert model.transfer is None and fitted.about["transfer"]["grid"] == 16
    found = compare(fitted, boxes[0], transfer=True)
    assert np.abs(spectra.ratio - 1).max() > 0.05
    np.testing.assert_allclose(found.ratio, 1, rtol=1e-6)
    np.testing.assert_allclose(found.ratios, np.ones((2, 8)), rtol=1e-6)
    assert np.all(found.correlation > spectra.correlation - 1e-6)
    # without transfer functions nothing changes
    np.testing.assert_array_equal(compare(fitted, boxes[0]).ratio, spectra.ratio)


def test_the_field_with_transfer_functions_has_the_spectra_that_are_predicted(model, boxes):
    fitted = model.with_transfer([compare(model, boxes[0])])
    expected = compare(fitted, boxes[1], transfer=True)
    alone = compare(fitted, boxes[1], transfer=True, halo_overdensity=None)
    np.testing.assert_allclose(alone.power, expected.average_model_power, rtol=INTERPOLATED)
    field = predict(fitted, boxes[1], transfer=True)
    assert np.abs(field - predict(fitted, boxes[1])).max() > 0.1
    power = auto_power(RealFFT(16).forward(field), BOX_SIZE).power
    np.testing.assert_allclose(power, alone.power, rtol=1e-4)


def test_a_model_without_transfer_functions_says_so(model, boxes):
    with pytest.raises(ValueError, match=r"no transfer functions.*Model.with_transfer"):
        predict(model, boxes[1], transfer=True)
    one = dataclasses.replace(model, networks=model.networks[:1])
    with pytest.raises(ValueError, match="of 2 networks, the model has 1"):
        one.with_transfer([compare(model, boxes[0])])


def test_the_order_of_particles_does_not_matter(model, boxes):
    order = np.random.default_rng(0).permutation(N_SIDE**3)
    shuffled = predict(
        model, boxes[1], positions=boxes[1].particles.position[order], lagrangian_index=order
    )
    np.testing.assert_allclose(shuffled, predict(model, boxes[1]), atol=1e-4)


def test_positions_outside_of_the_box_are_wrapped(model, boxes):
    positions = boxes[1].particles.position
    outside = np.where(positions > BOX_SIZE / 2, positions - np.float32(BOX_SIZE), positions)
    np.testing.assert_allclose(
        predict(model, boxes[1], positions=outside), predict(model, boxes[1]), atol=1e-3
    )


def test_the_amplitude_of_the_density_cancels(model, boxes):
    later = 1.7 * boxes[1].linear_density.delta
    np.testing.assert_allclose(
        predict(model, boxes[1], linear_density=later), predict(model, boxes[1]), atol=1e-3
    )


def test_f_is_drawn_along_its_components(model, boxes):
    figure = model.plot_f(model.features(boxes[0].linear_density.delta, BOX_SIZE))
    assert "2.83, 5.66" in figure.get_suptitle()
    assert [axes.get_xlabel() for axes in figure.axes].count("PC0") == 3


def test_the_card_says_what_the_model_was_trained_on(model):
    card = model.card()
    assert "R_f = 2.83, 5.66 Mpc/h" in card
    assert "box size: 100 Mpc/h" in card
    assert "Where not to use it" in card


def test_equal_calls_give_equal_models(model, boxes):
    again = fit(boxes[0], threads=1)
    for one, other in zip(model.networks, again.networks, strict=True):
        assert all(np.array_equal(one.weights[k], v) for k, v in other.weights.items())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"linear_density": np.zeros((4, 4, 5), np.float32)}, "linear_density has shape"),
        ({"linear_density": np.ones((40, 40, 40), np.float32)}, "linear_density has mean 1"),
        ({"linear_density": np.full((40, 40, 40), np.nan)}, "linear_density: 64000 of 64000"),
        ({"positions": np.zeros((7, 2), np.float32)}, "positions has shape|positions have shape"),
        ({"positions": np.zeros((7, 3), np.float32)}, "lagrangian_index is missing"),
        ({"box_size": -1.0}, "box_size = -1.0"),
        ({"box_size": 300.0}, "smallest smoothing radius, 2.83 Mpc/h, is below the cell"),
        ({"box_size": 20.0}, "positions run from"),
        ({"lagrangian_index": np.arange(40**3) + 1}, "lagrangian_index runs from 1 to 64000"),
        ({"lagrangian_index": np.zeros(40**3)}, "lagrangian_index is float64"),
        ({"lagrangian_index": np.arange(40**3)[::-1]}, "do not start from their sites"),
        ({"threads": 0}, "threads = 0"),
        ({"grid": 0}, "grid|n_cells"),
    ],
)
def test_wrong_arguments_are_named(model, boxes, changed, message):
    assert BOX_SIZE >= SMALLEST_ALIGNED
    with pytest.raises(ValueError, match=message):
        predict(model, boxes[1], **changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"halo_masses": np.ones(3, np.float32)}, "masses have shape"),
        ({"halo_positions": np.full((3, 3), 250.0)}, "halo_positions run from 250"),
        ({"smoothing_radii": (5.66, 2.83)}, "smoothing_radii = "),
        ({"smoothing_radii": (1.0, 2.83)}, "below the cell"),
        ({"cell_size": 7.0}, "cell_size = 7 Mpc/h does not divide"),
        ({"epoch": 3}, "epoch"),
        ({"epochs": -3}, "epochs"),
        ({"seeds": ()}, "seeds"),
        ({"seeds": (1, 1)}, "seeds"),
    ],
)
def test_wrong_arguments_of_a_fit_are_named(boxes, changed, message):
    with pytest.raises(ValueError, match=message):
        fit(boxes[0], **changed)


def test_predict_sees_a_density_with_transposed_axes(model, boxes):
    transposed = boxes[1].linear_density.delta.transpose(2, 1, 0)
    with pytest.raises(ValueError, match="x and z axes"):
        predict(model, boxes[1], linear_density=transposed)


def test_features_of_another_model_are_refused(model):
    with pytest.raises(ValueError, match=r"features have shape \(5, 9\).*laplacian"):
        model.f(np.zeros((5, 9), np.float32))


def test_a_density_with_transposed_axes_is_refused(boxes):
    with pytest.raises(ValueError, match=r"axes"):
        fit(boxes[0], linear_density=boxes[0].linear_density.delta.transpose(2, 1, 0).copy())


def test_the_defaults_are_those_of_the_default_run(repository):
    config = yaml.safe_load((repository / "config" / "config.yaml").read_text("utf-8"))
    assert TrainingSettings(**config["training"]) == fitting.DEFAULTS
    cells = round(config["embedded"]["box_size"] / config["training"]["cell_size"]) ** 3
    assert fitting._STEPS_PER_EPOCH == round(cells / config["training"]["cells_per_batch"])
    assert tuple(config["seeds"]) == lagbias.fit.__kwdefaults__["seeds"]
    assert tuple(config["smoothing_sets"]["3Rf"]) == lagbias.fit.__kwdefaults__["smoothing_radii"]


def test_an_interrupted_fit_continues_with_the_same_result(boxes, tmp_path, monkeypatch):
    given = {"epochs": 6, "seeds": (0,), "threads": 1}
    whole = fit(boxes[0], **given)
    report = loop._report

    def interrupt(run, epoch, *rest):
        report(run, epoch, *rest)
        if epoch == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(loop, "_report", interrupt)
        fit(boxes[0], **given, checkpoints=tmp_path)
    (checkpoint,) = tmp_path.iterdir()
    assert read(checkpoint)["epoch"] == 3
    again = fit(boxes[0], **given, checkpoints=tmp_path)
    for name, values in whole.networks[0].weights.items():
        assert np.array_equal(again.networks[0].weights[name], values)
    assert not list(tmp_path.iterdir())


def test_every_pretrained_model_loads_by_name_and_has_a_card():
    assert pretrained.names()
    files = {path.stem for path in pretrained.DIRECTORY.glob("*.safetensors")}
    assert files == set(pretrained.names())
    for name in pretrained.names():
        model = lagbias.load(name)
        assert model.about["name"] == name
        assert "## Accuracy" in model.card()


def test_an_unknown_name_gets_a_suggestion():
    name = pretrained.names()[0]
    with pytest.raises(ValueError, match=f"did you mean '{name}'"):
        lagbias.load(name + "x")


def test_an_altered_pretrained_file_is_refused(tmp_path, monkeypatch):
    name = pretrained.names()[0]
    for path in pretrained.DIRECTORY.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / f"{name}.safetensors").open("ab") as file:
        file.write(b"x")
    monkeypatch.setattr(pretrained, "DIRECTORY", tmp_path)
    with pytest.raises(ArtefactError, match="missing or altered"):
        pretrained.path_of(name)


def test_importing_lagbias_imports_nothing_heavy():
    code = "import sys, lagbias; dir(lagbias); print(*{'torch', 'numba', 'scipy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    with pytest.raises(AttributeError, match="nothing_such"):
        lagbias.nothing_such  # noqa: B018


def test_a_small_simulation_is_one_call():
    box = lagbias.simulate_box(3, box_size=50.0, particles_per_side=16, steps=2, threads=1)
    assert box.particles.position.shape == (16**3, 3)
    assert box.linear_density.delta.shape == (16,) * 3
    with pytest.raises(ValueError, match="particles_per_side = 8: input should be"):
        lagbias.simulate_box(particles_per_side=8)


def test_the_cards_in_the_documentation_are_those_of_the_models(repository):
    pages = {path.stem: path.read_text("utf-8") for path in repository.glob("docs/models/*.md")}
    assert pages == {name: lagbias.load(name).card() + "\n" for name in pretrained.names()}


def test_a_figure_looks_the_same_outside_of_the_style(model, boxes, tmp_path):
    features = model.features(boxes[0].linear_density.delta, BOX_SIZE)
    model.plot_f(features).savefig(tmp_path / "outside.png", dpi=60)
    figure = model.plot_f(features)
    with style():
        figure.savefig(tmp_path / "inside.png", dpi=60)
    inside, outside = (plt.imread(tmp_path / f"{name}.png") for name in ("inside", "outside"))
    assert np.array_equal(inside, outside)
