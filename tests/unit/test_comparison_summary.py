"""Numbers of models over several boxes: planted values, the scatter of modes, and the table."""

import json
from dataclasses import replace

import numpy as np
import pytest

from lagbias.artefacts import store
from lagbias.bias.comparison_summary import (
    bispectrum_amplitude,
    expected_scatter,
    model_name,
    summarise,
)
from lagbias.grids.bispectrum import squeezed
from lagbias.grids.power import auto_power, cross_power
from lagbias.stages.tabulate_comparison import tabulate_comparison

# The standard deviation of 400 draws has a standard error of 3.5 %; this is four of them. The
# formula is the first order in 1/N, whose next one is 1 % for the 150 modes of the test.
SCATTER_TOLERANCE = 0.15


def planted(toys, box="box8", *, ratio=1.0, cross=1.0, **changes):
    """A comparison with P_model/P_h and P_hm/P_h of choice."""
    made = toys.comparison(target_box=box)
    halo = made.halo_power
    return replace(made, model_power=ratio * halo, cross_power=cross * halo, **changes)


def by_k(made, edges, values):
    """Return values in ranges of k: values[i] from edges[i - 1] on."""
    return np.asarray(values)[np.searchsorted(edges, made.k, side="right")]


def test_means_and_deviations_are_the_planted_ones(toys):
    made = toys.comparison()
    ratio = by_k(made, [0.1, 0.3, 0.6], [1.02, 0.9, 1.2, 3.0])
    cross = by_k(made, [0.1, 0.3, 0.6], [0.98, 0.93, 0.6, 0.1])
    found = summarise(
        [planted(toys, "box8", ratio=ratio, cross=cross), planted(toys, "box9", cross=0.9)]
    )
    assert found.boxes == ("box8", "box9")
    assert (found.inputs, found.smoothing_set) == ("full", "3Rf")
    close = pytest.approx
    assert found.ratio.boxes == close((1.02, 1.0)) and found.ratio.mean == close(1.01)
    assert found.cross_ratio.boxes == close((0.98, 0.9))
    # half of the first box's, since both have the same P_h
    assert found.ratio_deviation_to_0_3 == close(0.05)
    assert found.ratio_deviation_to_0_6 == close(0.1)
    assert found.cross_deviation_to_0_3 == close(0.085)
    assert found.uncorrelated.boxes == close((1.02 - 0.98**2, 0.19))
    assert found.uncorrelated_0_1_to_0_3.boxes == close((0.9 - 0.93**2, 0.19))
    assert found.correlation_0_3_to_0_6.boxes == close((0.6 / np.sqrt(1.2), 0.9))
    chosen = (made.k >= 0.1) & (made.k < 0.3)
    halo = np.average(made.halo_power[chosen], weights=made.n_modes[chosen]) / made.shot_noise
    assert found.error_power_0_1_to_0_3.boxes == close(((1.9 - 1.86) * halo, 0.2 * halo))
    assert np.isnan(found.ratio_range)


def test_bins_of_few_modes_have_no_deviation(toys):
    made = toys.comparison()
    few = planted(toys, ratio=np.where(made.n_modes < 100, 5.0, 1.0))
    assert (made.n_modes < 100).any()
    assert summarise([few]).ratio_deviation_to_0_6 == 0.0


def test_weights_are_numbers_of_modes(toys):
    made = toys.comparison()
    ratio = 1 + made.k
    chosen = made.k < 0.1
    expected = np.average(ratio[chosen], weights=made.n_modes[chosen])
    assert summarise([planted(toys, ratio=ratio)]).ratio.mean == pytest.approx(expected)


def test_range_of_the_networks_is_that_of_the_worse_box(toys):
    spectra = [toys.spectra(target_box=box) for box in ("box8", "box9")]
    found = summarise([planted(toys, "box8"), planted(toys, "box9")], spectra)
    ranges = [each.mean_ratios().max() - each.mean_ratios().min() for each in spectra]
    assert ranges[0] != ranges[1]
    assert found.ratio_range == pytest.approx(max(ranges))


def test_densities_are_in_units_of_the_halos(toys):
    moments = np.array([[4.0, 3.0, 0.0], [0.25, 2.0, 0.0]])
    made = planted(
        toys,
        wasserstein=np.array([0.1, 0.1]),
        halo_moments=moments,
        model_moments=moments * [1.0, 1.1, 1.0],
    )
    found = summarise([made])
    assert {r: v.mean for r, v in found.wasserstein.items()} == pytest.approx(
        {"5": 0.05, "10": 0.2}
    )
    assert found.skewness_ratio["10"].mean == pytest.approx(1.1)


def test_amplitude_of_the_bispectrum_weighs_by_triangles(toys):
    made = toys.comparison()
    chosen = squeezed(made.triangles)
    amplitude = np.where(chosen, 0.8, 1.2)
    made = replace(made, model_bispectrum=amplitude * made.halo_bispectrum)
    found = summarise([made]).bispectrum
    assert found["squeezed"].mean == pytest.approx(0.8)
    assert found["equilateral"].mean == pytest.approx(1.2)
    weights = made.n_triangles * made.halo_bispectrum**2
    assert found["all"].mean == pytest.approx(np.average(amplitude, weights=weights))
    assert np.isnan(bispectrum_amplitude(made, np.zeros_like(chosen)))


