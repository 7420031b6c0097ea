"""What a finished run holds, what runs again after a change, and nothing else."""

import json
import re
from collections import Counter

import pytest
import yaml

from lagbias.artefacts import code_hash, store

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def figures(repository):
    """Names of the figures of the default configuration."""
    return yaml.safe_load((repository / "config/config.yaml").read_text())["figures"]


def test_every_figure_is_drawn_and_nothing_else_is_left(finished, figures):
    results = finished.root / "results" / "tiny"
    drawn = {p.name for p in (results / "figures").iterdir()}
    assert len(figures) == 12  # the eleven of the paper and one more
    assert drawn == {f"{name}.{suffix}" for name in figures for suffix in ("pdf", "png")}
    files = [p for p in results.rglob("*") if p.is_file()]
    kinds = Counter(p.suffix for p in files)
    assert kinds == {".h5": 115, ".pdf": 12, ".png": 12, ".html": 2, ".json": 1, ".md": 1}
    assert not [p for p in files if p.name.startswith(".")]


def test_every_claim_has_a_verdict_and_most_are_tested(finished):
    claims = json.loads((finished.root / "results/tiny/claims.json").read_text())["claims"]
    assert [claim["id"] for claim in claims] == [f"C{number:02d}" for number in range(1, 45)]
    tested = [claim for claim in claims if claim["verdict"] != "cannot be tested"]
    assert len(tested) >= 36
    for claim in claims:
        assert claim["artefacts"] if claim in tested else claim["reason"], claim["id"]
        for path in claim["artefacts"]:
            assert (finished.root / path).exists(), path


def test_every_artefact_says_how_it_was_made(finished):
    paths = sorted((finished.root / "results").rglob("*.h5"))
    headers = {str(path.relative_to(finished.root)): store.header(path) for path in paths}
    for path, header in headers.items():
        provenance = header.provenance
        assert provenance["rule"] and provenance["code"], path
        assert provenance["versions"]["lagbias"], path
        for source, identity in provenance["inputs"].items():
            assert headers[source].provenance["artefact_id"] == identity, path


def test_the_second_run_does_nothing_and_other_resources_rerun_nothing(finished):
    assert "Nothing to be done" in finished.snakemake()
    asked = ("simulate_box:mem_mb=9999", "train_networks:runtime=77", "--set-threads")
    profile = ("--workflow-profile", "profiles/slurm", "--set-resources", *asked)
    assert finished.plan(*profile, "make_features=2") == {}


def with_changes(finished, changes):
    path = finished.root / "changes.yaml"
    path.write_text(yaml.safe_dump(changes))
    return ("--configfile", "config/tiny.yaml", str(path))


def test_new_sets_build_features_for_new_radii_only(finished):
    sets = {"known": [2.83, 5.66], "new": [2.83, 6.7]}
    assert finished.plan(*with_changes(finished, {"smoothing_sets": sets})) == {
        "make_features": 2,  # of one radius, on training and validation box
        "fit_whitening": 2,
        "train_networks": 2,
        "predict_spectra": 2,
        "power_ratio_all_sets": 1,
        "write_configuration": 1,
    }


MORE_SEEDS = {"seeds": [0, 1, 2]}
ENSEMBLE = "results/tiny/networks/box0/threshold/1Rf/full"


def test_a_new_seed_takes_up_every_ensemble(finished):
    plan = finished.plan(*with_changes(finished, MORE_SEEDS))
    # 6 sets, δ and ∇²δ alone, 2 thin ranges, another training box and 4 sets on two components
    assert plan["train_networks"] == 6 + 1 + 2 + 1 + 4
    untouched = {"simulate_box", "make_features", "make_halo_fields", "fit_whitening"}
    assert not untouched & set(plan)


