"""The figure of the method: circles, colours, axes and key."""

import dataclasses

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from lagbias.figures import common, method_overview
from lagbias.figures.slab import Slab

N_NODES, N_PIXELS = 30, 60


def toy_slab(n_nodes=N_NODES, region_size=60.0):
    """A slab that looks a little like a real one: some peaks, and particles that fall into them."""
    rng = np.random.default_rng(1)
    spacing = region_size / n_nodes
    x, y = np.meshgrid(*[(np.arange(n_nodes) + 0.5) * spacing] * 2, indexing="ij")
    peaks = rng.uniform(0.2 * region_size, 0.8 * region_size, (3, 2))
    delta = sum(3.5 * np.exp(-((x - a) ** 2 + (y - b) ** 2) / 80.0) for a, b in peaks) - 0.5
    origin = np.stack([x.ravel(), y.ravel()], axis=1)
    nearest = peaks[np.argmin(((origin[:, None] - peaks) ** 2).sum(axis=2), axis=1)]
    position = origin + 0.6 * np.clip(delta.ravel(), 0, 1)[:, None] * (nearest - origin)
    field = np.exp(rng.normal(0.0, 2.0, (2, N_PIXELS, N_PIXELS)))
    return Slab(
        origin=origin.astype(np.float32),
        position=position.astype(np.float32),
        f=np.clip(4.0 * delta.ravel(), 0.01, None).astype(np.float32),
        delta=delta.ravel().astype(np.float32),
        initial_delta=delta.astype(np.float32),
        model_map=field[0].astype(np.float32),
        halo_map=field[1].astype(np.float32),
        region_size=region_size,
        layer_thickness=spacing,
        depth=10.0,
        rf=2.83,
    )


@pytest.fixture(scope="module")
def slab():
    return toy_slab()


@pytest.fixture(scope="module")
def figure(slab):
    drawn = method_overview.draw(slab)
    with common.style():
        FigureCanvasAgg(drawn).draw()
    return drawn


def test_areas_of_circles_are_proportional_to_f(slab):
    areas = method_overview.circle_areas(np.array([0.0, 1.0, 5.0, 20.0]), slab)
    np.testing.assert_allclose(areas, areas[1] * np.array([0.0, 1.0, 5.0, 20.0]))
    wider = dataclasses.replace(slab, layer_thickness=2 * slab.layer_thickness)
    assert method_overview.circle_areas(1.0, wider) == pytest.approx(4 * areas[1])


def test_both_upper_panels_show_the_same_particles(figure, slab):
    initial, final = (axes.collections[-1] for axes in figure.axes[:2])
    order = np.argsort(slab.f, kind="stable")
    np.testing.assert_allclose(initial.get_offsets(), slab.origin[order])
    np.testing.assert_allclose(final.get_offsets(), slab.position[order])
    for circles in (initial, final):
        np.testing.assert_allclose(
            circles.get_sizes(), method_overview.circle_areas(slab.f[order], slab)
        )
    np.testing.assert_array_equal(initial.get_facecolors(), final.get_facecolors())
    dots = figure.axes[1].collections[0]
    assert len(dots.get_offsets()) == len(slab.f)  # those without weight are seen too


def test_maps_lie_the_right_way_round_on_one_scale(figure, slab):
    shown = [axes.images[0] for axes in figure.axes[:4] if axes.images]
    fields = (slab.initial_delta, slab.model_map, slab.halo_map)
    for image, field in zip(shown, fields, strict=True):
        assert image.origin == "lower" and list(image.get_extent()) == [0.0, 60.0, 0.0, 60.0]
        values = np.asarray(image.get_array())
        visible = field.T > image.norm.vmin  # below, a logarithmic scale has its lowest colour
        np.testing.assert_array_equal(values[visible], field.T[visible])
    model, halos = shown[1:]
    assert (model.norm.vmin, model.norm.vmax) == (halos.norm.vmin, halos.norm.vmax)
    assert model.get_cmap() == halos.get_cmap()


def test_axes_have_titles_units_and_the_region_as_limits(figure):
    panels = figure.axes[:4]
    assert [axes.get_title(loc="left")[:3] for axes in panels] == ["(a)", "(b)", "(c)", "(d)"]
    for axes in panels:
        assert axes.get_xlim() == axes.get_ylim() == (0.0, 60.0)
    for label in (panels[0].get_ylabel(), panels[2].get_xlabel(), panels[2].get_ylabel()):
        assert r"h^{-1}\,\mathrm{Mpc}" in label
    labels = [axes.get_ylabel() for axes in figure.axes[4:]]
    assert r"R_f = 2.83\," in labels[0] and r"1+\delta" in labels[1] and "10" in labels[1]


def test_the_key_tells_sizes_and_covers_nothing(figure, slab):
    key = figure.legends[0]
    assert [text.get_text() for text in key.texts[1:]] == ["$f=1$", "$f=5$", "$f=20$"]
    sizes = [handle.get_markersize() ** 2 for handle in key.legend_handles[1:]]
    np.testing.assert_allclose(sizes, method_overview.circle_areas(np.array([1, 5, 20]), slab))
    box = key.get_window_extent()
    assert not any(box.overlaps(axes.get_tightbbox()) for axes in figure.axes)
    assert 0 <= box.x0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1


def test_panels_have_the_size_that_circles_are_scaled_to(figure):
    sides = [axes.get_window_extent().width / figure.dpi for axes in figure.axes[:4]]
    assert sides == pytest.approx([method_overview._PANEL] * 4, rel=0.05)


@pytest.mark.parametrize(("n_nodes", "size"), [(1, 1.0), (69, 59.9)])
def test_regions_of_other_sizes_are_written_alike_each_time(n_nodes, size, tmp_path):
    for name in ("first", "second"):
        common.save(method_overview.draw(toy_slab(n_nodes, size)), tmp_path / name)
    for suffix in (".pdf", ".png"):
        first = (tmp_path / f"first{suffix}").read_bytes()
        assert first == (tmp_path / f"second{suffix}").read_bytes() and first


def test_a_slab_without_particles_is_explained(slab):
    empty = {name: getattr(slab, name)[:0] for name in ("origin", "position", "f", "delta")}
    with pytest.raises(ValueError, match="no particles"):
        method_overview.draw(dataclasses.replace(slab, **empty))
