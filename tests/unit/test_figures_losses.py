"""Loss histories, and the figures of retraining and of validation losses."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from lagbias.artefacts import store
from lagbias.figures import (
    common,
    curves,
    histories,
    loss_panels,
    power_ratio_retrained,
    validation_loss_retrained,
    validation_loss_smoothing_sets,
)

SMOOTHING_SETS = {
    "3Rf": [1.41, 2.83, 5.66],
    "3Rf_coarse": [1.0, 2.83, 8.0],
    "3Rf+11.3": [1.41, 2.83, 5.66, 11.3],
    "3Rf_fine": [2.0, 2.83, 4.0],
    "5Rf_fine": [1.41, 2.0, 2.83, 4.0, 5.66],
}


def attributes(smoothing_set="3Rf", inputs="full"):
    return {
        "train_box": "box0",
        "sample": "threshold",
        "smoothing_set": smoothing_set,
        "inputs": inputs,
    }


def toy_spectra(smoothing_set="3Rf", inputs="full", *, n_seeds=3, n_bins=30, box_size=200.0):
    """Spectra whose ratio is a smooth curve, scaled a little by each network."""
    k = np.arange(1, n_bins + 1) * 2 * np.pi / box_size
    halo = 3e4 / (1 + (k / 0.05) ** 1.4) + 800.0
    level = 0.9 + 0.01 * len(smoothing_set) + 0.02 * (inputs != "full")
    average = level * (1 + 0.1 * k) * halo
    nets = average * (1 + 0.01 * np.linspace(-1, 1, n_seeds))[:, None]
    return curves.Spectra(
        k=k,
        n_modes=np.round(2 * np.pi * np.arange(1, n_bins + 1) ** 2),
        halo_power=halo,
        model_power=nets,
        cross_power=0.98 * np.sqrt(nets * halo),
        average_model_power=average,
        average_cross_power=0.98 * np.sqrt(average * halo),
        seeds=np.arange(n_seeds),
        attributes={**attributes(smoothing_set, inputs), "target_box": "box1"},
    )


def toy_histories(smoothing_set="3Rf", inputs="full", *, n_seeds=3, n_epochs=10):
    """Losses that fall steeply and then level off, each network at a slightly other value."""
    epochs = np.arange(1, n_epochs + 1)
    level = 2.5 + 0.01 * len(smoothing_set) + 0.03 * np.linspace(-1, 1, n_seeds)
    losses = level[:, None] + 5.0 * np.exp(-epochs / (0.1 * n_epochs))
    return histories.LossHistories(epochs, 0.9 * losses, losses, attributes(smoothing_set, inputs))


def toy_figures(**options):
    """Draw the three figures."""
    sets, retrained = list(SMOOTHING_SETS), ["3Rf", "3Rf_fine", "5Rf_fine", "3Rf+11.3"]
    both = [("5Rf_fine", "full"), ("5Rf_fine", "pc2")]
    epochs = {"n_epochs": options.pop("n_epochs", 10)}
    seeds = {"n_seeds": options.get("n_seeds", 3)}
    return {
        "power_ratio_retrained": power_ratio_retrained.draw(
            [toy_spectra(name, **options) for name in retrained],
            [toy_spectra(name, "pc2", **options) for name in retrained],
            smoothing_sets=SMOOTHING_SETS,
        ),
        "validation_loss_smoothing_sets": validation_loss_smoothing_sets.draw(
            [toy_histories(name, **seeds, **epochs) for name in sets],
            [toy_spectra(name, **options) for name in sets],
            smoothing_sets=SMOOTHING_SETS,
        ),
        "validation_loss_retrained": validation_loss_retrained.draw(
            [toy_histories(*each, **seeds, **epochs) for each in both],
            [toy_spectra(*each, **options) for each in both],
            smoothing_sets=SMOOTHING_SETS,
        ),
    }


@pytest.fixture(scope="module")
def figures():
    return toy_figures()


def power_axes(figure):
    return [axes for axes in figure.axes if axes.get_xscale() == "log"]


def data_lines(axes):
    return [line for line in axes.lines if len(line.get_xdata()) > 2]


def write_network(path, losses, *, validation=None, **changes):
    """Write a network artefact with a loss history only."""
    losses = np.asarray(losses, dtype=float)
    validation = losses + 1 if validation is None else np.asarray(validation, dtype=float)
    datasets = {
        "history.loss_per_cell": store.Dataset(losses, "1", ("epoch",)),
        "history.validation_loss_per_cell": store.Dataset(validation, "1", ("epoch",)),
    }
    store.write(path, "network", datasets, attributes={**attributes(), **changes})
    return path


def test_legends_stay_outside_the_panels(figures):
    for figure in figures.values():
        with common.style():
            FigureCanvasAgg(figure).draw()
        (legend,) = figure.legends
        box = legend.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1
        assert not any(box.overlaps(axes.get_tightbbox()) for axes in figure.axes)


def test_all_power_ratios_lie_inside_the_axes(figures):
    for figure in figures.values():
        for axes in power_axes(figure):
            points = [line.get_xydata() for line in data_lines(axes)]
            points += [path.vertices for band in axes.collections for path in band.get_paths()]
            shown = axes.transLimits.transform(axes.transScale.transform(np.concatenate(points)))
            assert shown.min() > -1e-9 and shown.max() < 1 + 1e-9


def test_retrained_panels_compare_two_ensembles_on_common_scales(figures):
    panels = figures["power_ratio_retrained"].axes
    assert len(panels) == 4
    assert {panel.get_ylim() for panel in panels} == {panels[0].get_ylim()}
    for panel in panels:
        assert [line.get_color() for line in data_lines(panel)] == [common.BLACK, common.VERMILION]
    assert panels[2].get_title() == common.set_label("5Rf_fine", SMOOTHING_SETS)
    original, retrained = (line.get_ydata()[0] for line in data_lines(panels[0]))
    assert retrained - original == pytest.approx(0.02, rel=0.01)


@pytest.mark.parametrize("count", range(1, 7))
def test_any_number_of_retrained_sets_is_labelled(count):
    names = [*SMOOTHING_SETS, "mine"][:count]
    figure = power_ratio_retrained.draw(
        [toy_spectra(name) for name in names],
        [toy_spectra(name, "pc2") for name in names],
        smoothing_sets=SMOOTHING_SETS,
    )
    with common.style():
        FigureCanvasAgg(figure).draw()
    assert len(figure.axes) == count
    assert figure.axes[0].get_ylabel() and figure.axes[-1].get_xlabel() == common.K_LABEL
    columns = {round(axes.get_position().x0, 3) for axes in figure.axes}
    lowest = figure.axes[-len(columns) :]
    assert all(any(t.get_visible() for t in axes.get_xticklabels()) for axes in lowest)
    titles = [axes.title.get_window_extent() for axes in figure.axes]
    assert not any(a.overlaps(b) for i, a in enumerate(titles) for b in titles[i + 1 :])


def test_loss_and_power_of_a_set_look_alike(figures):
    left, right = figures["validation_loss_smoothing_sets"].axes
    names = list(SMOOTHING_SETS)
    expected = [common.set_style(name, names).colour for name in names]
    assert [line.get_color() for line in data_lines(right)] == expected
    means = [line for line in data_lines(left) if line.get_alpha() is None]
    assert [line.get_color() for line in means] == expected
    for line, name in zip(means, names, strict=True):
        np.testing.assert_allclose(
            line.get_ydata(), toy_histories(name).validation.mean(axis=0), rtol=1e-14
        )


def test_bands_of_losses_are_the_range_of_the_networks(figures):
    left = figures["validation_loss_retrained"].axes[0]
    losses = toy_histories("5Rf_fine").validation
    vertices = left.collections[0].get_paths()[0].vertices
    for epoch, of_networks in enumerate(losses.T, start=1):
        at_epoch = vertices[vertices[:, 0] == epoch, 1]
        assert at_epoch.min() == of_networks.min() and at_epoch.max() == of_networks.max()


def test_late_losses_are_shown_and_the_steep_start_is_not(figures):
    left = figures["validation_loss_smoothing_sets"].axes[0]
    low, high = left.get_ylim()
    for name in SMOOTHING_SETS:
        losses = toy_histories(name).validation
        assert low < losses[:, 5:].min() and losses[:, 5:].max() < high
        assert losses[:, 3:].mean(axis=0).max() < high < losses[:, 0].min()


def test_one_slow_network_does_not_widen_the_range():
    history = toy_histories(n_seeds=2, n_epochs=10)
    slow = history.validation.copy()
    slow[1, :4] = 50.0
    late = histories.LossHistories(history.epochs, slow, slow, history.attributes)
    means, second_half = slow[:, 3:].mean(axis=0), slow[:, 5:]
    expected = min(means.min(), second_half.min()), max(means.max(), second_half.max())
    assert loss_panels.loss_range([late]) == expected
    assert expected[1] < 50.0


@pytest.mark.parametrize("n_epochs", [1, 3, 10, 50, 200])
def test_epochs_are_whole_numbers_from_one_on(n_epochs):
    figure = toy_figures(n_epochs=n_epochs, n_seeds=2)["validation_loss_retrained"]
    left = figure.axes[0]
    low, high = left.get_xlim()
    assert 0 < low < 1 and n_epochs < high < n_epochs + 1
    for minor in (False, True):
        ticks = [tick for tick in left.get_xticks(minor=minor) if low <= tick <= high]
        np.testing.assert_array_equal(ticks, np.round(ticks))
    assert 0 < len([tick for tick in left.get_xticks() if low <= tick <= high]) <= 8


def test_small_configurations_draw(tmp_path):
    for name, figure in toy_figures(n_epochs=1, n_seeds=1, n_bins=8, box_size=40.0).items():
        assert all(file.stat().st_size > 0 for file in common.save(figure, tmp_path / name))


def test_a_single_epoch_is_a_point():
    figure = toy_figures(n_epochs=1)["validation_loss_retrained"]
    assert [line.get_marker() for line in figure.axes[0].lines] == ["o", "o"]


def test_histories_are_read_in_the_order_of_the_files(tmp_path):
    paths = [
        write_network(tmp_path / f"{i}.h5", [3.0 + i, 2.0], validation=[5.0, 4.0 + i])
        for i in range(2)
    ]
    read = histories.load_histories(paths)
    np.testing.assert_array_equal(read.epochs, [1, 2])
    np.testing.assert_array_equal(read.training, [[3.0, 2.0], [4.0, 2.0]])
    np.testing.assert_array_equal(read.validation, [[5.0, 4.0], [5.0, 5.0]])
    assert read.attributes == attributes()


def test_networks_are_grouped_by_set_and_inputs(tmp_path):
    kinds = [("3Rf", "pc2"), ("3Rf", "full"), ("1Rf", "full")]
    paths = [
        write_network(tmp_path / f"{seed}{i}.h5", [seed, i], smoothing_set=name, inputs=inputs)
        for seed in (1, 2)
        for i, (name, inputs) in enumerate(kinds)
    ]
    groups = histories.load_all_histories(paths)
    found = [(group.attribute("smoothing_set"), group.attribute("inputs")) for group in groups]
    assert found == kinds
    for i, group in enumerate(groups):
        np.testing.assert_array_equal(group.training, [[1, i], [2, i]])


def test_networks_of_different_trainings_are_refused(tmp_path):
    first = write_network(tmp_path / "first.h5", [3, 2])
    longer = write_network(tmp_path / "longer.h5", [3, 2, 1])
    with pytest.raises(ValueError, match=r"trained for 3 epochs and .* for 2"):
        histories.load_histories([first, longer])
    for name in ("train_box", "sample", "smoothing_set", "inputs", "validation_box"):
        other = write_network(tmp_path / f"{name}.h5", [3, 2], **{name: "other"})
        with pytest.raises(ValueError, match=f"{name} = 'other'"):
            histories.load_histories([first, other])
    with pytest.raises(ValueError, match="train_box = 'other'"):
        histories.load_all_histories([first, tmp_path / "train_box.h5"])
    with pytest.raises(ValueError, match="no file was given"):
        histories.load_histories([])


def test_histories_that_do_not_fit_are_refused():
    epochs, losses = np.arange(1, 4), np.ones((2, 3))
    with pytest.raises(ValueError, match=r"\(2, 3\) \(training\) and \(2, 2\)"):
        histories.LossHistories(epochs, losses, losses[:, :2], attributes())
    with pytest.raises(ValueError, match="4 epochs given"):
        histories.LossHistories(np.arange(4), losses, losses, attributes())
    with pytest.raises(ValueError, match=r"attribute\(s\) smoothing_set, inputs are missing"):
        histories.LossHistories(epochs, losses, losses, {"train_box": "a", "sample": "b"})


def test_mistaken_inputs_are_explained():
    full, retrained = toy_spectra(), toy_spectra(inputs="pc2")
    with pytest.raises(ValueError, match="at least one smoothing set"):
        power_ratio_retrained.draw([], [])
    with pytest.raises(ValueError, match="same sets and boxes"):
        power_ratio_retrained.draw([full], [toy_spectra("3Rf_fine", "pc2")])
    with pytest.raises(ValueError, match="of the same ensembles"):
        validation_loss_smoothing_sets.draw([toy_histories("3Rf_fine")], [full])
    with pytest.raises(ValueError, match="of the same ensembles"):
        validation_loss_smoothing_sets.draw([], [])
    with pytest.raises(ValueError, match="two ensembles of one smoothing set"):
        validation_loss_retrained.draw([toy_histories()], [full])
    swapped = [toy_histories(inputs="pc2"), toy_histories()]
    with pytest.raises(ValueError, match="in the same order"):
        validation_loss_retrained.draw(swapped, [full, retrained])
    history = toy_histories()
    unknown = np.full_like(history.validation, np.nan)
    unmeasured = histories.LossHistories(history.epochs, unknown, unknown, history.attributes)
    with pytest.raises(ValueError, match="not a finite number"):
        validation_loss_smoothing_sets.draw([unmeasured], [full])
