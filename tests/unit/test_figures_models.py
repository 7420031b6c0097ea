"""Figures of models beyond the paper: what is drawn, and from which boxes."""

import numpy as np
import pytest
import yaml

from lagbias.config.checks import BEYOND_FIGURES, available_figures
from lagbias.config.model import ConfigError, load
from lagbias.figures import common, curves, models, one_point_comparison
from lagbias.grids.bispectrum import equilateral


def test_lines_are_of_the_mean_spectra_and_bands_of_the_boxes(toys):
    boxes = [toys.comparison(target_box=box, n_bins=6) for box in ("box8", "box9")]
    curve = models.box_curve(boxes, lambda p: p.cross / p.halo, k_max=0.1)
    below = boxes[0].k <= 0.1  # where no bins are merged
    np.testing.assert_allclose(curve.k, boxes[0].k[below], rtol=1e-12)
    each = [box.cross_ratio[below] for box in boxes]
    expected = sum(b.cross_power for b in boxes) / sum(b.halo_power for b in boxes)
    np.testing.assert_allclose(curve.line, expected[below], rtol=1e-12)
    np.testing.assert_allclose(curve.low, np.min(each, axis=0), rtol=1e-12)
    np.testing.assert_allclose(curve.high, np.max(each, axis=0), rtol=1e-12)


def test_four_panels_have_a_line_for_each_model(figures, toys):
    made = toys.comparisons()[0]["comparisons"][:2]
    shot_noise = made[0].shot_noise
    expected = [
        sum(getattr(box, name) * scale for box in made) / sum(box.halo_power for box in made)
        for name, scale in (("model_power", 1), ("cross_power", 1))
    ]
    expected.append(np.mean([box.error_power for box in made], axis=0) / shot_noise)
    for axes, values in zip(figures("model_comparison").axes[:3], expected, strict=True):
        lines = toys.data_lines(axes)
        assert len(lines) == len(toys.MODELS)
        np.testing.assert_allclose(lines[0].get_ydata()[:3], values[:3], rtol=1e-12)


@pytest.mark.parametrize(
    "name", ["model_comparison", "one_point_comparison", "bispectrum_comparison"]
)
def test_models_look_different_and_the_same_in_each_figure(name, toys):
    found = models.by_model(toys.comparisons()[0]["comparisons"])
    looks = models.model_looks(found, toys.SETS)
    assert len(set(looks)) == len(looks)
    # without colours, only networks of several radii share their dashes
    dashes = [look.dashes for look in looks]
    assert dashes[0] == dashes[1] == "solid" and len(set(dashes)) == len(dashes) - 1
    labels = models.model_labels(found)
    assert labels[:3] == [
        r"networks as in the paper, $3\,R_f$",
        r"networks, joint, $3\,R_f$",
        r"networks, joint, $1\,R_f$",
    ]
    assert labels[3] == "polynomial bias"
    texts = [text.get_text() for text in toys.draw(name).legends[0].texts]
    assert texts == (["halos"] if name == "one_point_comparison" else []) + labels


def test_losses_are_compared_by_mean_spectra(figures, toys):
    panels = figures("loss_comparison").axes
    assert len(panels) == len(toys.SETS)
    for axes, name in zip(panels, toys.SETS, strict=True):
        lines = toys.data_lines(axes)
        assert [line.get_color() for line in lines] == [common.BLACK, common.VERMILION]
        for line, inputs in zip(lines, ("full", "joint"), strict=True):
            boxes = [toys.spectra(name, "box0", box, inputs) for box in ("box8", "box9")]
            expected = curves.ratio_curve(models.mean_of_boxes(boxes)).line
            np.testing.assert_array_equal(line.get_ydata(), expected)
            halo = sum(box.halo_power for box in boxes)
            mean = sum(box.average_model_power for box in boxes) / halo
            np.testing.assert_allclose(expected[:3], mean[:3], rtol=1e-12)


def test_ensembles_have_a_panel_each_with_and_without_transfer_functions(figures, toys):
    panels = figures("transfer_comparison").axes
    titles = [axes.get_title() for axes in panels]
    assert [title.split("\n")[0] for title in titles] == [
        "networks as in the paper",
        "networks, joint",
    ]
    for axes, (inputs, name) in zip(panels, (("full", "1Rf"), ("joint", "3Rf")), strict=True):
        for line, suffix in zip(toys.data_lines(axes), ("", "_transfer"), strict=True):
            boxes = [toys.spectra(name, "box0", box, inputs + suffix) for box in ("box8", "box9")]
            expected = curves.ratio_curve(models.mean_of_boxes(boxes)).line
            np.testing.assert_array_equal(line.get_ydata(), expected)


