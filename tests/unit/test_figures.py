"""What all figures have in common: files, labels, limits, legends, captions and messages."""

from dataclasses import replace
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
import yaml

from lagbias.artefacts import store
from lagbias.figures import common

ROOT = Path(__file__).parents[2]


def names():
    """Return the modules of `lagbias.figures` that draw a figure."""
    package = Path(str(resources.files("lagbias.figures")))
    return sorted(file.stem for file in package.glob("*.py") if "\ndef draw(" in file.read_text())


NAMES = names()
#: Figures of curves against k, with legends inside or above the panels.
OF_SPECTRA = [name for name in NAMES if "power_ratio" in name or "validation_loss" in name]
OF_SPECTRA += ["loss_comparison", "transfer_comparison", "model_comparison", "multipole_comparison"]
SMALL = [
    ("power_ratio_boxes", {"n_boxes": 1, "n_seeds": 2, "n_bins": 8}),
    ("power_ratio_boxes", {"n_boxes": 7, "n_seeds": 1, "n_bins": 8}),
    ("power_ratio_smoothing_sets", {"n_seeds": 2, "n_bins": 8}),
    ("power_ratio_all_sets", {"sets": ("3Rf",), "n_bins": 1}),
    ("power_ratio_retrained", {"sets": ("3Rf",), "n_seeds": 1, "n_bins": 8}),
    ("validation_loss_smoothing_sets", {"n_seeds": 1, "n_epochs": 1, "n_bins": 8}),
    ("validation_loss_retrained", {"n_seeds": 1, "n_epochs": 1, "n_bins": 8}),
    ("least_squares_comparison", {"n_tables": 1}),
    ("principal_components", {"count": 1}),
    ("principal_components", {"count": 300, "n_components": 2}),
    ("thin_mass_components", {"count": 3}),
    ("component_coefficients", {"sets": ("3Rf",)}),
    ("residual_slices", {"sets": ("3Rf",), "n_cells": 12}),
    ("residual_slices", {"sets": ("3Rf", "1Rf", "3Rf_fine", "5Rf_fine"), "n_cells": 7}),
    ("model_comparison", {"boxes": ("box8",), "models": (("joint", "1Rf"),), "n_bins": 8}),
    ("loss_comparison", {"sets": ("3Rf",), "n_seeds": 2, "n_bins": 8}),
    ("loss_comparison", {"sets": ("1Rf", "3Rf", "3Rf_fine", "5Rf_fine"), "boxes": ("box8",)}),
    ("transfer_comparison", {"models": (("full", "3Rf"),), "boxes": ("box8",)}),
    ("one_point_comparison", {"boxes": ("box8",), "radii": (5,)}),
    ("bispectrum_comparison", {"boxes": ("box8",), "models": (("full", "3Rf"),)}),
    ("bispectrum_comparison", {"n_shells": 1}),
    ("multipole_comparison", {"boxes": ("box8",), "n_bins": 1}),
    ("method_overview", {"n_nodes": 1, "region_size": 1.0}),
    ("method_overview", {"n_nodes": 69, "region_size": 59.9}),
]


@pytest.mark.parametrize("name", NAMES)
def test_panels_are_labelled_and_hold_their_texts(name, figures, toys):
    figure = figures(name)
    panels = toys.panels(figure)
    assert any(axes.get_xlabel() for axes in panels) and any(axes.get_ylabel() for axes in panels)
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
    titles = [axes.title.get_window_extent() for axes in panels if axes.get_title()]
    assert not any(a.overlaps(b) for i, a in enumerate(titles) for b in titles[i + 1 :])


@pytest.mark.parametrize("name", OF_SPECTRA)
def test_k_has_units_and_ends_at_k_max(name, figures):
    panels = [axes for axes in figures(name).axes if axes.get_xscale() == "log"]
    assert any(r"h\,\mathrm{Mpc}^{-1}" in axes.get_xlabel() for axes in panels)
    assert all(axes.get_xlim()[1] < 1.1 for axes in panels)


