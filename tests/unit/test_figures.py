"""Figures: toy spectra in, complete and reproducible pictures out."""

import dataclasses
import re
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
import yaml
from matplotlib.backends.backend_agg import FigureCanvasAgg

from lagbias.artefacts import store
from lagbias.figures import (
    common,
    curves,
    power_ratio_all_sets,
    power_ratio_boxes,
    power_ratio_smoothing_sets,
)

ROOT = Path(__file__).parents[2]
SMOOTHING_SETS = {
    "1Rf": [2.83],
    "3Rf": [1.41, 2.83, 5.66],
    "3Rf+11.3": [1.41, 2.83, 5.66, 11.3],
    "3Rf_coarse": [1.0, 2.83, 8.0],
    "3Rf_fine": [2.0, 2.83, 4.0],
    "5Rf_fine": [1.41, 2.0, 2.83, 4.0, 5.66],
}
TOY_DEFICIT = dict(zip(SMOOTHING_SETS, (0.15, 0.08, 0.11, 0.09, 0.13, 0.12), strict=True))


def toy_spectra(
    smoothing_set="3Rf",
    train_box="box0",
    target_box="box1",
    *,
    seed=0,
    n_seeds=5,
    box_size=200.0,
    n_grid=128,
):
    """Spectra that look a little like real ones, made of formulas and noise only."""
    rng = np.random.default_rng([seed, len(smoothing_set), len(train_box), ord(target_box[-1])])
    number = np.arange(1, n_grid // 2 + 1)
    k = number * 2 * np.pi / box_size
    n_modes = np.maximum(np.round(2 * np.pi * number**2), 3)
    halo = 3e4 / (1 + (k / 0.05) ** 1.4) + 800.0
    scatter = 1 / np.sqrt(n_modes)
    ratio = 1 - TOY_DEFICIT.get(smoothing_set, 0.1) / (1 + (k / 0.15) ** 2)
    ratio = ratio + 0.08 * np.exp(-((np.log(k / 0.4) / 0.5) ** 2)) - 0.12 * k**3 / (1 + k**3)
    ratio = ratio * (1 + 0.2 * scatter * rng.normal(size=k.size))
    nets = ratio * (1 + 0.012 * rng.normal(size=(n_seeds, 1)) / (1 + k))
    nets = nets * (1 + 0.05 * scatter * rng.normal(size=nets.shape))
    correlation = 1 - 0.003 * (1 + (k / 0.1) ** 2) * (1 + 0.3 * rng.random(k.size))
    correlation = np.clip(correlation, 0.2, None)
    less = 1 - (1 - correlation) * (1 + 0.2 * rng.random((n_seeds, 1)))
    cross = less * np.sqrt(nets) * halo
    return curves.Spectra(
        k=k,
        n_modes=n_modes,
        halo_power=halo,
        model_power=nets * halo,
        cross_power=cross,
        average_model_power=ratio * halo,
        average_cross_power=correlation * np.sqrt(ratio) * halo,
        seeds=np.arange(n_seeds),
        attributes={
            "train_box": train_box,
            "target_box": target_box,
            "smoothing_set": smoothing_set,
        },
    )


def toy_boxes(n_boxes=4, **options):
    """Return the three lists of `power_ratio_boxes`."""
    both = ("1Rf", "3Rf")
    training = [toy_spectra(name, "box0", "box0", **options) for name in both]
    validation = [
        toy_spectra(name, "box0", f"box{i + 1}", **options) for i in range(n_boxes) for name in both
    ]
    # as in the default configuration, boxes that train here are validation boxes there
    train_boxes = ["box0", *(f"box{i + 1}" for i in range(1, n_boxes))]
    others = [
        toy_spectra("3Rf", box, "box1", seed=i, **options) for i, box in enumerate(train_boxes)
    ]
    return training, validation, others


def toy_figures(n_boxes=4, **options):
    """Draw all figures from toy spectra."""
    by_set = {name: toy_spectra(name, **options) for name in SMOOTHING_SETS}
    coarse = [by_set[name] for name in ("3Rf", "3Rf_coarse", "3Rf+11.3")]
    fine = [by_set[name] for name in ("3Rf_fine", "5Rf_fine")]
    return {
        "power_ratio_boxes": power_ratio_boxes.draw(*toy_boxes(n_boxes, **options)),
        "power_ratio_smoothing_sets": power_ratio_smoothing_sets.draw(
            coarse, fine, smoothing_sets=SMOOTHING_SETS
        ),
        "power_ratio_all_sets": power_ratio_all_sets.draw(
            list(by_set.values()), smoothing_sets=SMOOTHING_SETS
        ),
    }


def figures_by_name():
    """Return the modules of `lagbias.figures` that draw one."""
    package = resources.files("lagbias.figures")
    modules = {file.name.removesuffix(".py") for file in package.iterdir() if file.is_file()}
    return sorted(name for name in modules if "def draw(" in _source(package / f"{name}.py"))


def _source(path):
    return path.read_text(encoding="utf-8") if path.is_file() else ""


@pytest.fixture(scope="module")
def figures():
    return toy_figures()


def drawn_points(axes):
    """Return the display coordinates of all line and band vertices of the data."""
    points = [
        axes.transData.transform(line.get_xydata())
        for line in axes.lines
        if len(line.get_xdata()) > 2  # the reference line has two points
    ]
    points += [
        axes.transData.transform(path.vertices)
        for band in axes.collections
        for path in band.get_paths()
    ]
    return np.concatenate(points)


def test_legends_do_not_cover_data(figures):
    checked = 0
    for figure in figures.values():
        with common.style():
            FigureCanvasAgg(figure).draw()
        for axes in figure.axes:
            if axes.get_legend() is not None:
                box = axes.get_legend().get_window_extent()
                assert not any(box.contains(x, y) for x, y in drawn_points(axes))
                assert axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
                checked += 1
    assert checked == 6


def test_all_data_lie_inside_the_axes(figures):
    for figure in figures.values():
        for axes in figure.axes:
            points = axes.transAxes.inverted().transform(drawn_points(axes))
            assert points.min() > -1e-9 and points.max() < 1 + 1e-9


def test_every_figure_is_tested():
    files = (ROOT / "tests/unit").glob("test_figure*.py")
    tests = "".join(file.read_text(encoding="utf-8") for file in files)
    drawn = {
        name
        for name in figures_by_name()
        if re.search(rf"\b{name}\.draw\(|figures\.{name} import .*\bdraw\b", tests)
    }
    assert drawn == set(figures_by_name())


def test_one_line_for_each_spectrum_and_a_band_around_it(figures):
    lines = [
        sum(len(line.get_xdata()) > 2 for line in axes.lines)
        for axes in figures["power_ratio_boxes"].axes
    ]
    bands = [len(axes.collections) for axes in figures["power_ratio_boxes"].axes]
    assert lines == bands == [2, 8, 2, 4]  # top left, top right, bottom left, bottom right


def test_a_box_has_one_colour_in_both_panels(figures):
    legends = [figures["power_ratio_boxes"].axes[i].get_legend() for i in (1, 3)]
    top, bottom = (
        {
            text.get_text(): line.get_color()
            for text, line in zip(key.texts, key.legend_handles, strict=True)
        }
        for key in legends
    )
    assert {"box2", "box3", "box4"} <= top.keys() & bottom.keys()
    assert all(top[box] == bottom[box] for box in top.keys() & bottom.keys())
    assert len({top[f"box{i}"] for i in range(1, 5)} | {bottom["box0"]}) == 5


def test_axes_carry_units_and_k_stops_at_k_max(figures):
    for figure in figures.values():
        assert any(r"h\,\mathrm{Mpc}^{-1}" in axes.get_xlabel() for axes in figure.axes)
        assert all(axes.get_xlim()[1] < 1.1 for axes in figure.axes)


@pytest.mark.parametrize("n_boxes", [1, 7])
def test_small_configurations_draw(n_boxes, tmp_path):
    # two nets, a 16-point grid in a small box: few bins below 1 h/Mpc
    for name, figure in toy_figures(n_boxes, n_seeds=2, box_size=40.0, n_grid=16).items():
        assert all(file.stat().st_size > 0 for file in common.save(figure, tmp_path / name))


def test_a_single_bin_draws(tmp_path):
    figure = power_ratio_all_sets.draw([toy_spectra(box_size=10.0)])
    common.save(figure, tmp_path / "one_bin")


def test_ratio_curve_is_the_average_f_with_the_range_of_the_nets():
    spectra = toy_spectra(n_seeds=3)
    curve = curves.ratio_curve(spectra, k_max=0.5)
    shown = spectra.k <= 0.5
    ratios = (spectra.model_power / spectra.halo_power)[:, shown]
    assert curve.k.max() <= 0.5
    np.testing.assert_array_equal(
        curve.line, (spectra.average_model_power / spectra.halo_power)[shown]
    )
    np.testing.assert_array_equal(curve.low, ratios.min(axis=0))
    np.testing.assert_array_equal(curve.high, ratios.max(axis=0))


def test_residual_and_decorrelation_follow_their_definitions():
    spectra = toy_spectra()
    halo, model = spectra.halo_power, spectra.average_model_power
    cross = spectra.average_cross_power
    np.testing.assert_allclose(
        curves.residual_curve(spectra, k_max=np.inf).line, model / halo - (cross / halo) ** 2
    )
    np.testing.assert_allclose(
        curves.decorrelation_curve(spectra, k_max=np.inf).line,
        1 - cross / np.sqrt(model * halo),
    )


def test_rebinning_keeps_low_bins_and_the_power_of_all_modes():
    spectra = toy_spectra()
    merged = curves.rebin(spectra, k_from=0.1)
    low = spectra.k < 0.1
    np.testing.assert_allclose(merged.k[: low.sum()], spectra.k[low], rtol=1e-14)
    assert merged.k.size < spectra.k.size
    assert merged.n_modes.sum() == spectra.n_modes.sum()
    for name in ("halo_power", "model_power", "average_cross_power"):
        np.testing.assert_allclose(
            (getattr(merged, name) * merged.n_modes).sum(axis=-1),
            (getattr(spectra, name) * spectra.n_modes).sum(axis=-1),
        )


def test_rebinning_two_bins_by_hand():
    arrays = {
        "k": np.array([1.0, 1.01]),
        "n_modes": np.array([1.0, 3.0]),
        "halo_power": np.array([4.0, 8.0]),
        "model_power": np.array([[2.0, 6.0]]),
        "cross_power": np.array([[1.0, 1.0]]),
        "average_model_power": np.array([0.0, 4.0]),
        "average_cross_power": np.array([4.0, 0.0]),
    }
    merged = curves.rebin(curves.Spectra(**arrays, seeds=np.array([0])))
    assert merged.k.shape == (1,) and merged.n_modes[0] == 4.0
    assert merged.halo_power[0] == 7.0 and merged.model_power[0, 0] == 5.0
    assert merged.average_model_power[0] == 3.0 and merged.average_cross_power[0] == 1.0


def test_equal_figures_give_equal_files_and_leave_nothing_behind(tmp_path):
    for name in ("first", "second"):
        figure = power_ratio_all_sets.draw([toy_spectra()])
        common.save(figure, tmp_path / name / "figure.v1")
    files = sorted(file.name for file in (tmp_path / "first").iterdir())
    assert files == ["figure.v1.pdf", "figure.v1.png"]
    for file in files:
        first = (tmp_path / "first" / file).read_bytes()
        assert first == (tmp_path / "second" / file).read_bytes()
        assert b"CreationDate" not in first


def test_a_failed_save_leaves_the_old_file_and_no_partial_one(tmp_path, monkeypatch):
    figure = power_ratio_all_sets.draw([toy_spectra()])
    (tmp_path / "figure.pdf").write_text("old")

    def fail(file, **_):
        file.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(store.ArtefactError, match="disk full"):
        common.save(figure, tmp_path / "figure")
    assert [file.name for file in tmp_path.iterdir()] == ["figure.pdf"]
    assert (tmp_path / "figure.pdf").read_text() == "old"


def test_drawing_leaves_matplotlib_settings_alone():
    before = dict(matplotlib.rcParams)
    power_ratio_all_sets.draw([toy_spectra()])
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", [*figures_by_name(), "workflow"])
def test_captions_render(name):
    jinja2 = pytest.importorskip("jinja2")
    docutils_core = pytest.importorskip("docutils.core")
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    text = (ROOT / f"workflow/report/{name}.rst").read_text(encoding="utf-8")
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(text)
    caption = template.render(snakemake=SimpleNamespace(config=config))
    settings = {"halt_level": 2, "report_level": 2}  # docutils: warnings are errors
    parts = docutils_core.publish_parts(caption, writer="html", settings_overrides=settings)
    assert "<p>" in parts["body"]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("1Rf", r"$1\,R_f$ (2.83)"),
        ("3Rf_coarse", r"$3\,R_f$ coarse (1, 2.83, 8)"),
        ("3Rf+11.3", r"$3\,R_f$ + 11.3 (1.41, 2.83, 5.66, 11.3)"),
        ("my_set", "my set"),
    ],
)
def test_labels(name, label):
    assert common.set_label(name, SMOOTHING_SETS) == label


