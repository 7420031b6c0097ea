"""Least squares against networks: what is drawn, where, and what is refused."""

import dataclasses

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from lagbias.figures import common
from lagbias.figures.curves import Spectra
from lagbias.figures.least_squares_comparison import BinnedF, draw

WIDTHS = np.array([0.05, 0.3, 0.3, 0.3, 0.05])  # of the percentile bins


def toy_binned_f(n_tables=5, noise=0.0, *, seed=0, bins=32):
    """Make f that rises with δ, later for larger ∇²δ, in equal bins of a normal δ."""
    rng = np.random.default_rng(seed)
    edges = np.linspace(-3.5, 3.7, bins + 1)
    delta = 0.5 * (edges[1:] + edges[:-1])
    density = np.exp(-0.5 * delta**2)
    share = density[:, None] / density.sum() * WIDTHS
    lap_delta = -0.7 * delta[:, None] + np.array([-3, -1.1, -0.3, 0.3, 1.1, 3])
    threshold = np.array([-0.8, 0.0, 0.4, 0.9, 1.7])
    f = 3.0 * np.maximum(delta[:, None] - threshold, 0.0) ** 1.2
    scatter = noise * rng.normal(size=(n_tables, *share.shape)) / np.sqrt(1e4 * share)
    return BinnedF(edges, lap_delta, np.maximum(f * (1 + scatter), 0.0), share)


def toy_spectra(target_box="box1", *, scatter=0.01, seed=0):
    """Return power of both fields in 32 bins, low at small k."""
    rng = np.random.default_rng(seed)
    k = 2 * np.pi / 200.0 * np.arange(1, 33)
    halo = 3e4 / (1 + (k / 0.05) ** 1.4) + 800.0
    ratio = 1 - 0.06 / (1 + (k / 0.15) ** 2) + 0.02 * rng.normal(size=k.size) / (1 + 9 * k)
    nets = ratio * (1 + scatter * rng.normal(size=(5, 1)))
    return Spectra(
        k=k,
        n_modes=np.arange(1, 33) ** 2,
        halo_power=halo,
        model_power=nets * halo,
        cross_power=0.98 * nets * halo,
        average_model_power=nets.mean(axis=0) * halo,
        average_cross_power=0.98 * ratio * halo,
        seeds=np.arange(5),
        attributes={"train_box": "box0", "target_box": target_box, "smoothing_set": "1Rf"},
    )


def toy_figure(n_tables=5, **options):
    """Draw noisy least squares and smooth networks."""
    least_squares = toy_binned_f(n_tables, 1.0)
    networks = toy_binned_f(n_tables, 0.05, seed=1)
    spectra = toy_spectra(scatter=0.002, seed=2), toy_spectra(seed=3)
    return draw(least_squares, networks, *spectra, **options)


def finished(figure):
    """Lay the figure out, so that positions in it are known."""
    with common.style():
        FigureCanvasAgg(figure).draw()
    return figure


def drawn_points(axes):
    """Return the display coordinates of all line and band vertices of the data."""
    lines = [line.get_xydata() for line in axes.lines if len(line.get_xdata()) > 2]
    bands = [path.vertices for band in axes.collections for path in band.get_paths()]
    return axes.transData.transform(np.concatenate([*lines, *bands]))


@pytest.fixture(scope="module")
def figure():
    return finished(toy_figure())


def test_legends_lie_inside_their_panels_and_cover_no_data(figure):
    for axes in figure.axes:
        box = axes.get_legend().get_window_extent()
        assert not any(box.contains(x, y) for x, y in drawn_points(axes))
        assert axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1 and axes.bbox.y0 <= box.y0


def test_a_legend_stays_clear_of_large_f_at_low_density():
    """Where f falls with δ, most of it lies where the legend is."""
    flipped = toy_binned_f(5, 0.0)
    flipped = dataclasses.replace(flipped, f=flipped.f[:, ::-1])
    axes = finished(draw(flipped, flipped, toy_spectra(), toy_spectra())).axes[0]
    box = axes.get_legend().get_window_extent()
    assert not any(box.contains(x, y) for x, y in drawn_points(axes))


