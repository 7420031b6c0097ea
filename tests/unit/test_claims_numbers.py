"""Claims: the numbers that checks are made of, and the tables of verdicts."""

import json

import numpy as np
import pytest
from scipy import stats

from lagbias.bias.binned import BinnedF
from lagbias.claims import data_claims, least_squares_claims, profiles, table, training_claims
from lagbias.claims.base import FAILS, HOLDS, UNTESTED, Claim, Measurement, Untestable, Verdict

# Sums of squares of float64 numbers of order ten.
ROUNDING = 1e-12
# The paper quotes 2.6 Mpc/h for 2.4e13 Msun/h with two digits.
PAPER_RADIUS = 0.05
# Sampling errors with 60,000 particles, measured as 6e-4 of the slope and 2e-3 of the variance.
SLOPE_ERROR, VARIANCE_ERROR = 3e-3, 1e-2
EVEN, UNEVEN = np.linspace(1.5, 4.5, 13), np.array([1.5, 2.5, 2.75, 3.5, 3.75, 6.0])


def roughness(edges, f, filled=True):
    """Roughness of a table with one bin of ∇²δ, f being a function of the centres in δ."""
    centre = 0.5 * (edges[1:] + edges[:-1])
    values = np.where(filled, f(centre), 100.0)
    binned = BinnedF(
        delta_edges=edges,
        lap_delta_edges=np.tile([-1.0, 1.0], (len(centre), 1)),
        f=values[None, :, None],
        share=np.ones((len(centre), 1)),
        seeds=np.zeros(1, int),
    )
    filled = np.broadcast_to(filled, centre.shape)[:, None]
    return least_squares_claims.roughness(binned, filled)


def test_roughness_is_a_quarter_of_the_second_differences():
    x = 0.5 * (EVEN[1:] + EVEN[:-1])
    f = np.sin(3 * x[x > least_squares_claims.ROUGH_FROM])
    expected = 0.25 * (np.diff(f, n=2) ** 2).sum()
    assert roughness(EVEN, lambda x: np.sin(3 * x)) == pytest.approx(expected)


def test_straight_lines_and_empty_bins_are_not_rough_whatever_the_bins():
    for edges, filled in ((EVEN, True), (UNEVEN, True), (EVEN, np.arange(12) != 6)):
        assert roughness(edges, lambda x: 2 + 3 * x, filled) < ROUNDING
    with pytest.raises(Untestable, match="no three neighbouring bins"):
        roughness(EVEN, np.sin, filled=False)


def test_ranks_of_one_group_correlate_as_scipy_says():
    x, y = np.random.default_rng(0).normal(size=(2, 30))
    y += 0.5 * x
    expected = stats.spearmanr(x, y)
    found = training_claims.rank_correlation(x, y, groups=1)
    assert found == pytest.approx((expected.statistic, expected.pvalue))
    assert training_claims.rank_correlation(x, y, groups=10)[1] > found[1]


def test_equal_ranks_are_significant_and_constants_are_nothing():
    x = np.arange(8.0)
    assert training_claims.rank_correlation(x, x**3, groups=2)[1] < 1e-6
    with pytest.raises(Untestable, match="do not vary"):
        training_claims.rank_correlation(x, np.ones(8), groups=2)
    with pytest.raises(Untestable, match="too few"):
        training_claims.rank_correlation(x[:4], x[:4], groups=3)


def test_the_radius_of_a_mass_is_the_papers():
    assert data_claims.radius_of_mass(2.4e13) == pytest.approx(2.6, abs=PAPER_RADIUS)
    assert data_claims.radius_of_mass(8e13) == pytest.approx(2 * data_claims.radius_of_mass(1e13))


def test_a_profile_has_errors_and_leaves_out_bins_of_few_particles():
    x = np.repeat([0.1, 0.3, 0.6, 0.9], [60, 49, 50, 80])
    f = 2 * x + np.tile([-0.5, 0.5], 120)[: len(x)]
    found = profiles.profile(x, f, 0.0, 1.0)
    assert found.centre.tolist() == [0.125, 0.625, 0.875]
    kept = [f[x == value] for value in (0.1, 0.6, 0.9)]
    assert found.mean == pytest.approx([part.mean() for part in kept])
    assert found.error == pytest.approx([stats.sem(part) for part in kept])
    with pytest.raises(Untestable, match="fewer than three bins"):
        profiles.profile(x[:100], f[:100], 0.0, 1.0)


@pytest.fixture
def particles():
    return np.random.default_rng(4).uniform([-1, -2, -2], [2, 2, 2], (60_000, 3)).T


def test_the_variance_at_fixed_component_is_that_of_f(particles):
    x, y, z = particles
    f = 10 * x + 3 * y
    with_y, _ = profiles.variance_at_fixed(x, y, f, -1.0, 2.0)
    with_z, noise = profiles.variance_at_fixed(x, z, f, -1.0, 2.0)
    # variance of the centres of eight bins of a half, times nine
    expected = 9 * np.var(np.arange(-1.75, 2, 0.5))
    assert with_y == pytest.approx(expected, rel=VARIANCE_ERROR)
    assert abs(with_z) < noise
    with pytest.raises(Untestable, match="do not fill bins of two"):
        profiles.variance_at_fixed(x[:300], y[:300], f[:300], -1.0, 2.0)


