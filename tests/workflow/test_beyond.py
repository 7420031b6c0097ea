"""The comparison beyond the paper: what is made for it, on the smallest boxes."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from lagbias.artefacts import store
from lagbias.config.checks import BEYOND_FIGURES
from lagbias.training.network import Network

pytestmark = pytest.mark.workflow

#: The smoothing sets of the default configuration but that of the thin mass ranges.
SETS = 6
BASELINES = 4
FORMULA = 1
FILES = ("--configfile", "config/tiny.yaml", "config/beyond.yaml")


@pytest.fixture(scope="module")
def chosen(repository):
    """The section `beyond` of the configuration."""
    return yaml.safe_load((repository / "config/beyond.yaml").read_text())["beyond"]


@pytest.fixture(scope="module")
def ensembles(chosen):
    """How many ensembles are compared: of all sets, on two components, and for other tracers."""
    variants = chosen["variants"].values()
    return SETS + sum(len(each["sets"]) for each in variants) + 1 + len(chosen["samples"])


@pytest.fixture(scope="module")
def with_transfer(chosen):
    """How many ensembles also have transfer functions, those for other tracers among them."""
    return sum(map(len, chosen["transfer"].values())) + len(chosen["samples"])


@pytest.fixture(scope="module")
def checkout(shared_checkout):
    """A checkout without results."""
    return shared_checkout("beyond")


@pytest.fixture(scope="module")
def plan(checkout):
    """How many jobs of each rule the comparison takes."""
    return checkout.plan(*FILES, "--", "beyond")


def test_all_models_are_compared_on_all_boxes(chosen, ensembles, with_transfer, plan):
    joint = {box for variant in chosen["variants"].values() for box in variant.get("joint", [])}
    boxes = len(chosen["validation"])
    assert plan["simulate_box"] == 2 + len(joint) + boxes
    assert plan["train_networks"] == ensembles
    assert plan["fit_baselines"] == 1
    assert plan["predict_spectra"] == ensembles * boxes + with_transfer * len(chosen["fit_boxes"])
    assert plan["apply_transfer"] == with_transfer * boxes
    assert plan["predict_baselines"] == boxes
    models = ensembles + with_transfer + BASELINES + FORMULA
    assert plan["compare_fields"] == models * boxes
    assert plan["gradient_pca"] == plan["fit_surface"] == plan["tabulate_surface"] == 1
    assert plan["predict_formula"] == boxes
    assert plan["predict_multipoles"] == boxes


@pytest.mark.parametrize("name", [*BEYOND_FIGURES, "tabulate_comparison"])
def test_all_figures_and_the_table_are_made(name, plan):
    assert plan.get(name) == 1


def test_the_recommended_settings_need_no_networks_trained_otherwise(checkout):
    plan = checkout.plan(
        "--configfile", "config/tiny.yaml", "config/recommended.yaml", "--", "beyond"
    )
    assert plan["train_networks"] == SETS + 1  # and on two components
    assert plan["apply_transfer"] == 2 * 2
    assert "loss_comparison" not in plan
    assert plan["transfer_comparison"] == plan["tabulate_comparison"] == 1


def test_without_it_there_are_no_such_rules(checkout):
    assert "beyond" in checkout.snakemake("--dry-run", "--", "beyond", check=False)


@pytest.fixture(scope="module")
def made(finished, tmp_path_factory):
    """A finished run with the comparison."""
    done = finished.copy(tmp_path_factory.mktemp("beyond") / "made")
    done.snakemake(*FILES, "--", "beyond")
    return done


def test_the_comparison_has_every_model(chosen, ensembles, with_transfer, made):
    results = made.root / "results/tiny"
    rows = json.loads((results / "beyond.json").read_text())["models"]
    assert len(rows) == ensembles + with_transfer + BASELINES + FORMULA
    labels = [row["inputs"] for row in rows]
    # of each set, and of three scales for each of the other tracers
    papers = SETS + len(chosen["samples"])
    assert labels.count("full_transfer") == labels.count("full") == papers
    for name in BEYOND_FIGURES:
        assert (results / "figures" / f"{name}.png").stat().st_size > 10_000


def test_baselines_are_fitted_to_the_boxes_of_the_transfer_functions(chosen, made):
    path = made.root / "results/tiny/baselines/box0/threshold/1Rf/polynomial.h5"
    used = store.header(path).provenance["inputs"]
    boxes = [Path(source).parent.name for source in used if source.endswith("/particles.h5")]
    assert boxes == chosen["fit_boxes"]


@pytest.mark.parametrize("variant", ["fourier", "two_boxes", "four_boxes"])
def test_rounds_start_from_the_networks_of_the_papers_loss(variant, made):
    """Of the same seeds, whose history they continue."""
    networks = made.root / "results/tiny/networks/box0/threshold/3Rf"
    for seed in (0, 1):
        path = networks / f"{variant}/seed{seed}.h5"
        before = store.read(networks / f"full/seed{seed}.h5", Network)
        after = store.read(path, Network)
        np.testing.assert_array_equal(after.losses[: len(before.losses)], before.losses)
        assert len(after.losses) > len(before.losses)
        used = [source for source in store.header(path).provenance["inputs"] if "/full/" in source]
        assert used == [f"results/tiny/networks/box0/threshold/3Rf/full/seed{seed}.h5"]
