"""Figures of planes, fields and particles: what is drawn, and where."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.collections import PathCollection, QuadMesh

from lagbias.figures import common, component_panels, method_overview
from lagbias.figures.residual_slices import slice_mean, slice_weights

#: A bin's width and the scatter of a mean over it, in standard deviations of PC0.
PEAK_ERROR = 0.2
ROUNDING = 1e-12  # sums of a few float64 of order one


def bars(figure):
    return [axes for axes in figure.axes if axes.get_label() == "<colorbar>"]


@pytest.mark.parametrize("n_components", [2, 3, 4])
def test_components_have_a_plane_and_a_scatter_each(n_components, toys):
    figure = toys.draw("principal_components", count=2000, n_components=n_components)
    planes, scatters = toys.panels(figure, QuadMesh), toys.panels(figure, PathCollection)
    names = [f"PC{i}" for i in range(1, n_components)]
    assert [axes.get_ylabel() for axes in planes] == names
    assert [axes.get_xlabel() for axes in scatters] == ["PC0"] * len(names)
    assert scatters[0].get_ylabel() == "$f$"
    assert [bar.get_xlabel() for bar in bars(figure)] == [*names, "mean $f$"]
    assert len({axes.get_xlim() for axes in planes + scatters}) == 1
    assert figure.get_suptitle() == common.set_label("3Rf", toys.SETS)


def test_points_show_f_and_the_component_of_their_colour(figures, toys):
    sample = toys.pca()
    shown = component_panels.thinned(sample)
    panels = toys.panels(figures("principal_components"), PathCollection)
    for column, axes in enumerate(panels):
        (points,) = axes.collections
        np.testing.assert_array_equal(points.get_array(), sample.components[shown, column + 1])
        np.testing.assert_allclose(points.get_offsets()[:, 0], sample.components[shown, 0])
        np.testing.assert_allclose(points.get_offsets()[:, 1], sample.f[shown])


@pytest.mark.parametrize("name", ["principal_components", "thin_mass_components"])
def test_colours_of_f_begin_at_zero_and_their_labels_do_not_overlap(name, figures, toys):
    figure = figures(name)
    for axes in toys.panels(figure, QuadMesh):
        (mesh,) = axes.collections
        assert mesh.norm.vmin == 0.0 and mesh.get_cmap().name == "viridis"
    planes = toys.panels(figures("principal_components"), QuadMesh)
    assert len({axes.collections[0].norm.vmax for axes in planes}) == 1
    assert len(bars(figure)) == 4
    for axes in bars(figure):
        horizontal = axes.bbox.width > axes.bbox.height
        texts = axes.get_xticklabels() if horizontal else axes.get_yticklabels()
        boxes = [text.get_window_extent() for text in texts]
        assert len(boxes) >= 4 and not any(a.overlaps(b) for a, b in pairwise(boxes))


def test_peaks_are_where_they_were_planted(figures, toys):
    figure = figures("thin_mass_components")
    panels = toys.panels(figure, PathCollection)
    for axes, peak in zip(panels, toys.PEAKS.values(), strict=True):
        (line,) = axes.lines
        # a tilted ridge in a Gaussian plane: the mean over PC1 peaks where the ridge crosses PC1=0
        x = line.get_xdata()[np.ma.argmax(line.get_ydata())]
        assert x == pytest.approx(peak, abs=PEAK_ERROR)
    titles = [axes.get_title() for axes in toys.panels(figure, QuadMesh)]
    assert titles == ["20 to 63 particles", "126 to 632 particles"]


def test_ranges_of_mass_share_their_axes_but_not_the_scale_of_f(toys):
    pca, other = toys.arguments("thin_mass_components")["pcas"]
    wide = replace(other, components=other.components * [1, 1.3, 1, 1], f=other.f * 5)
    figure = toys.draw("thin_mass_components", {"pcas": [pca, wide]})
    low, high = toys.panels(figure, QuadMesh)
    assert low.get_ylim() == component_panels.component_range(wide, 1)
    assert low.get_xlim() == high.get_xlim() and low.get_ylim() == high.get_ylim()
    assert high.collections[0].norm.vmax > 4 * low.collections[0].norm.vmax


def test_means_are_those_of_the_particles_in_a_bin(toys):
    components = np.array([[0.0], [0.01], [0.02], [1.0]], np.float32)
    few = replace(toys.pca(count=4), components=components, f=np.array([1, 2, 6, 5], np.float32))
    (edges,), mean = component_panels.sums_in_bins(few, [0])
    # the axis leaves out the outermost particles: one of the three in the first bin, and the last
    assert edges[0] > 0.0 and edges[-1] < 1.0
    assert mean.mask.all()
    more = replace(few, components=np.repeat(components, 100, axis=0), f=np.repeat(few.f, 100))
    _, mean = component_panels.sums_in_bins(more, [0])
    assert (mean[0], mean[-1]) == (3.0, 5.0)
    assert mean.mask[1:-1].all()


def test_thinning_keeps_the_tails_and_thins_the_middle(toys):
    sample = toys.pca(count=200_000)
    pc0 = sample.components[:, 0]
    shown = component_panels.thinned(sample)
    assert np.all(np.diff(shown) > 0)
    low, high = component_panels.component_range(sample, 0)
    tail = np.flatnonzero((pc0 > 3.5) & (pc0 <= high))
    assert len(tail) > 10 and np.isin(tail, shown).all()
    counts = np.histogram(pc0[shown], component_panels.SCATTER_BINS, (low, high))[0]
    assert abs(counts.max() - component_panels.SCATTER_PER_BIN) <= 1  # rounding at an edge


def test_coefficients_are_the_first_row_of_the_matrix(figures, toys):
    panels, names = figures("component_coefficients").axes, ("1Rf", "3Rf", "5Rf_fine")
    for axes, name in zip(panels, names, strict=True):
        assert axes.get_title() == common.set_label(name) and "Mpc" in axes.get_xlabel()
        lines = toys.data_lines(axes)
        for feature, line in enumerate(lines):
            np.testing.assert_array_equal(line.get_xdata(), toys.SETS[name])
            np.testing.assert_array_equal(line.get_ydata(), toys.pca(name).matrix[0, feature::3])
        looks = [(line.get_marker(), line.get_color()) for line in lines]
        assert looks == [("o", common.BLUE), ("^", common.ORANGE), ("x", common.GREEN)]
    assert len({axes.get_ylim() for axes in panels}) == 1


def test_radii_in_any_order_are_joined_by_size_and_sets_wrap(toys):
    pca = toys.pca("3Rf")
    matrix = pca.matrix.reshape(7, 3, 3)[:, ::-1].reshape(7, 9)
    turned = replace(pca, smoothing_radii=pca.smoothing_radii[::-1], matrix=matrix)
    figure = toys.draw("component_coefficients", {"pcas": [turned] * 4})
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xdata(), toys.SETS["3Rf"])
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), pca.matrix[0, 0::3])
    assert figure.axes[3].bbox.y1 < figure.axes[0].bbox.y0


@pytest.mark.parametrize("n_cells", [30, 40, 7])
@pytest.mark.parametrize("start", [0.0, 96.7, 197.0, -13.0, 412.0])
@pytest.mark.parametrize("thickness", [1.0, 10.0, 63.0, 200.0])
def test_weights_are_fractions_of_the_slice(n_cells, start, thickness):
    weights = slice_weights(n_cells, 200.0, start, thickness)
    assert weights.sum() == pytest.approx(1.0, abs=ROUNDING)
    assert weights.min() >= 0 and weights.max() <= 200.0 / n_cells / thickness + ROUNDING
    # by counting: which cell do many evenly spaced points of the slice fall into?
    points = start + thickness * (np.arange(20000) + 0.5) / 20000
    cells = np.floor(points / (200.0 / n_cells) + 0.5).astype(int) % n_cells
    counted = np.bincount(cells, minlength=n_cells) / len(points)
    # each face of a cell inside the slice misplaces less than one point
    np.testing.assert_allclose(weights, counted, atol=2 / len(points))


@pytest.mark.parametrize(
    ("start", "thickness", "weights"),
    [
        (14.5, 2.0, {15: 0.5, 16: 0.5}),
        (14.5, 1.5, {15: 1 / 1.5, 16: 0.5 / 1.5}),  # a cell that is cut
        (29.25, 1.5, {29: 0.25 / 1.5, 0: 1 / 1.5, 1: 0.25 / 1.5}),  # over the end of the box
    ],
)
def test_slices_by_hand(start, thickness, weights):
    field, cell = np.random.default_rng(0).normal(size=(30, 30, 30)), 200.0 / 30
    mean = slice_mean(field, 200.0, start * cell, thickness * cell)
    by_hand = sum(weight * field[:, :, layer] for layer, weight in weights.items())
    np.testing.assert_allclose(mean, by_hand, atol=ROUNDING)


def test_panels_show_the_slices_with_x_to_the_right(figures, toys):
    names, cell = ("3Rf", "3Rf_coarse", "3Rf+11.3"), toys.BOX_SIZE / 30
    fields = [toys.halo_fields().training, *(toys.model_field(name).average for name in names)]
    true, model, *rest = (slice_mean(f, toys.BOX_SIZE, 14.5 * cell, 10.0) for f in fields)
    expected = [1 + true, model - true, *(other - model for other in rest)]
    panels = toys.panels(figures("residual_slices"))
    for axes, values in zip(panels, expected, strict=True):
        (image,) = axes.images
        np.testing.assert_allclose(image.get_array(), values.T, atol=ROUNDING)
        assert image.origin == "lower"
        # node (0, 0) lies in the middle of the first cell
        extent = [-cell / 2, toys.BOX_SIZE - cell / 2] * 2
        np.testing.assert_allclose(image.get_extent(), extent, rtol=ROUNDING)
    titles = [axes.get_title() for axes in panels]
    assert titles == [
        "halos",
        r"$3\,R_f$ $-$ halos",
        r"$3\,R_f$ coarse $-$ $3\,R_f$",
        r"$3\,R_f$ + 11.3 $-$ $3\,R_f$",
    ]
    assert all(r"h^{-1}\,\mathrm{Mpc}" in axes.get_xlabel() for axes in panels[2:])


def test_differences_are_symmetric_and_those_between_sets_share_a_scale(figures, toys):
    images = [axes.images[0] for axes in toys.panels(figures("residual_slices"))]
    limits = [image.get_clim() for image in images]
    assert all(low == -high for low, high in limits[1:])
    assert limits[2] == limits[3] != limits[1]
    for image, (_, high) in zip(images[1:], limits[1:], strict=True):
        assert np.mean(np.abs(image.get_array()) > high) < 0.05
    assert limits[0] == (0.0, images[0].get_array().max())


def test_equal_fields_and_empty_slices_draw(toys):
    empty = np.full((12, 12, 12), -1.0)
    fields = [replace(toys.model_field(name), average=empty) for name in ("3Rf", "3Rf_fine")]
    figure = toys.draw("residual_slices", {"halo_field": empty, "model_fields": fields})
    assert toys.panels(figure)[1].images[0].get_clim() == (-1.0, 1.0)


def test_areas_of_circles_are_proportional_to_f(toys):
    slab = toys.slab()
    areas = method_overview.circle_areas(np.array([0.0, 1.0, 5.0, 20.0]), slab)
    np.testing.assert_allclose(areas, areas[1] * np.array([0.0, 1.0, 5.0, 20.0]))
    wider = replace(slab, layer_thickness=2 * slab.layer_thickness)
    assert method_overview.circle_areas(1.0, wider) == pytest.approx(4 * areas[1])


def test_both_upper_panels_show_the_same_particles(figures, toys):
    slab, panels = toys.slab(), figures("method_overview").axes
    initial, final = (axes.collections[-1] for axes in panels[:2])
    order = np.argsort(slab.f, kind="stable")
    np.testing.assert_allclose(initial.get_offsets(), slab.origin[order])
    np.testing.assert_allclose(final.get_offsets(), slab.position[order])
    for circles in (initial, final):
        areas = method_overview.circle_areas(slab.f[order], slab)
        np.testing.assert_allclose(circles.get_sizes(), areas)
    np.testing.assert_array_equal(initial.get_facecolors(), final.get_facecolors())
    dots = panels[1].collections[0]
    assert len(dots.get_offsets()) == len(slab.f)  # also those of zero weight


def test_maps_lie_the_right_way_round_on_one_scale(figures, toys):
    slab, panels = toys.slab(), figures("method_overview").axes[:4]
    shown = [axes.images[0] for axes in panels if axes.images]
    fields = (slab.initial_delta, slab.model_map, slab.halo_map)
    for image, field in zip(shown, fields, strict=True):
        assert image.origin == "lower" and list(image.get_extent()) == [0.0, 60.0, 0.0, 60.0]
        values = np.asarray(image.get_array())
        visible = field.T > image.norm.vmin  # below, a logarithmic scale has its lowest colour
        np.testing.assert_array_equal(values[visible], field.T[visible])
    model, halos = shown[1:]
    assert (model.norm.vmin, model.norm.vmax) == (halos.norm.vmin, halos.norm.vmax)
    assert model.get_cmap() == halos.get_cmap()


def test_the_overview_has_titles_units_a_key_and_panels_of_the_region(figures, toys):
    figure, slab = figures("method_overview"), toys.slab()
    panels = figure.axes[:4]
    assert [axes.get_title(loc="left")[:3] for axes in panels] == ["(a)", "(b)", "(c)", "(d)"]
    for axes in panels:
        assert axes.get_xlim() == axes.get_ylim() == (0.0, 60.0)
        side = axes.get_window_extent().width / figure.dpi  # what circles are scaled to
        assert side == pytest.approx(method_overview._PANEL, rel=0.05)
    for label in (panels[0].get_ylabel(), panels[2].get_xlabel(), panels[2].get_ylabel()):
        assert r"h^{-1}\,\mathrm{Mpc}" in label
    labels = [axes.get_ylabel() for axes in figure.axes[4:]]
    assert r"R_f = 2.83\," in labels[0] and r"1+\delta" in labels[1] and "10" in labels[1]
    (key,) = figure.legends
    assert [text.get_text() for text in key.texts[1:]] == ["$f=1$", "$f=5$", "$f=20$"]
    sizes = [handle.get_markersize() ** 2 for handle in key.legend_handles[1:]]
    np.testing.assert_allclose(sizes, method_overview.circle_areas(np.array([1, 5, 20]), slab))