@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_a_ridge_has_the_slope_of_f(particles, slope):
    x, y, _ = particles
    f = np.exp(-0.5 * ((x - 0.5 - slope * y) / 0.2) ** 2)
    at, position = profiles.ridge(x, y, f, -1.0, 2.0)
    assert len(at) == 8
    assert stats.linregress(at, position).slope == pytest.approx(slope, abs=SLOPE_ERROR)
    with pytest.raises(Untestable, match="do not fill the plane"):
        profiles.ridge(x[:3000], y[:3000], f[:3000], -1.0, 2.0)


# ---- tables -------------------------------------------------------------------------------------


def claim(identifier, soft=False):
    texts = ("Powers agree & scatter <1 %.", "§3.1, Fig. 2", "|⟨R⟩ − 1|", "about 1 %")
    return Claim(identifier, *texts, "|r| below 0.01", {"below": 0.01}, soft)


FILES = (*(f"results/x/networks/seed{seed}.h5" for seed in range(3)), "results/x/spectra/a.h5")
MEASURED = Measurement("0.004", {"value": 0.004}, True, (0.001, "networks"), FILES)
VERDICTS = [
    Verdict(claim("C01"), HOLDS, MEASURED),
    Verdict(claim("C02", soft=True), FAILS, Measurement("0.5 <b>", {"value": 0.5}, False)),
    Verdict(claim("C03"), UNTESTED, reason="this run has no spectra of 3Rf"),
]


@pytest.fixture
def written(tmp_path):
    """Write the tables, and return their texts by format."""
    paths = {kind: tmp_path / kind for kind in ("json", "markdown", "html")}
    table.write(VERDICTS, "<tiny>", paths)
    return {kind: path.read_text(encoding="utf-8") for kind, path in paths.items()}


def test_json_holds_every_field_and_the_counts(written):
    found = json.loads(written["json"])
    assert (found["run"], found["summary"]) == ("<tiny>", {HOLDS: 1, FAILS: 1, UNTESTED: 1})
    first, second, third = found["claims"]
    assert (first["id"], first["verdict"], first["values"]) == ("C01", HOLDS, {"value": 0.004})
    assert (first["scatter"], first["scatter_of"]) == (0.001, "networks")
    assert first["limits"] == {"below": 0.01} and len(first["artefacts"]) == 4
    assert second["soft"] and not first["soft"] and second["scatter"] is None
    assert third["reason"] == "this run has no spectra of 3Rf" and third["values"] == {}
    assert first.keys() == second.keys() == third.keys()


def test_markdown_has_a_row_for_each_claim(written):
    text = written["markdown"]
    assert "3 claims: 1 hold, 1 do not hold, 1 cannot be tested on this run." in text
    rows = [line for line in text.splitlines() if line.startswith("| C")]
    # bars within a cell are escaped, so that every row has the seven columns
    assert [row.replace("\\|", "").count("|") for row in rows] == [8, 8, 8]
    assert "\\|r\\| below 0.01" in rows[0] and "0.001 (networks)" in rows[0]
    assert rows[1].endswith("**does not hold (soft)** |")
    assert "Cannot be tested: this run has no spectra of 3Rf." in rows[2]
    assert "From `networks/ (3 files)`, `spectra/a.h5`." in text


def test_runs_stand_side_by_side(written):
    one = json.loads(written["json"])
    other = one | {"run": "large", "claims": [c | {"measured": "0.02"} for c in one["claims"]]}
    text = table.side_by_side([one, other], ["abacus"])
    assert "- large: 3 claims: 1 hold, 1 do not hold, 1 cannot be tested on this run." in text
    assert "- abacus: not run." in text
    head, _, *rows = [line for line in text.splitlines() if line.startswith("|")]
    assert head == "| id | claim | paper | threshold | <tiny> | large | abacus |"
    assert [row.replace("\\|", "").count("|") for row in rows] == [8, 8, 8]
    assert rows[0].endswith("| **holds**: 0.004 | **holds**: 0.02 | not run |")
    assert "| **cannot be tested**: this run has no spectra of 3Rf |" in rows[2]


def test_claims_of_different_versions_do_not_compare(written):
    one = json.loads(written["json"])
    other = one | {"run": "old", "claims": [c | {"threshold": "below 1"} for c in one["claims"]]}
    with pytest.raises(ValueError, match="runs <tiny> and old have different texts"):
        table.side_by_side([one, other])


def test_html_is_self_contained_and_escaped(written):
    text = written["html"]
    assert text.count("<tr id=") == 3
    for outcome in ("holds", "does not hold (soft)", "cannot be tested"):
        assert f">{outcome}</td>" in text
    assert "<script" not in text and "http" not in text
    assert "&lt;tiny&gt;" in text and "<tiny>" not in text
    assert "0.5 &lt;b&gt;" in text and "&amp; scatter &lt;1 %" in text
    assert "<li>networks/ (3 files)</li>" in text
