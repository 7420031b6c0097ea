"""Slices through fields, and the figure that shows them."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from lagbias.figures import common, residual_slices
from lagbias.figures.residual_slices import Field, slice_mean, slice_weights

BOX_SIZE = 200.0
ROUNDING = 1e-12  # sums of a few float64 of order one


def toy_field(n_cells=30, seed=0):
    """Lognormal-like overdensity of mean zero with structures some cells wide."""
    rng = np.random.default_rng(seed)
    wave = np.fft.fftfreq(n_cells)
    k2 = sum(part**2 for part in np.meshgrid(wave, wave, wave, indexing="ij"))
    smooth = np.fft.ifftn(np.fft.fftn(rng.normal(size=(n_cells,) * 3)) * np.exp(-k2 / 0.03)).real
    field = np.exp(2.0 * smooth / smooth.std())
    return field / field.mean() - 1


def toy_fields(n_cells=30, n_others=2):
    halos = toy_field(n_cells)
    rng = np.random.default_rng(1)
    model = halos + 0.3 * (1 + halos) * rng.normal(size=halos.shape)
    names = ["3Rf_coarse", "3Rf+11.3", "3Rf_fine"]
    others = [
        Field(name, model + 0.1 * (1 + halos) * rng.normal(size=halos.shape))
        for name in names[:n_others]
    ]
    return halos, Field("3Rf", model), others


def toy_figures(**options):
    """Draw the figure."""
    return {"residual_slices": residual_slices.draw(*toy_fields(**options), box_size=BOX_SIZE)}


@pytest.fixture(scope="module")
def figure():
    return toy_figures()["residual_slices"]


def images(figure):
    return [axes for axes in figure.axes if axes.images]


@pytest.mark.parametrize("n_cells", [30, 40, 7])
@pytest.mark.parametrize("start", [0.0, 96.7, 197.0, -13.0, 412.0])
@pytest.mark.parametrize("thickness", [1.0, 10.0, 63.0, 200.0])
def test_weights_are_shares_of_the_slice(n_cells, start, thickness):
    weights = slice_weights(n_cells, BOX_SIZE, start, thickness)
    assert weights.sum() == pytest.approx(1.0, abs=ROUNDING)
    assert weights.min() >= 0 and weights.max() <= BOX_SIZE / n_cells / thickness + ROUNDING
    # by counting: which cell do many evenly spaced points of the slice fall into?
    points = start + thickness * (np.arange(20000) + 0.5) / 20000
    cells = np.floor(points / (BOX_SIZE / n_cells) + 0.5).astype(int) % n_cells
    counted = np.bincount(cells, minlength=n_cells) / len(points)
    # each face of a cell inside the slice misplaces less than one point
    np.testing.assert_allclose(weights, counted, atol=2 / len(points))


def test_cells_of_five_are_a_plain_mean_of_two():
    field = toy_field(40)
    mean = slice_mean(field, BOX_SIZE, start=97.5, thickness=10.0)
    np.testing.assert_allclose(mean, field[:, :, 20:22].mean(axis=2), atol=ROUNDING)


def test_a_cell_that_is_cut_counts_by_its_part_inside():
    field, cell = toy_field(30), BOX_SIZE / 30
    mean = slice_mean(field, BOX_SIZE, start=14.5 * cell, thickness=1.5 * cell)
    by_hand = (field[:, :, 15] + 0.5 * field[:, :, 16]) / 1.5
    np.testing.assert_allclose(mean, by_hand, atol=ROUNDING)


def test_a_slice_may_reach_over_the_end_of_the_box():
    field, cell = toy_field(30), BOX_SIZE / 30
    mean = slice_mean(field, BOX_SIZE, start=BOX_SIZE - 0.75 * cell, thickness=1.5 * cell)
    by_hand = (0.25 * field[:, :, 29] + field[:, :, 0] + 0.25 * field[:, :, 1]) / 1.5
    np.testing.assert_allclose(mean, by_hand, atol=ROUNDING)


def test_a_ramp_is_averaged_to_the_middle_of_a_slice_between_nodes():
    # symmetric about a node or a face, so that steps and ramp have one mean
    ramp = np.broadcast_to(np.arange(30.0), (3, 30, 30))
    cell = BOX_SIZE / 30
    for middle in (12.0, 12.5):
        mean = slice_mean(ramp, BOX_SIZE, start=(middle - 1.3) * cell, thickness=2.6 * cell)
        np.testing.assert_allclose(mean, middle, rtol=ROUNDING)


def test_panels_show_the_slices_with_x_to_the_right(figure):
    halos, reference, others = toy_fields()
    cell = BOX_SIZE / 30
    true, model, *rest = (
        slice_mean(field, BOX_SIZE, 14.5 * cell, 10.0)
        for field in (halos, reference.overdensity, *(other.overdensity for other in others))
    )
    expected = [1 + true, model - true, *(other - model for other in rest)]
    for axes, values in zip(images(figure), expected, strict=True):
        (image,) = axes.images
        np.testing.assert_allclose(image.get_array(), values.T, atol=ROUNDING)
        assert image.origin == "lower"
        # node (0, 0) lies in the middle of the first cell
        np.testing.assert_allclose(
            image.get_extent(), [-cell / 2, BOX_SIZE - cell / 2] * 2, rtol=ROUNDING
        )


def test_differences_are_symmetric_and_those_between_sets_share_a_scale(figure):
    limits = [axes.images[0].get_clim() for axes in images(figure)]
    assert all(low == -high for low, high in limits[1:])
    assert limits[2] == limits[3] != limits[1]
    for axes in images(figure)[1:]:
        values = np.abs(axes.images[0].get_array())
        assert np.mean(values > axes.images[0].get_clim()[1]) < 0.05
    assert limits[0] == (0.0, images(figure)[0].images[0].get_array().max())


def test_texts_fit_and_name_the_panels(figure):
    with common.style():
        FigureCanvasAgg(figure).draw()
    titles = [axes.get_title() for axes in images(figure)]
    assert titles[0] == "halos" and titles[1] == r"$3\,R_f$ $-$ halos"
    assert titles[2:] == [r"$3\,R_f$ coarse $-$ $3\,R_f$", r"$3\,R_f$ + 11.3 $-$ $3\,R_f$"]
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)
    labels = [axes.get_xlabel() for axes in images(figure)[2:]]
    assert all(r"h^{-1}\,\mathrm{Mpc}" in label for label in labels)


@pytest.mark.parametrize(("n_cells", "n_others"), [(12, 0), (12, 1), (7, 3)])
def test_other_numbers_of_sets_and_cells_draw(n_cells, n_others, tmp_path):
    figure = toy_figures(n_cells=n_cells, n_others=n_others)["residual_slices"]
    assert len(images(figure)) == 2 + n_others
    assert all(file.stat().st_size > 0 for file in common.save(figure, tmp_path / "slices"))


def test_equal_fields_and_empty_slices_draw(tmp_path):
    halos = np.full((12, 12, 12), -1.0)
    figure = residual_slices.draw(
        halos, Field("3Rf", halos), [Field("3Rf_fine", halos)], box_size=80.0
    )
    common.save(figure, tmp_path / "equal")
    assert images(figure)[1].images[0].get_clim() == (-1.0, 1.0)


def test_mistaken_inputs_are_explained():
    halos, reference, others = toy_fields(12)
    with pytest.raises(ValueError, match="is no cube"):
        residual_slices.draw(halos[:5], reference, others, box_size=80.0)
    with pytest.raises(ValueError, match=r"`3Rf_coarse` has shape \(7, 7, 7\)"):
        residual_slices.draw(halos, reference, [Field("3Rf_coarse", toy_field(7))], box_size=80.0)
    with pytest.raises(ValueError, match="does not fit in a box of 8 Mpc/h"):
        residual_slices.draw(halos, reference, others, box_size=8.0)
    with pytest.raises(ValueError, match="does not fit"):
        slice_weights(12, 80.0, 0.0, 0.0)
