"""f of two components: its table, its formula, and what readers get of them."""

import csv
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from numpy.polynomial.polynomial import polyval2d

from lagbias.artefacts import store
from lagbias.bias import surface as module
from lagbias.bias.surface import MAX_DEGREE, TOLERANCE, Surface, fit
from lagbias.features.whitening import apply_map
from lagbias.grids import paint
from lagbias.schema import fields
from lagbias.stages.make_features import make_features
from lagbias.stages.particle_features import load_features
from lagbias.stages.predict_formula import predict_formula
from lagbias.stages.tabulate_surface import as_csv, as_markdown, tabulate_surface

RADII = [2.0, 4.0]
MATRIX = np.arange(12.0).reshape(2, 6) / 7 - 0.5
#: c_ij of a planted f that falls to 10⁻⁸ in voids.
PLANTED = np.array([[0.0, 0.3, -0.1], [1.2, 0.1, 0.0], [-0.2, 0.0, 0.0]])
#: f is float32.
SINGLE_PRECISION = 1e-5
#: Four significant digits of each coefficient, whose terms reach a few units of ln f.
FOUR_DIGITS = 5e-3
#: Mean over a bin of 0.25, where the slope of ln f is below 2: (0.5)²/24, and scatter inside it.
BIN_WIDTH = 0.3


def sample(n=40000, seed=1):
    return np.random.default_rng(seed).normal(size=(n, 2)).astype(np.float32)


def planted_f(components, coefficients=PLANTED):
    f = np.exp(polyval2d(*components.T.astype(np.float64), coefficients))
    return (f / f.mean()).astype(np.float32)


def fitted(components, f, **options):
    return fit(components, f, matrix=MATRIX, smoothing_radii=RADII, **options)


@pytest.fixture(scope="module")
def planted():
    """Components, f and the surface that is fitted to them."""
    components = sample()
    f = planted_f(components)
    return components, f, fitted(components, f)


def test_a_planted_formula_is_recovered(planted):
    components, f, found = planted
    fields.check(found)
    assert found.degree == 2 and len(found) == 1
    same = found.coefficients - PLANTED
    # particles beyond the table are few, and their components are clipped
    np.testing.assert_allclose(same.ravel()[1:], 0.0, atol=0.02)
    inside = np.all(np.abs(components) < 2.0, axis=1)
    np.testing.assert_allclose(found.evaluate(components)[0, inside], f[inside], rtol=0.02)
    assert found.error < TOLERANCE


def test_its_mean_is_one(planted):
    components, _, found = planted
    mean = found.evaluate(components).mean(dtype=np.float64)
    assert mean == pytest.approx(1.0, abs=SINGLE_PRECISION)


def test_the_table_is_the_mean_of_f(planted):
    components, f, found = planted
    i, j = (int(np.searchsorted(edges, 0.6)) - 1 for edges in (found.pc0_edges, found.pc1_edges))
    low, high = found.pc0_edges[i], found.pc0_edges[i + 1]
    assert (low, high) == (0.5, 0.75)
    inside = np.all((components >= low) & (components < high), axis=1)
    assert found.f[i, j] == pytest.approx(f[inside].mean(), rel=SINGLE_PRECISION)
    assert found.share[i, j] == pytest.approx(inside.mean())
    formula = found.evaluate(np.array([[0.625, 0.625]], np.float32))
    assert found.f[i, j] == pytest.approx(formula[0, 0], rel=BIN_WIDTH)


def test_bins_with_few_particles_are_absent(planted):
    components, f, found = planted
    present = found.share > 0
    np.testing.assert_array_equal(np.isfinite(found.f), present)
    assert found.share[present].min() >= 3 / len(f) and found.share.sum() < 1
    # the table ends with bins that are present, short of the outermost particles
    assert present[[0, -1]].any(axis=1).all() and present[:, [0, -1]].any(axis=0).all()
    assert found.pc0_edges[-1] < components[:, 0].max()


def test_arguments_beyond_the_table_count_as_its_edges(planted):
    *_, found = planted
    ends = [(edges[0], edges[-1]) for edges in (found.pc0_edges, found.pc1_edges)]
    beyond = np.array([[ends[0][0] - 9, 0], [0.3, ends[1][1] + 9]], np.float32)
    edge = np.array([[ends[0][0], 0], [0.3, ends[1][1]]], np.float32)
    np.testing.assert_array_equal(found.evaluate(beyond), found.evaluate(edge))


def test_f_has_an_upper_limit_and_does_not_overflow(planted):
    *_, found = planted
    steep = replace(found, coefficients=np.array([[0.0, 0.0], [1e4, 0.0]]))
    f = steep.evaluate(np.array([[1.0, 0.0], [-1.0, 0.0]], np.float32))
    np.testing.assert_allclose(f, [[found.limit, 0.0]], rtol=SINGLE_PRECISION)


def test_error_is_weighted_with_both_f(planted):
    components, f, found = planted
    formula = found.evaluate(components)[0].astype(np.float64)
    weights = f + formula
    expected = np.sqrt(np.sum(weights * np.log(formula / f) ** 2) / weights.sum())
    assert found.error == pytest.approx(expected, rel=1e-3)


def test_a_formula_that_fills_voids_with_mass_has_a_large_error(planted):
    """The weight f alone does not see it."""
    components, f, found = planted
    wrong = replace(found, coefficients=np.array([[0.0, 0.0], [-3.0, 0.0]]))
    error = module._with_unit_mean(wrong, components, f, 1).error
    assert error > 10 * TOLERANCE
    voids = f < 1e-3
    assert f[voids].sum() < 0.02 * f.sum()


