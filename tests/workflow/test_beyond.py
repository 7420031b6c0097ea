"""The comparison beyond the paper: what is made for it, on the smallest boxes."""

import pytest
import yaml

from lagbias.config.checks import BEYOND_FIGURES

pytestmark = pytest.mark.workflow

#: The smoothing sets of the default configuration but that of the thin mass ranges.
SETS = 6
BASELINES = 4
FORMULA = 1


@pytest.fixture(scope="module")
def checkout(shared_checkout):
    """A checkout without results."""
    return shared_checkout("beyond")


@pytest.fixture(scope="module")
def plan(checkout):
    """How many jobs of each rule the comparison takes."""
    files = ("--configfile", "config/tiny.yaml", "config/beyond.yaml")
    return checkout.plan(*files, "--", "beyond")


def test_all_models_are_compared_on_all_boxes(checkout, plan):
    chosen = yaml.safe_load((checkout.root / "config/beyond.yaml").read_text())["beyond"]
    ensembles = SETS + sum(len(variant["sets"]) for variant in chosen["variants"].values())
    ensembles += len(chosen["samples"])
    ensembles += 1  # on two components
    joint = {box for variant in chosen["variants"].values() for box in variant.get("joint", [])}
    boxes = len(chosen["validation"])
    assert plan["simulate_box"] == 2 + len(joint) + boxes
    assert plan["train_networks"] == ensembles
    assert plan["fit_baselines"] == 1
    assert plan["predict_spectra"] == ensembles * boxes
    assert plan["predict_baselines"] == boxes
    assert plan["compare_fields"] == (ensembles + BASELINES + FORMULA) * boxes
    assert plan["gradient_pca"] == plan["fit_surface"] == plan["tabulate_surface"] == 1
    assert plan["predict_formula"] == boxes
    assert plan["predict_multipoles"] == boxes


@pytest.mark.parametrize("name", [*BEYOND_FIGURES, "tabulate_comparison"])
def test_all_figures_and_the_table_are_made(name, plan):
    assert plan.get(name) == 1


def test_without_it_there_are_no_such_rules(checkout):
    assert "beyond" in checkout.snakemake("--dry-run", "--", "beyond", check=False)
