"""What runs again after a change, and nothing else."""

import json
import re

import pytest
import yaml

pytestmark = pytest.mark.workflow


def test_the_second_run_does_nothing(finished):
    assert finished.plan() == {}


@pytest.fixture(scope="module")
def figures(repository):
    """Names of the figures of the default configuration."""
    return yaml.safe_load((repository / "config/config.yaml").read_text())["figures"]


def test_every_figure_is_drawn(finished, figures):
    drawn = {p.name for p in (finished.root / "results/tiny/figures").iterdir()}
    assert len(figures) == 12  # the eleven of the paper and one more
    assert drawn == {f"{name}.{suffix}" for name in figures for suffix in ("pdf", "png")}


def test_every_claim_has_a_verdict_and_most_are_tested(finished):
    claims = json.loads((finished.root / "results/tiny/claims.json").read_text())["claims"]
    assert [claim["id"] for claim in claims] == [f"C{number:02d}" for number in range(1, 45)]
    tested = [claim for claim in claims if claim["verdict"] != "cannot be tested"]
    assert len(tested) >= 36
    for claim in claims:
        assert claim["artefacts"] if claim in tested else claim["reason"], claim["id"]
        for path in claim["artefacts"]:
            assert (finished.root / path).exists(), path


def test_no_temporary_file_or_checkpoint_is_left(finished):
    left = [p for p in (finished.root / "results").rglob("*") if p.is_file()]
    assert {p.suffix for p in left} == {".h5", ".pdf", ".png", ".html", ".json", ".md"}
    assert not [p for p in left if p.name.startswith(".")]


def with_changes(finished, changes):
    path = finished.root / "changes.yaml"
    path.write_text(yaml.safe_dump(changes))
    return ("--configfile", "config/tiny.yaml", str(path))


def test_a_new_set_of_known_radii_builds_no_feature_grids(finished):
    changes = with_changes(finished, {"smoothing_sets": {"mine": [2.83, 5.66]}})
    assert finished.plan(*changes) == {
        "fit_whitening": 1,
        "train_network": 2,
        "predict_spectra": 1,
        "power_ratio_all_sets": 1,
        "write_configuration": 1,
    }


def test_a_new_radius_builds_its_own_grids_only(finished):
    changes = with_changes(finished, {"smoothing_sets": {"mine": [2.83, 6.7]}})
    plan = finished.plan(*changes)
    assert plan["make_features"] == 2  # training and validation box
    assert plan["train_network"] == 2
    assert "simulate_box" not in plan


def test_a_new_seed_trains_one_network_more_for_each_ensemble(finished):
    plan = finished.plan(*with_changes(finished, {"seeds": [0, 1, 2]}))
    # 6 sets, δ and ∇²δ alone, 2 thin ranges, another training box and 4 sets on two components;
    # the components are those of another average f, so the latter's 8 networks are trained anew
    assert plan["train_network"] == 6 + 1 + 2 + 1 + 4 + 8
    untouched = {"simulate_box", "make_features", "make_halo_fields", "fit_whitening"}
    assert not untouched & set(plan)


WITH_SPECTRA = {
    "check_claims",
    "least_squares_comparison",
    "power_ratio_all_sets",
    "power_ratio_boxes",
    "power_ratio_retrained",
    "power_ratio_smoothing_sets",
    "residual_slices",
    "validation_loss_retrained",
    "validation_loss_smoothing_sets",
}
OF_NETWORKS = {"bin_networks", "cut_slab", "gradient_pca", "predict_spectra"}
DOWNSTREAM_OF_TRAINING = {
    "train_network",
    *OF_NETWORKS,
    *WITH_SPECTRA,
    "component_coefficients",
    "method_overview",
    "principal_components",
    "thin_mass_components",
}
LEAST_SQUARES = {"least_squares", "predict_least_squares"}
#: Those on two components are trained anew, and only they.
DOWNSTREAM_OF_COMPONENTS = {
    "gradient_pca",
    "train_network",
    "predict_spectra",
    "check_claims",
    "component_coefficients",
    "power_ratio_retrained",
    "principal_components",
    "thin_mass_components",
    "validation_loss_retrained",
}


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("train.py", DOWNSTREAM_OF_TRAINING),
        ("whitening.py", DOWNSTREAM_OF_TRAINING | {"fit_whitening"}),
        (
            "features.py",
            DOWNSTREAM_OF_TRAINING | LEAST_SQUARES | {"fit_whitening", "make_features"},
        ),
        ("predict.py", {"predict_spectra", "predict_least_squares", *WITH_SPECTRA}),
        ("gradient_pca.py", DOWNSTREAM_OF_COMPONENTS),
        (
            "least_squares.py",
            {*LEAST_SQUARES, "bin_networks"} | {"least_squares_comparison", "check_claims"},
        ),
        ("figures/power_ratio_boxes.py", {"power_ratio_boxes"}),
        ("store.py", set()),
        ("config.py", {"write_configuration"}),
    ],
)
def test_an_edit_reruns_what_depends_on_the_module(finished, module, expected):
    path = finished.root / "src" / "lagbias" / module
    original = path.read_text(encoding="utf-8")
    try:
        path.write_text(original + "\n_EDITED = True\n", encoding="utf-8")
        assert set(finished.plan()) == expected
        path.write_text(original + "\n# a comment only\n", encoding="utf-8")
        assert finished.plan() == {}
    finally:
        path.write_text(original, encoding="utf-8")


def test_an_edit_to_the_simulation_reruns_everything(finished):
    path = finished.root / "src" / "lagbias" / "simulate" / "nbody.py"
    original = path.read_text(encoding="utf-8")
    try:
        path.write_text(original + "\n_EDITED = True\n", encoding="utf-8")
        plan = finished.plan()
    finally:
        path.write_text(original, encoding="utf-8")
    assert plan["simulate_box"] == 3
    assert plan["train_network"] == 28


def test_the_report_is_one_file_without_network(finished, figures):
    finished.snakemake("--report", "report.html")
    text = (finished.root / "report.html").read_text(encoding="utf-8")
    for section in ("2 Method", "3.2 Several scales", "Claims of the paper", "Configuration"):
        assert section in text
    for page in ("claims.html", "configuration.html"):
        assert re.search(rf"data:text/html;[^\"]*{page};base64", text), page
    for figure in figures:
        assert re.search(rf"data:image/png;[^\"]*{figure}\.png;base64", text), figure
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=\"https?:", text)


def test_every_artefact_says_how_it_was_made(finished):
    from lagbias.artefacts import store

    paths = sorted((finished.root / "results").rglob("*.h5"))
    assert len(paths) == 115
    for path in paths:
        artefact = store.read(path)
        provenance = artefact.provenance
        assert provenance["artefact_id"], path
        assert provenance["rule"] and provenance["code"], path
        assert provenance["versions"]["lagbias"], path
        for source, identity in provenance["inputs"].items():
            assert store.identifier(finished.root / source) == identity, path
        assert all(artefact.units.values()), path