def test_the_smallest_sufficient_degree_is_chosen():
    components = sample()
    cubic = np.zeros((4, 4))
    # small, so that f of the few particles beyond the table hardly counts
    cubic[:3, :3], cubic[3, 0] = PLANTED, -0.05
    found = fitted(components, planted_f(components, cubic))
    assert found.degree == 3 and found.error < TOLERANCE


def test_without_a_sufficient_degree_the_error_is_told():
    components = sample()
    steps = np.where(np.sin(9 * components[:, 0]) > 0, 1.6, 0.4).astype(np.float32)
    found = fitted(components, steps)
    assert found.error > TOLERANCE
    assert f"No degree up to {MAX_DEGREE}" in as_markdown(found, "run")


def test_threads_and_chunks_do_not_matter(planted, monkeypatch):
    components, f, found = planted
    monkeypatch.setattr(module, "_CHUNK", 999)
    other = fitted(components, f, threads=2)
    np.testing.assert_allclose(other.coefficients, found.coefficients, atol=1e-9)


def test_particles_without_mass_do_no_harm(planted):
    components, f, _ = planted
    empty = np.where(components[:, 0] < -2.5, 0, f).astype(np.float32)
    found = fitted(components, empty)
    fields.check(found)
    assert found.evaluate(components).min() >= 0


def test_broken_and_sparse_samples_are_refused(planted):
    components, f, _ = planted
    broken = f.copy()
    broken[7] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        fitted(components, broken)
    with pytest.raises(ValueError, match="more particles"):
        fitted(components[:2], f[:2])


def test_csv_has_the_bins_that_are_present(planted):
    *_, found = planted
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert list(rows[0]) == ["pc0", "pc1", "f", "share"]
    assert len(rows) == np.count_nonzero(found.share)
    for row in rows[:: len(rows) // 20]:
        i, j = (
            int(np.searchsorted(edges, float(row[name]))) - 1
            for name, edges in (("pc0", found.pc0_edges), ("pc1", found.pc1_edges))
        )
        assert float(row["f"]) == pytest.approx(found.f[i, j], rel=1e-4)
        assert float(row["share"]) == pytest.approx(found.share[i, j], rel=1e-4)


def numbers(line):
    return [float(cell) for cell in line.strip("| ").split(" | ") if cell.strip("| ")]


def test_a_reader_can_compute_f_from_the_page(planted):
    components, _, found = planted
    page = as_markdown(replace(found, smoothing_set="3Rf", train_box="box0"), "tiny")
    rows = re.findall(r"^\| \d.*\|$", page, re.MULTILINE)
    maps, powers = rows[: len(RADII)], rows[len(RADII) :]
    assert [numbers(row)[0] for row in maps] == RADII
    read = np.array([numbers(row)[1:] for row in maps])
    np.testing.assert_allclose(np.hstack(read[:, :3]), MATRIX[0], rtol=1e-3)
    np.testing.assert_allclose(np.hstack(read[:, 3:]), MATRIX[1], rtol=1e-3)
    coefficients = np.zeros_like(found.coefficients)
    for row in powers:
        i, *values = numbers(row)
        coefficients[int(i), : len(values)] = values
    inside = components[np.all(np.abs(components) < 2.5, axis=1)]
    log_f = polyval2d(*inside.T.astype(np.float64), coefficients)
    f = np.minimum(np.exp(log_f), found.limit)
    np.testing.assert_allclose(f, found.evaluate(inside)[0], rtol=FOUR_DIGITS)
    for edge in (*found.pc0_edges[[0, -1]], *found.pc1_edges[[0, -1]]):
        assert f" {edge:g}" in page
    assert f"{found.error:.2g}" in page and f"{found.limit:.4g}" in page


def test_what_is_stored_is_tabulated(planted, tmp_path):
    *_, found = planted
    store.write(tmp_path / "surface.h5", found)
    assert store.read(tmp_path / "surface.h5", Surface).degree == found.degree
    outputs = {"csv": tmp_path / "t.csv", "markdown": tmp_path / "t.md"}
    tabulate_surface(tmp_path / "surface.h5", "tiny", outputs)
    assert outputs["csv"].read_text("utf-8") == as_csv(found)
    assert outputs["markdown"].read_text("utf-8") == as_markdown(found, "tiny")


def test_its_field_is_that_of_the_weights(planted, box, tmp_path):
    """Features of one radius, from which both components are made."""
    matrix = np.array([[0.9, 0.1, 0.0], [0.2, -0.3, 0.8]])
    surface = replace(planted[2], matrix=matrix, smoothing_radii=np.array([6.0]))
    names = ("linear_density", "particles", "surface", "rf")
    paths = {name: tmp_path / f"{name}.h5" for name in names}
    for name in ("linear_density", "particles"):
        store.write(paths[name], getattr(box, name))
    store.write(paths["surface"], surface)
    made = make_features(paths["linear_density"], paths["particles"], rf=6.0, threads=1)
    store.write(paths["rf"], made)
    given = {**paths, "features": [paths["rf"]]}
    field = predict_formula(given, evaluation_grid=16, threads=1)
    fields.check(field)
    f = surface.evaluate(apply_map(load_features([paths["rf"]], slice(0, None)), matrix))[0]
    painted = paint.paint_cic(box.particles.position, field.box_size, 16, weights=f)
    expected = paint.overdensity(painted)
    np.testing.assert_allclose(
        field.evaluation, expected, atol=SINGLE_PRECISION * np.abs(expected).max()
    )