@pytest.mark.parametrize("name", NAMES)
def test_all_data_lie_inside_the_axes(name, figures, toys):
    for axes in toys.panels(figures(name)):
        # losses of the first epochs, and particles that leave the region, lie outside
        if axes.get_xlabel() == "epoch" or name == "method_overview":
            continue
        points = axes.transAxes.inverted().transform(toys.drawn_points(axes))
        assert np.all(points > -1e-6) and np.all(points < 1 + 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_legends_cover_no_data(name, figures, toys):
    figure = figures(name)
    for axes in toys.panels(figure):
        if axes.get_legend() is not None:
            box = axes.get_legend().get_window_extent()
            assert not any(box.contains(x, y) for x, y in toys.drawn_points(axes))
            assert axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1 and axes.bbox.y0 <= box.y0
    for legend in figure.legends:
        box = legend.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(axes.get_tightbbox()) for axes in figure.axes)
    with_legend = {"least_squares_comparison", "component_coefficients", "method_overview"}
    with_legend |= {"one_point_comparison", "bispectrum_comparison"}
    found = figure.legends or [axes for axes in figure.axes if axes.get_legend()]
    assert bool(found) == (name in with_legend.union(OF_SPECTRA))


@pytest.mark.parametrize(("name", "options"), SMALL)
def test_small_and_large_inputs_draw(name, options, toys):
    toys.draw(name, **options)


def test_equal_figures_give_equal_small_files(toys, tmp_path):
    for folder in ("first", "second"):
        common.save(toys.draw("thin_mass_components"), tmp_path / folder / "figure.v1")
    files = sorted(file.name for file in (tmp_path / "first").iterdir())
    assert files == ["figure.v1.pdf", "figure.v1.png"]
    for file in files:
        first = (tmp_path / "first" / file).read_bytes()
        assert first == (tmp_path / "second" / file).read_bytes()
        assert b"CreationDate" not in first
        # as vectors, the points of one scatter alone would take about a megabyte
        assert 0 < len(first) < 1_000_000


def test_a_failed_save_leaves_the_old_file_and_no_partial_one(figures, tmp_path, monkeypatch):
    figure = figures("power_ratio_all_sets")
    (tmp_path / "figure.pdf").write_text("old")

    def fail(file, **_):
        file.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(store.ArtefactError, match="disk full"):
        common.save(figure, tmp_path / "figure")
    assert [file.name for file in tmp_path.iterdir()] == ["figure.pdf"]
    assert (tmp_path / "figure.pdf").read_text() == "old"


def test_drawing_leaves_matplotlib_settings_alone(toys):
    before = dict(matplotlib.rcParams)
    toys.draw("power_ratio_all_sets", n_bins=8)
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", [*NAMES, "workflow", "claims", "configuration"])
def test_captions_render(name):
    jinja2 = pytest.importorskip("jinja2")
    docutils_core = pytest.importorskip("docutils.core")
    config, beyond = (
        yaml.safe_load((ROOT / f"config/{file}.yaml").read_text()) for file in ("config", "beyond")
    )
    config["beyond"] = beyond["beyond"]
    text = (ROOT / f"workflow/report/{name}.rst").read_text(encoding="utf-8")
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(text)
    origin = SimpleNamespace(caption=lambda: "Drawn by ``this``.")
    job = SimpleNamespace(config=config, params=SimpleNamespace(origin=origin))
    caption = template.render(snakemake=job)
    settings = {"halt_level": 2, "report_level": 2}  # docutils: warnings are errors
    parts = docutils_core.publish_parts(caption, writer="html", settings_overrides=settings)
    assert "<p>" in parts["body"]
    assert ("Drawn by <tt" in parts["body"]) == (name in NAMES)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("1Rf", r"$1\,R_f$ (2.83)"),
        ("3Rf_coarse", r"$3\,R_f$ coarse (1, 2.83, 8)"),
        ("3Rf+11.3", r"$3\,R_f$ + 11.3 (1.41, 2.83, 5.66, 11.3)"),
        ("my_set", "my set"),
    ],
)
def test_labels_of_smoothing_sets(name, label, toys):
    assert common.set_label(name, toys.SETS) == label


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
def test_labels_of_halo_samples(limits, label):
    assert common.sample_label(**limits) == label