def test_a_new_seed_trains_one_network_and_leaves_the_others(another):
    """Snakemake sets the times of all, but only a file that is written is another one on disk."""
    log = another.root / "logs/tiny/train_networks/box0.threshold.1Rf.full.log"
    chosen = (*with_changes(another, MORE_SEEDS), "--", f"{ENSEMBLE}/seed2.h5")

    def networks():
        paths = sorted((another.root / ENSEMBLE).iterdir())
        return {path.name: (path.stat().st_ino, path.read_bytes()) for path in paths}

    before = networks()
    assert list(before) == ["seed0.h5", "seed1.h5"]
    assert another.plan(*chosen) == {"train_networks": 1}
    another.snakemake(*chosen)
    after = networks()
    assert list(after) == ["seed0.h5", "seed1.h5", "seed2.h5"]
    assert before.items() <= after.items()
    assert set(re.findall(r"[Ss]eed ?(\d+)", log.read_text())) == {"2"}
    assert another.plan(*chosen) == {}
    # alone, a network is what it was with the others
    (another.root / ENSEMBLE / "seed0.h5").unlink()
    another.snakemake(*chosen[:-1], f"{ENSEMBLE}/seed0.h5")
    assert {name: content for name, (_, content) in networks().items()} == {
        name: content for name, (_, content) in after.items()
    }


OF_NETWORKS = {
    "bin_networks",
    "cut_slab",
    "fit_surface",
    "gradient_pca",
    "predict_formula",
    "predict_multipoles",
    "predict_spectra",
}
OF_BASELINES = {"fit_baselines", "predict_baselines"}
OF_MODEL_FIELDS = {
    "apply_transfer",
    "check_claims",
    "compare_fields",
    "predict_baselines",
    "predict_formula",
    "predict_least_squares",
    "predict_spectra",
}
OF_FEATURES = {"fit_whitening", "train_networks", "least_squares", "predict_least_squares"}


@pytest.mark.parametrize(
    ("module", "rules"),
    [
        ("simulate.nbody", {"simulate_box"}),
        ("features.grids", {"make_features", "cut_slab"}),
        ("features.particles", {"make_features", *OF_FEATURES, *OF_NETWORKS, *OF_BASELINES}),
        ("features.whitening", {"fit_whitening", "train_networks", "check_claims", *OF_NETWORKS}),
        ("training.loop", {"train_networks"}),
        ("bias.ensemble", {"train_networks", *OF_NETWORKS}),
        ("bias.prediction", OF_MODEL_FIELDS),
        ("bias.second_order_transfer", {"apply_transfer"}),
        ("grids.second_order", OF_MODEL_FIELDS),
        ("bias.component_fit", {"gradient_pca"}),
        (
            "bias.least_squares",
            {
                "least_squares",
                "predict_least_squares",
                "bin_networks",
                "check_claims",
                *OF_BASELINES,
            },
        ),
        ("figures.power_ratio_boxes", set()),
        ("artefacts.store", set()),
    ],
)
def test_rules_depend_on_the_modules_that_their_scripts_import(repository, module, rules):
    scripts = (repository / "workflow" / "scripts").glob("*.py")
    used = {script.stem: code_hash.dependencies(script) for script in scripts}
    assert {name for name in used if f"lagbias.{module}" in used[name]} == rules


#: Rules whose jobs follow from edits to the components of ∇f and to one figure: networks on two
#: components are trained anew, and only they.
AFTER_EDITS = {
    "gradient_pca": 8,
    "train_networks": 4,
    "predict_spectra": 4,
    "check_claims": 1,
    "component_coefficients": 1,
    "power_ratio_boxes": 1,
    "power_ratio_retrained": 1,
    "principal_components": 1,
    "thin_mass_components": 1,
    "validation_loss_retrained": 1,
}
#: Edits that change no result: comments, and code that only moves results about.
WITHOUT_EFFECT = {
    "simulate/nbody.py": "# a comment only",
    "training/loop.py": "# a comment only",
    "artefacts/store.py": "_EDITED = True",
}


def test_edits_rerun_what_depends_on_the_modules(another):
    library = another.root / "src" / "lagbias"

    def edit(changes):
        for name, line in changes.items():
            with (library / name).open("a", encoding="utf-8") as file:
                file.write(f"\n{line}\n")

    edit(WITHOUT_EFFECT)
    assert another.plan() == {}
    edit(dict.fromkeys(["bias/component_fit.py", "figures/power_ratio_boxes.py"], "_EDITED = True"))
    assert another.plan() == AFTER_EDITS
    edit({"simulate/nbody.py": "_EDITED = True"})
    plan = another.plan()
    assert (plan["simulate_box"], plan["make_features"], plan["train_networks"]) == (3, 19, 14)


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