def test_scatter_of_gaussian_fields_is_the_expected_one(toys):
    n, correlation, scale = 12, 0.9, 1.3
    rng = np.random.default_rng(0)
    values = []
    for _ in range(400):
        halo, other = np.fft.rfftn(rng.normal(size=(2, n, n, n)), axes=(1, 2, 3))
        model = scale * (correlation * halo + np.sqrt(1 - correlation**2) * other)
        spectra = [auto_power(modes, 100.0) for modes in (model, halo)]
        cross = cross_power(model, halo, 100.0)
        values.append([*(each.power for each in spectra), cross.power])
    model, halo, cross = np.moveaxis(values, 1, 0)
    k, n_modes = spectra[0].k, spectra[0].n_modes
    chosen = k < k[3]
    assert 100 < n_modes[chosen].sum() < 200
    measured = np.average((model / halo)[:, chosen], axis=1, weights=n_modes[chosen]).std()
    made = replace(
        toys.comparison(),
        k=k,
        n_modes=n_modes,
        model_power=model.mean(axis=0),
        halo_power=halo.mean(axis=0),
        cross_power=cross.mean(axis=0),
    )
    expected = expected_scatter(made, (0.0, k[3]))
    by_hand = scale**2 * np.sqrt(4 * (1 - correlation**2) / n_modes[chosen].sum())
    assert expected == pytest.approx(by_hand, rel=0.02)  # r of 400 draws is measured to 1 %
    assert measured == pytest.approx(expected, rel=SCATTER_TOLERANCE)


def test_scatter_of_the_mean_falls_with_the_boxes(toys):
    boxes = [planted(toys, box, cross=0.9) for box in ("box8", "box9")]
    found = summarise(boxes).ratio_scatter
    assert found.boxes[0] == found.boxes[1] == expected_scatter(boxes[0]) > 0
    assert found.mean == pytest.approx(found.boxes[0] / np.sqrt(2))


def test_mixed_comparisons_are_refused(toys):
    made = planted(toys)
    with pytest.raises(ValueError, match="one model, each box once"):
        summarise([made, made])
    with pytest.raises(ValueError, match="one model"):
        summarise([made, planted(toys, "box9", inputs="joint")])
    with pytest.raises(ValueError, match="different `radii`"):
        summarise([made, planted(toys, "box9", radii=made.radii + 1)])


@pytest.mark.parametrize(
    ("inputs", "name"),
    [
        ("full", "networks as in the paper"),
        ("two_boxes", "networks, two boxes"),
        ("full_transfer", "networks as in the paper, transfer functions"),
        ("transfer", "polynomial, transfer functions"),
    ],
)
def test_names_of_models(inputs, name):
    assert model_name(inputs) == name


@pytest.fixture
def files(toys, tmp_path, monkeypatch):
    """The table of two models, one of them networks, as text and as numbers."""
    monkeypatch.setenv("LAGBIAS_CACHE_DIR", str(tmp_path / "cache"))

    def write(things, name):
        paths = [tmp_path / f"{name}{index}.h5" for index in range(len(things))]
        for path, thing in zip(paths, things, strict=True):
            store.write(path, thing)
        return paths

    models = [("full", "3Rf"), ("polynomial", "1Rf")]
    made = [toys.comparison(*model, box) for box in ("box8", "box9") for model in models]
    spectra = [
        replace(toys.spectra(target_box=box), sample="threshold") for box in ("box8", "box9")
    ]
    outputs = {"markdown": tmp_path / "beyond.md", "json": tmp_path / "beyond.json"}
    tabulate_comparison(write(made, "c"), write(spectra, "s"), "toy", outputs)
    return made, spectra, outputs["markdown"].read_text(), json.loads(outputs["json"].read_text())


def test_json_has_all_numbers(files):
    made, spectra, _, table = files
    assert table["run"] == "toy"
    networks, polynomial = table["models"]
    assert [m["model"] for m in table["models"]] == [
        "networks as in the paper",
        "polynomial bias",
    ]
    expected = summarise(made[0::2], spectra)
    assert networks["ratio"] == {
        "mean": expected.ratio.mean,
        "boxes": list(expected.ratio.boxes),
    }
    assert networks["ratio_range"] == expected.ratio_range > 0
    assert polynomial["ratio_range"] is None
    assert polynomial["bispectrum"]["all"]["mean"] == summarise(made[1::2]).bispectrum["all"].mean


def test_markdown_has_a_row_for_each_model(files):
    made, _, text, _ = files
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 * 4  # two tables of a head, a line and two models
    assert "**" not in text and "box8 and box9" in text
    for table in (rows[:4], rows[4:]):
        assert len({row.count("|") for row in table}) == 1
        assert table[2].startswith("| networks as in the paper | 3Rf | threshold |")
        assert table[3].startswith("| polynomial bias | 1Rf | threshold |")
    found = summarise(made[1::2]).ratio
    cells = [f"{value:.3f}" for value in (found.mean, *found.boxes)]
    assert f"| {cells[0]} ({cells[1]}, {cells[2]}) |" in rows[3]
    assert "| – |" in rows[3] and "–" not in rows[2]