def test_all_data_lie_inside_the_axes(figure):
    for axes in figure.axes:
        points = axes.transAxes.inverted().transform(drawn_points(axes))
        assert points.min() > -1e-9 and points.max() < 1 + 1e-9


def test_a_pair_of_lines_for_each_bin_of_lap_delta(figure):
    left, right = figure.axes
    styles = [line.get_linestyle() for line in left.lines]
    colours = [to_hex(line.get_color()) for line in left.lines]
    assert styles == ["-", "--"] * 5 and len(left.collections) == 5
    assert colours[0::2] == colours[1::2] and len(set(colours)) == 5
    assert colours[0] == common.BLUE.lower() and colours[-1] == common.VERMILION.lower()
    assert [text.get_text() for text in left.get_legend().texts] == [
        "least squares",
        "networks",
        r"$\nabla^2\delta$ percentile:",
        "0–5",
        "5–35",
        "35–65",
        "65–95",
        "95–100",
    ]
    data = [line for line in right.lines if len(line.get_xdata()) > 2]
    assert [line.get_linestyle() for line in data] == ["-", "--"]
    assert [line.get_color() for line in data] == [common.BLUE, common.VERMILION]


def test_lines_are_averages_over_the_tables_in_populated_bins():
    least_squares, networks = toy_binned_f(3, 1.0), toy_binned_f(2, 0.1, seed=1)
    figure = draw(least_squares, networks, toy_spectra(), toy_spectra(), min_share=1e-3)
    for column in range(5):
        shown = least_squares.share[:, column] >= 1e-3
        assert 0 < shown.sum() < len(shown)
        for entry, line in zip(
            (least_squares, networks), figure.axes[0].lines[2 * column :], strict=False
        ):
            expected = entry.f[:, shown, column].mean(axis=0)
            np.testing.assert_allclose(line.get_ydata(), expected)


def test_points_are_at_the_mean_delta_of_their_bin():
    """That of a normal δ, which a wide bin in the tail shifts most."""
    edges = np.array([-5.0, -1.0, 0.0, 1.0, 5.0])
    delta = np.random.default_rng(0).normal(size=400_000)
    index = np.clip(np.searchsorted(edges, delta) - 1, 0, 3)
    share = np.bincount(index)[:, None] / delta.size
    made = BinnedF(edges, np.zeros((4, 2)), np.ones((1, 4, 1)), share)
    line = draw(made, made, toy_spectra(), toy_spectra()).axes[0].lines[0]
    measured = np.bincount(index, delta) / np.bincount(index)
    # four standard errors of a mean of 6e4 particles
    np.testing.assert_allclose(line.get_xdata(), measured, atol=4 / np.sqrt(6e4))


def test_one_noisy_bin_does_not_set_the_scale():
    noisy = toy_binned_f(5, 0.1)
    f = noisy.f.copy()
    f[0, 20, 2] += 100.0  # the average rises by 20, the band by 100
    axes = draw(dataclasses.replace(noisy, f=f), toy_binned_f(), toy_spectra(), toy_spectra()).axes[
        0
    ]
    assert 20.0 < axes.get_ylim()[1] < 50.0


def test_one_table_has_no_band(tmp_path):
    figure = toy_figure(n_tables=1)
    assert len(figure.axes[0].collections) == 0
    files = common.save(figure, tmp_path / "least_squares_comparison")
    assert all(file.stat().st_size > 0 for file in files)


def test_what_cannot_be_compared_is_refused():
    made, spectra = toy_binned_f(), toy_spectra()
    other = dataclasses.replace(made, delta_edges=made.delta_edges + 0.1)
    with pytest.raises(ValueError, match="differ in `delta_edges`"):
        draw(made, other, spectra, spectra)
    with pytest.raises(ValueError, match="of `box1` and `box2`"):
        draw(made, made, spectra, toy_spectra("box2"))
    with pytest.raises(ValueError, match=r"no bin holds 0\.5 of the particles"):
        draw(made, made, spectra, spectra, min_share=0.5)
    with pytest.raises(ValueError, match="BinnedF: the arrays have shapes"):
        dataclasses.replace(made, f=made.f[0])
    with pytest.raises(ValueError, match="BinnedF: the arrays have shapes"):
        dataclasses.replace(made, lap_delta_edges=made.lap_delta_edges[:, 1:])