def test_sets_of_one_figure_look_different(toys):
    names = [*toys.SETS, "mine", "yours"]
    looks = [common.set_style(name, names) for name in names]
    assert len(set(looks)) == len(names)
    assert common.set_style("3Rf", ["3Rf"]) == common.set_style("3Rf", names)


def first_with(**changes):
    """Return a function that alters the first entry of an argument, or the argument itself."""
    return lambda value: (
        [replace(value[0], **changes), *value[1:]]
        if isinstance(value, list)
        else replace(value, **changes)
    )


def empty(_):
    return []


def no_halos(comparisons):
    return [replace(one, halo_density=0 * one.halo_density) for one in comparisons]


ONE_COMPONENT = first_with(components=np.ones((20_000, 1), np.float32))
MISTAKES = [
    ("power_ratio_boxes", "on_training_box", first_with(target_box="b"), "`box0` .* to `b`"),
    ("power_ratio_boxes", "on_validation_boxes", empty, "at least one spectrum"),
    ("power_ratio_smoothing_sets", "coarse", empty, "at least one coarse"),
    ("power_ratio_all_sets", "spectra", empty, "at least one smoothing set"),
    ("power_ratio_all_sets", "k_max", lambda _: 1e-3, "no finite value"),
    ("power_ratio_retrained", "original", empty, "at least one smoothing set"),
    ("power_ratio_retrained", "retrained", lambda some: some[::-1], "same sets and boxes"),
    ("validation_loss_smoothing_sets", "ensembles", empty, "the same ensembles"),
    ("validation_loss_retrained", "ensembles", lambda both: both[::-1], "in the same order"),
    ("validation_loss_retrained", "spectra", lambda both: both[:1], "two ensembles of one smooth"),
    ("least_squares_comparison", "min_share", lambda _: 0.5, r"no bin holds 0\.5 of the part"),
    ("least_squares_comparison", "spectra_networks", first_with(target_box="b"), "`box1` and `b`"),
    ("least_squares_comparison", "networks", first_with(delta_edges=0), "different `delta_edges`"),
    ("component_coefficients", "pcas", empty, r"figure_sets\.components"),
    ("thin_mass_components", "pcas", empty, "name some in `thin_samples`"),
    ("thin_mass_components", "pcas", ONE_COMPONENT, "`thin_low` has one"),
    ("principal_components", "pca", ONE_COMPONENT, "at least two components"),
    ("residual_slices", "model_fields", first_with(average=np.zeros((7, 7, 7))), r"shape \(7, 7"),
    ("residual_slices", "thickness", lambda _: 300.0, "does not fit in a box of 200 Mpc/h"),
    ("method_overview", "slab", first_with(f=np.empty(0)), "no particles"),
    ("model_comparison", "comparisons", empty, "at least one model"),
    ("model_comparison", "comparisons", lambda some: some[1:], "same boxes for all"),
    ("model_comparison", "comparisons", first_with(k=np.arange(1.0, 65)), "different `k`"),
    ("loss_comparison", "original", empty, "at least one smoothing set"),
    ("loss_comparison", "best", lambda some: some[::-1], "same sets and boxes"),
    ("loss_comparison", "best", first_with(n_modes=np.arange(64)), "boxes of one size"),
    ("transfer_comparison", "original", empty, "at least one ensemble"),
    ("transfer_comparison", "transferred", lambda some: some[::-1], "same sets and boxes"),
    ("one_point_comparison", "comparisons", no_halos, "hold no points"),
    ("multipole_comparison", "multipoles", empty, r"models \[\] on the boxes \[\]"),
    ("multipole_comparison", "multipoles", first_with(inputs="full"), "those of one model"),
    ("multipole_comparison", "multipoles", lambda some: [some[0]] * 2, "each box once"),
    ("multipole_comparison", "multipoles", first_with(k=np.arange(1.0, 65)), "different `k`"),
]


@pytest.mark.parametrize(("name", "argument", "change", "message"), MISTAKES)
def test_mistaken_inputs_are_explained(name, argument, change, message, toys):
    with pytest.raises(ValueError, match=message):
        toys.draw(name, {argument: change(toys.arguments(name).get(argument))})