def test_sparse_bins_of_densities_are_merged(figures, toys):
    made = toys.comparisons()[0]["comparisons"][:2]
    top, _, bottom, _ = figures("one_point_comparison").axes
    width = toys.DELTA_EDGES[1] - toys.DELTA_EDGES[0]
    means = [
        np.mean([getattr(box, name)[0] for box in made], axis=0)
        for name in ("halo_density", "model_density")
    ]
    halos, model = toys.data_lines(top)[:2]
    delta = halos.get_xdata()
    centres = 0.5 * (toys.DELTA_EDGES[1:] + toys.DELTA_EDGES[:-1])
    dense = means[0] * width >= 1e-3
    dense &= centres > -0.8  # apart from the lowest bins, which are merged too
    for line, mean in zip((halos, model), means, strict=True):
        found = np.interp(centres[dense], delta, line.get_ydata())
        np.testing.assert_allclose(found, mean[dense], rtol=1e-9)
    assert delta.max() > centres[dense].max() + 1 and np.diff(delta)[-1] > 2 * width
    ratio = toys.data_lines(bottom)[0].get_ydata()
    np.testing.assert_allclose(ratio, model.get_ydata() / halos.get_ydata())


def test_merged_bins_hold_enough_points():
    shares = np.array([0.0, 0.0, 4e-4, 7e-4, 0.5, 2e-4, 9e-4, 1e-4])
    edges = one_point_comparison._merge(shares)
    np.testing.assert_array_equal(edges, [2, 4, 5, 7])
    np.testing.assert_allclose(one_point_comparison._sum(shares, edges), [1.1e-3, 0.5, 1.1e-3])


def test_bispectra_are_of_equilateral_and_squeezed_triangles(figures, toys):
    made = toys.comparisons()[0]["comparisons"][:2]
    top, top_right, bottom, _ = figures("bispectrum_comparison").axes
    chosen = equilateral(made[0].triangles)
    (halos,) = toys.data_lines(top)
    np.testing.assert_allclose(halos.get_xdata(), made[0].shell_k)
    model, halo = (
        sum(getattr(box, f"{name}_bispectrum") for box in made)[chosen]
        for name in ("model", "halo")
    )
    np.testing.assert_allclose(toys.data_lines(bottom)[0].get_ydata(), model / halo)
    power = made[0].halo_shell_power  # the same on both boxes
    np.testing.assert_allclose(halos.get_ydata(), halo / 2 / (3 * power**2))
    assert toys.data_lines(top_right)[0].get_xdata().min() >= 4 * made[0].shell_k[0]


def test_multipoles_are_of_the_mean_and_of_each_box(figures, toys):
    made = [toys.multipoles(box) for box in ("box8", "box9")]
    shown = made[0].k <= 0.4
    halo, model = (
        np.array([getattr(box, f"{name}_power")[:, shown] for box in made])
        for name in ("halo", "model")
    )
    powers, ratios = (toys.data_lines(axes) for axes in figures("multipole_comparison").axes)
    for ell, row in ((0, 0), (2, 1)):
        expected = made[0].k[shown] * halo[:, row].mean(axis=0)
        np.testing.assert_allclose(powers[2 * row].get_ydata(), expected, rtol=1e-12)
        expected = made[0].k[shown] * model[:, row].mean(axis=0)
        np.testing.assert_allclose(powers[2 * row + 1].get_ydata(), expected, rtol=1e-12)
        assert [line.get_label() for line in powers[2 * row : 2 * row + 2]] == [
            rf"$P_{ell}$, halos",
            rf"$P_{ell}$, networks, joint",
        ]
        *each, mean = ratios[3 * row : 3 * row + 3]
        for line, h, m in zip(each, halo[:, row], model[:, row], strict=True):
            np.testing.assert_allclose(line.get_ydata(), m / h, rtol=1e-12)
            assert line.get_linewidth() < mean.get_linewidth()
        expected = model[:, row].sum(axis=0) / halo[:, row].sum(axis=0)
        np.testing.assert_allclose(mean.get_ydata(), expected, rtol=1e-12)
    assert (len(powers), len(ratios)) == (4, 6)


@pytest.mark.parametrize("name", BEYOND_FIGURES)
def test_figures_of_models_need_the_comparison(name, repository):
    assert name in available_figures()
    raw, beyond = (
        yaml.safe_load((repository / f"config/{file}.yaml").read_text("utf-8"))
        for file in ("config", "beyond")
    )
    raw["figures"] = [name]
    with pytest.raises(ConfigError, match=rf"figures names {name}, .* Add config/beyond\.yaml"):
        load(raw)
    raw["embedded"]["boxes"] |= beyond["embedded"]["boxes"]
    raw["halo_samples"] |= beyond["halo_samples"]
    assert load(raw | {"beyond": beyond["beyond"]}).figures == [name]