@pytest.mark.parametrize(
    ("limits", "label"),
    [
        ({"min_particles": 20, "max_particles": 63}, "20 to 63 particles"),
        ({"min_particles": 20}, "at least 20 particles"),
        ({"max_mass": 1e12}, r"at most $1\times 10^{12}$$\,h^{-1}\,\mathrm{M}_\odot$"),
        (
            {"min_mass": 3.16e11, "max_mass": 1e12},
            r"$3.16\times 10^{11}$ to $1\times 10^{12}$$\,h^{-1}\,\mathrm{M}_\odot$",
        ),
    ],
)
def test_sample_labels(limits, label):
    assert common.sample_label(**limits) == label


def test_sets_of_one_figure_look_different():
    names = [*SMOOTHING_SETS, "mine", "yours"]
    looks = [common.set_style(name, names) for name in names]
    assert len(set(looks)) == len(names)
    assert common.set_style("3Rf", ["3Rf"]) == common.set_style("3Rf", names)


def test_spectra_are_read_from_an_artefact(tmp_path):
    spectra = toy_spectra()
    axes = {"model_power": ("seed", "k"), "cross_power": ("seed", "k"), "seeds": ("seed",)}
    names = [name for name in curves.Spectra.__dataclass_fields__ if name != "attributes"]
    datasets = {
        name: store.Dataset(getattr(spectra, name), "1", axes.get(name, ("k",))) for name in names
    }
    file = tmp_path / "on_box1.h5"
    store.write(file, "spectra", datasets, attributes=spectra.attributes)
    read = curves.load_spectra(file)
    for name in names:
        np.testing.assert_array_equal(getattr(read, name), getattr(spectra, name))
    assert read.attribute("train_box") == "box0"


def test_spectra_that_do_not_fit_are_refused():
    spectra = toy_spectra()
    arrays = {name: getattr(spectra, name) for name in curves.Spectra.__dataclass_fields__}
    with pytest.raises(ValueError, match=r"`halo_power` has shape \(63,\) where \(64,\)"):
        curves.Spectra(**{**arrays, "halo_power": spectra.halo_power[1:]})


def test_mistaken_inputs_are_explained():
    training, validation, others = toy_boxes(1)
    with pytest.raises(ValueError, match="one was trained on `box0` and applied to `box1"):
        power_ratio_boxes.draw(validation, validation, others)
    with pytest.raises(ValueError, match="at least one spectrum"):
        power_ratio_boxes.draw(training, [], others)
    with pytest.raises(ValueError, match="at least one coarse"):
        power_ratio_smoothing_sets.draw([], validation)
    with pytest.raises(ValueError, match="at least one smoothing set"):
        power_ratio_all_sets.draw([])
    with pytest.raises(ValueError, match="no bin of k"):
        power_ratio_all_sets.draw(training, k_max=1e-3)
    with pytest.raises(ValueError, match="`smoothing_set` is missing"):
        power_ratio_all_sets.draw([dataclasses.replace(training[0], attributes={})])
