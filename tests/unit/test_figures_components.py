"""Figures of the gradient's components: toy samples in, complete pictures out."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection, QuadMesh

from lagbias.bias.components import ComponentSample, GradientPCA
from lagbias.figures import (
    common,
    component_coefficients,
    component_panels,
    principal_components,
    thin_mass_components,
)

RADII = {"1Rf": [2.83], "3Rf": [1.41, 2.83, 5.66], "5Rf_fine": [1.41, 2.0, 2.83, 4.0, 5.66]}
PEAKS = {"thin_low": 0.5, "thin_high": 1.5}
LABELS = {"thin_low": "20–63 particles", "thin_high": "126–632 particles"}
#: A bin's width and the scatter of a mean over it, in standard deviations of PC0.
PEAK_ERROR = 0.2


def rising_sample(count=20_000, n_components=4):
    """Return particles whose f vanishes at low PC0 and rises, and depends a little on PC1."""
    components = np.random.default_rng(0).normal(size=(count, n_components))
    f = 3.0 * np.logaddexp(0, 3 * components[:, 0] - 2) * np.exp(0.1 * components[:, -1])
    return ComponentSample(components.astype(np.float32), f.astype(np.float32))


def peaked_sample(peak, count=20_000):
    """Return particles whose f rises and falls with PC0, tilted in the plane with PC1."""
    components = np.random.default_rng(1).normal(size=(count, 4))
    f = 8.0 * np.exp(-2 * (components[:, 0] + 0.3 * components[:, 1] - peak) ** 2)
    return ComponentSample(components.astype(np.float32), f.astype(np.float32))


def toy_pca(name):
    n = len(RADII[name])
    matrix = np.random.default_rng(n).normal(size=(2 * n + 1, 3 * n))
    ones = np.ones(2 * n + 1)
    return GradientPCA(np.array(RADII[name]), ones, np.eye(2 * n + 1), matrix, ones)


def toy_figures():
    """Draw all figures of this module from toy samples."""
    return {
        "principal_components": principal_components.draw(rising_sample(), label="$3\\,R_f$"),
        "component_coefficients": component_coefficients.draw({n: toy_pca(n) for n in RADII}),
        "thin_mass_components": thin_mass_components.draw(
            {name: peaked_sample(peak) for name, peak in PEAKS.items()}, LABELS
        ),
    }


@pytest.fixture(scope="module")
def figures():
    return toy_figures()


def panels_with(figure, kind):
    """Return the axes that hold a collection of a kind."""
    found = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    return [axes for axes in found if any(isinstance(c, kind) for c in axes.collections)]


def bars(figure):
    return [axes for axes in figure.axes if axes.get_label() == "<colorbar>"]


def bar_labels(figure):
    return [axes.get_xlabel() or axes.get_ylabel() for axes in bars(figure)]


def test_three_planes_and_three_scatters(figures):
    figure = figures["principal_components"]
    planes, scatters = panels_with(figure, QuadMesh), panels_with(figure, PathCollection)
    assert [axes.get_ylabel() for axes in planes] == ["PC1", "PC2", "PC3"]
    assert [axes.get_xlabel() for axes in scatters] == ["PC0"] * 3
    assert scatters[0].get_ylabel() == "$f$"
    assert bar_labels(figure) == ["PC1", "PC2", "PC3", "mean $f$"]
    assert len({axes.get_xlim() for axes in planes + scatters}) == 1


@pytest.mark.parametrize("n_components", [2, 3])
def test_fewer_components_have_fewer_columns(n_components):
    figure = principal_components.draw(rising_sample(n_components=n_components))
    assert len(panels_with(figure, QuadMesh)) == n_components - 1
    assert len(panels_with(figure, PathCollection)) == n_components - 1


def test_points_show_f_and_the_component_of_their_colour():
    sample = rising_sample()
    figure = principal_components.draw(sample)
    shown = component_panels.thinned(sample)
    for column, axes in enumerate(panels_with(figure, PathCollection)):
        (points,) = axes.collections
        np.testing.assert_array_equal(points.get_array(), sample.components[shown, column + 1])
        np.testing.assert_allclose(points.get_offsets()[:, 0], sample.components[shown, 0])
        np.testing.assert_allclose(points.get_offsets()[:, 1], sample.f[shown])


@pytest.mark.parametrize("name", ["principal_components", "thin_mass_components"])
def test_all_points_lie_inside_the_axes(name, figures):
    for axes in panels_with(figures[name], PathCollection):
        for points in axes.collections:
            place = axes.transLimits.transform(np.asarray(points.get_offsets()))
            assert place.min() >= -1e-6 and place.max() <= 1 + 1e-6


def test_colour_of_f_reaches_from_zero_to_the_largest_mean(figures):
    for name in ("principal_components", "thin_mass_components"):
        for axes in panels_with(figures[name], QuadMesh):
            (mesh,) = axes.collections
            assert mesh.norm.vmin == 0.0
            assert mesh.get_cmap().name == "viridis"
    planes = panels_with(figures["principal_components"], QuadMesh)
    assert len({axes.collections[0].norm.vmax for axes in planes}) == 1


def test_labels_of_a_colour_bar_do_not_overlap(figures):
    checked = 0
    for name in ("principal_components", "thin_mass_components"):
        figure = figures[name]
        with common.style():
            canvas = FigureCanvasAgg(figure)
            canvas.draw()
        for axes in bars(figure):
            horizontal = axes.bbox.width > axes.bbox.height
            texts = axes.get_xticklabels() if horizontal else axes.get_yticklabels()
            boxes = [text.get_window_extent(canvas.get_renderer()) for text in texts]
            assert len(boxes) >= 4
            assert not any(a.overlaps(b) for a, b in pairwise(boxes))
            checked += 1
    assert checked == 8


def test_peaks_are_where_they_were_planted(figures):
    scatters = panels_with(figures["thin_mass_components"], PathCollection)
    for axes, peak in zip(scatters, PEAKS.values(), strict=True):
        (line,) = axes.lines
        x, mean = line.get_xdata(), line.get_ydata()
        # a tilted ridge in a Gaussian plane: the mean over PC1 peaks where the ridge crosses PC1=0
        assert x[np.ma.argmax(mean)] == pytest.approx(peak, abs=PEAK_ERROR)
    titles = [axes.get_title() for axes in panels_with(figures["thin_mass_components"], QuadMesh)]
    assert titles == list(LABELS.values())


def test_ranges_of_mass_share_their_axes_but_not_the_scale_of_f():
    samples = {name: peaked_sample(peak) for name, peak in PEAKS.items()}
    samples["thin_high"].components[:, 1] *= 1.3
    samples["thin_high"].f[:] *= 5
    figure = thin_mass_components.draw(samples)
    low, high = panels_with(figure, QuadMesh)
    assert low.get_xlim() == high.get_xlim() and low.get_ylim() == high.get_ylim()
    assert high.collections[0].norm.vmax > 4 * low.collections[0].norm.vmax
    assert low.get_title() == "thin_low"


def test_coefficients_are_the_first_row_of_the_matrix(figures):
    panels = figures["component_coefficients"].axes
    assert [axes.get_title() for axes in panels] == [common.set_label(name) for name in RADII]
    for axes, name in zip(panels, RADII, strict=True):
        row = toy_pca(name).matrix[0]
        lines = [line for line in axes.lines if line.get_marker() != "None"]
        for feature, line in enumerate(lines):
            np.testing.assert_array_equal(line.get_xdata(), RADII[name])
            np.testing.assert_array_equal(line.get_ydata(), row[feature::3])
            low, high = axes.get_ylim()
            assert low < min(line.get_ydata()) and max(line.get_ydata()) < high
        looks = [(line.get_marker(), line.get_color()) for line in lines]
        assert looks == [("o", common.BLUE), ("^", common.ORANGE), ("x", common.GREEN)]
        assert "Mpc" in axes.get_xlabel()
    assert len({axes.get_ylim() for axes in panels}) == 1


def test_radii_in_any_order_are_joined_by_size():
    pca = toy_pca("3Rf")
    turned = GradientPCA(
        pca.smoothing_radii[::-1],
        pca.eigenvalues,
        pca.directions,
        pca.matrix.reshape(7, 3, 3)[:, ::-1].reshape(7, 9),
        pca.centred_eigenvalues,
    )
    (axes,) = component_coefficients.draw({"turned": turned}).axes
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), RADII["3Rf"])
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), pca.matrix[0, 0::3])


def test_many_sets_wrap_to_a_second_row():
    figure = component_coefficients.draw({f"set{i}": toy_pca("3Rf") for i in range(4)})
    assert len(figure.axes) == 4
    with common.style():
        FigureCanvasAgg(figure).draw()
    assert figure.axes[3].bbox.y1 < figure.axes[0].bbox.y0


def test_means_are_those_of_the_particles_in_a_bin():
    components = np.array([[0.0], [0.01], [0.02], [1.0]], np.float32)
    sample = ComponentSample(components, np.array([1, 2, 6, 5], np.float32))
    (edges,), mean = component_panels.sums_in_bins(sample, [0])
    # the axis leaves out the outermost particles: one of the three in the first bin, and the last
    assert edges[0] > 0.0 and edges[-1] < 1.0
    assert mean.mask.all()
    more = ComponentSample(np.repeat(components, 100, axis=0), np.repeat(sample.f, 100))
    (edges,), mean = component_panels.sums_in_bins(more, [0])
    assert (mean[0], mean[-1]) == (3.0, 5.0)
    assert mean.mask[1:-1].all()


def test_thinning_keeps_the_tails_and_thins_the_middle():
    sample = rising_sample(200_000)
    pc0 = sample.components[:, 0]
    shown = component_panels.thinned(sample)
    assert np.all(np.diff(shown) > 0)
    assert len(shown) <= component_panels.SCATTER_BINS * component_panels.SCATTER_PER_BIN
    low, high = component_panels.component_range(sample, 0)
    tail = np.flatnonzero((pc0 > 3.5) & (pc0 <= high))
    assert len(tail) > 10 and np.isin(tail, shown).all()
    counts = np.histogram(pc0[shown], component_panels.SCATTER_BINS, (low, high))[0]
    assert abs(counts.max() - component_panels.SCATTER_PER_BIN) <= 1  # rounding at an edge


@pytest.mark.parametrize("count", [1, 3, 300])
def test_small_samples_draw(count, tmp_path):
    sample = rising_sample(count)
    for name, figure in {
        "principal": principal_components.draw(sample),
        "thin": thin_mass_components.draw({"one": sample}),
    }.items():
        assert all(file.stat().st_size > 0 for file in common.save(figure, tmp_path / name))


def test_pictures_of_many_particles_stay_small(figures, tmp_path):
    # as vectors, the points of one panel alone would take about a megabyte
    for file in common.save(figures["principal_components"], tmp_path / "figure"):
        assert file.stat().st_size < 1_000_000


def test_mistaken_inputs_are_explained():
    one = rising_sample(100, n_components=1)
    with pytest.raises(ValueError, match="at least two components"):
        principal_components.draw(one)
    with pytest.raises(ValueError, match="`low` has one"):
        thin_mass_components.draw({"low": one})
    with pytest.raises(ValueError, match="name some in `thin_samples`"):
        thin_mass_components.draw({})
    with pytest.raises(ValueError, match=r"figure_sets\.components"):
        component_coefficients.draw({})
