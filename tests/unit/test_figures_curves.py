"""Figures of power ratios, losses and f: what is drawn, and where."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from lagbias.bias.spectra import rebin
from lagbias.figures import common, curves, least_squares_comparison, loss_panels


@pytest.mark.parametrize(
    ("function", "formula"),
    [
        (curves.ratio_curve, lambda model, cross, halo: model / halo),
        (curves.residual_curve, lambda model, cross, halo: model / halo - (cross / halo) ** 2),
        (curves.decorrelation_curve, lambda model, cross, halo: 1 - cross / np.sqrt(model * halo)),
    ],
)
def test_curves_are_of_the_average_f_with_the_range_of_the_networks(function, formula, toys):
    spectra = toys.spectra(n_seeds=3)
    curve, merged = function(spectra, k_max=0.5), rebin(spectra)
    shown = merged.k <= 0.5
    halo = merged.halo_power[shown]
    line = formula(merged.average_model_power[shown], merged.average_cross_power[shown], halo)
    nets = formula(merged.model_power[:, shown], merged.cross_power[:, shown], halo)
    expected = (merged.k[shown], line, nets.min(axis=0), nets.max(axis=0))
    for found, values in zip((curve.k, curve.line, curve.low, curve.high), expected, strict=True):
        np.testing.assert_allclose(found, values, rtol=1e-10)


def test_boxes_have_a_line_for_each_spectrum_and_a_band_around_it(figures, toys):
    panels = figures("power_ratio_boxes").axes  # top left, top right, bottom left, bottom right
    assert [len(toys.data_lines(axes)) for axes in panels] == [2, 8, 2, 4]
    assert [len(axes.collections) for axes in panels] == [2, 8, 2, 4]


def test_a_box_has_one_colour_in_both_panels(figures):
    legends = [figures("power_ratio_boxes").axes[i].get_legend() for i in (1, 3)]
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


def test_every_smoothing_set_has_a_line_in_its_style_and_a_label(figures, toys):
    figure = figures("power_ratio_all_sets")
    functions = (curves.ratio_curve, curves.decorrelation_curve)
    for axes, function in zip(figure.axes, functions, strict=True):
        for line, name in zip(toys.data_lines(axes), toys.SETS, strict=True):
            np.testing.assert_array_equal(line.get_ydata(), function(toys.spectra(name)).line)
            assert line.get_color() == common.SET_STYLES[name].colour
    labels = [common.set_label(name, toys.SETS) for name in toys.SETS]
    assert [text.get_text() for text in figure.legends[0].texts] == labels


def test_coarse_and_fine_sets_share_their_scales(figures, toys):
    coarse, fine = figures("power_ratio_smoothing_sets").axes
    assert coarse.get_ylim() == fine.get_ylim() and coarse.get_xlim() == fine.get_xlim()
    for axes, sets in ((coarse, toys.COARSE), (fine, toys.FINE)):
        texts = [text.get_text() for text in axes.get_legend().texts]
        assert texts == [common.set_label(name, toys.SETS) for name in sets]


@pytest.mark.parametrize("count", [1, 4, 5])
def test_any_number_of_retrained_sets_is_compared_on_common_scales(count, toys):
    names = ["5Rf_fine", *toys.COARSE, "mine"][:count]
    panels = toys.draw("power_ratio_retrained", sets=names).axes
    assert [axes.get_title() for axes in panels] == [common.set_label(n, toys.SETS) for n in names]
    assert panels[0].get_ylabel() and panels[-1].get_xlabel() == curves.K_LABEL
    assert len({axes.get_ylim() for axes in panels}) == 1
    columns = {round(axes.get_position().x0, 3) for axes in panels}
    lowest = panels[-len(columns) :]
    assert all(any(t.get_visible() for t in axes.get_xticklabels()) for axes in lowest)
    for axes, name in zip(panels, names, strict=True):
        original, retrained = toys.data_lines(axes)
        assert (original.get_color(), retrained.get_color()) == (common.BLACK, common.VERMILION)
        expected = curves.ratio_curve(toys.spectra(name, inputs="pc2")).line
        np.testing.assert_array_equal(retrained.get_ydata(), expected)


def validation_losses(toys, *ensemble, **options):
    """Return the losses of the toy networks of an ensemble, shape (networks, epochs)."""
    return np.stack([network.validation_losses for network in toys.ensemble(*ensemble, **options)])


def test_loss_and_power_of_a_set_look_alike(figures, toys):
    left, right = figures("validation_loss_smoothing_sets").axes
    names = (*toys.COARSE, *toys.FINE)
    expected = [common.SET_STYLES[name].colour for name in names]
    assert [line.get_color() for line in toys.data_lines(right)] == expected
    means = [line for line in left.lines if line.get_alpha() is None]
    assert [line.get_color() for line in means] == expected
    for line, name in zip(means, names, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, 11))
        mean = validation_losses(toys, name).mean(axis=0)
        np.testing.assert_allclose(line.get_ydata(), mean, rtol=1e-14)


def test_bands_of_losses_are_the_range_of_the_networks(figures, toys):
    left = figures("validation_loss_retrained").axes[0]
    for band, inputs in zip(left.collections, ("full", "pc2"), strict=True):
        vertices = band.get_paths()[0].vertices
        for epoch, losses in enumerate(validation_losses(toys, "5Rf_fine", inputs).T, start=1):
            at_epoch = vertices[vertices[:, 0] == epoch, 1]
            assert at_epoch.min() == losses.min() and at_epoch.max() == losses.max()


def test_late_losses_are_shown_and_the_steep_start_is_not(figures, toys):
    low, high = figures("validation_loss_smoothing_sets").axes[0].get_ylim()
    for name in (*toys.COARSE, *toys.FINE):
        losses = validation_losses(toys, name)
        assert low < losses[:, 5:].min() and losses[:, 5:].max() < high
        assert losses[:, 3:].mean(axis=0).max() < high < losses[:, 0].min()


def test_one_slow_network_does_not_widen_the_range(toys):
    slow = validation_losses(toys, n_seeds=2)
    slow[1, :4] = 50.0
    means, second_half = slow[:, 3:].mean(axis=0), slow[:, 5:]
    expected = min(means.min(), second_half.min()), max(means.max(), second_half.max())
    assert loss_panels.loss_range([slow]) == expected
    assert expected[1] < 50.0
    with pytest.raises(ValueError, match="not finite"):
        loss_panels.loss_range([slow * np.nan])


def test_epochs_without_a_measurement_are_left_out(toys):
    losses = validation_losses(toys, n_seeds=2)
    sparse = losses.copy()
    sparse[:, ::2] = np.nan  # of ten epochs the second, fourth, ... are measured
    filled = np.where(np.isnan(sparse), losses[:, -1:], losses)
    assert loss_panels.loss_range([sparse]) == loss_panels.loss_range([filled])
    axes = Figure().subplots()
    loss_panels._plot_loss(axes, sparse, common.SET_STYLES["3Rf"], faint=False)
    (line,) = axes.lines
    np.testing.assert_array_equal(line.get_xdata(), [2, 4, 6, 8, 10])
    np.testing.assert_array_equal(line.get_ydata(), losses[:, 1::2].mean(axis=0))
    assert line.get_marker() == "o"


@pytest.mark.parametrize("n_epochs", [1, 3, 200])
def test_epochs_are_whole_numbers_from_one_on(n_epochs, toys):
    left = toys.draw("validation_loss_retrained", n_epochs=n_epochs, n_seeds=2).axes[0]
    low, high = left.get_xlim()
    assert 0 < low < 1 and n_epochs < high < n_epochs + 1
    for minor in (False, True):
        ticks = [tick for tick in left.get_xticks(minor=minor) if low <= tick <= high]
        np.testing.assert_array_equal(ticks, np.round(ticks))
    assert 0 < len([tick for tick in left.get_xticks() if low <= tick <= high]) <= 8
    assert {line.get_marker() for line in left.lines} == {"o" if n_epochs == 1 else "None"}


def test_networks_are_grouped_by_set_and_inputs(toys):
    kinds = [("3Rf", "pc2"), ("3Rf", "full"), ("1Rf", "full")]
    networks = [toys.network(*kind, seed=seed) for seed in (1, 2) for kind in kinds]
    groups = loss_panels.group(networks)
    found = [[(each.smoothing_set, each.inputs, each.seed) for each in some] for some in groups]
    assert found == [[(*kind, 1), (*kind, 2)] for kind in kinds]


@pytest.mark.parametrize(
    "change",
    [{"train_box": "box9"}, {"sample": "other"}, {"validation_box": "box9"}, {"n_epochs": 3}],
)
def test_mixed_ensembles_are_refused(change, toys):
    with pytest.raises(ValueError, match=r"differ in train_box, .* or epochs"):
        loss_panels.group([toys.network(), toys.network(seed=1, **change)])


def test_f_has_a_pair_of_lines_for_each_bin_of_lap_delta(figures, toys):
    left, right = figures("least_squares_comparison").axes
    styles = [line.get_linestyle() for line in left.lines]
    colours = [to_hex(line.get_color()) for line in left.lines]
    assert styles == ["-", "--"] * 5 and len(left.collections) == 5
    assert colours[0::2] == colours[1::2] and len(set(colours)) == 5
    assert colours[0] == common.BLUE.lower() and colours[-1] == common.VERMILION.lower()
    texts = [text.get_text() for text in left.get_legend().texts]
    assert texts[:3] == ["least squares", "networks", r"$\nabla^2\delta$ percentile:"]
    assert texts[3:] == ["0–5", "5–35", "35–65", "65–95", "95–100"]
    ratios = toys.data_lines(right)
    assert [line.get_linestyle() for line in ratios] == ["-", "--"]
    assert [line.get_color() for line in ratios] == [common.BLUE, common.VERMILION]
    for line, inputs in zip(ratios, ("least_squares", "density"), strict=True):
        expected = curves.ratio_curve(toys.spectra("1Rf", inputs=inputs)).line
        np.testing.assert_array_equal(line.get_ydata(), expected)


def test_f_is_averaged_over_the_tables_in_populated_bins(toys):
    made = toys.arguments("least_squares_comparison", n_tables=3)
    tables = made["least_squares"], made["networks"]
    figure = least_squares_comparison.draw(**made, min_share=1e-3)
    for column in range(5):
        shown = tables[0].share[:, column] >= 1e-3
        assert 0 < shown.sum() < len(shown)
        lines = figure.axes[0].lines[2 * column : 2 * column + 2]
        for table, line in zip(tables, lines, strict=True):
            np.testing.assert_allclose(line.get_ydata(), table.f[:, shown, column].mean(axis=0))


def test_points_are_at_the_mean_delta_of_their_bin(toys):
    """That of a normal δ, which a wide bin in the tail shifts most."""
    edges = np.array([-5.0, -1.0, 0.0, 1.0, 5.0])
    delta = np.random.default_rng(0).normal(size=400_000)
    index = np.clip(np.searchsorted(edges, delta) - 1, 0, 3)
    made = replace(
        toys.binned_f(n_tables=1),
        delta_edges=edges,
        lap_delta_edges=np.array([[0.0, 1.0, 2.0]] * 4),
        f=np.ones((1, 4, 2)),
        share=np.bincount(index)[:, None] / delta.size * [0.5, 0.5],
    )
    figure = toys.draw("least_squares_comparison", {"least_squares": made, "networks": made})
    measured = np.bincount(index, delta) / np.bincount(index)
    # four standard errors of a mean of 6e4 particles
    x = figure.axes[0].lines[0].get_xdata()
    np.testing.assert_allclose(x, measured, atol=4 / np.sqrt(6e4))


def test_one_noisy_bin_does_not_set_the_scale_of_f(toys):
    made = toys.binned_f()
    f = made.f.copy()
    f[0, 20, 2] += 100.0  # the average rises by 20, the band by 100
    changes = {"least_squares": replace(made, f=f), "networks": made}
    axes = toys.draw("least_squares_comparison", changes).axes[0]
    assert 20.0 < axes.get_ylim()[1] < 50.0


def test_the_legend_of_f_stays_clear_of_large_f_at_low_density(toys):
    made = toys.binned_f()
    falling = replace(made, f=made.f[:, ::-1])
    changes = {"least_squares": falling, "networks": falling}
    axes = toys.draw("least_squares_comparison", changes).axes[0]
    box = axes.get_legend().get_window_extent()
    assert not any(box.contains(x, y) for x, y in toys.drawn_points(axes))
