"""What jobs ask of a batch system covers what was measured, at two sizes, and costs no reruns."""

import json
import os
import re
import subprocess
import sys

import pytest
import yaml

pytestmark = pytest.mark.workflow

#: Prints what every rule asks for at an attempt, for a smoothing set.
ASK = """
import json, sys
from pathlib import Path
from snakemake.api import ConfigSettings, OutputSettings, ResourceSettings, SnakemakeApi
from snakemake.iocontainers import Wildcards

configfiles, smoothing_set, attempt = json.loads(sys.argv[1])
with SnakemakeApi(OutputSettings()) as api:
    workflow = api.workflow(
        resource_settings=ResourceSettings(cores=64),
        config_settings=ConfigSettings(configfiles=[Path(file) for file in configfiles]),
        snakefile=Path("Snakefile"),
    )
    asked = {}
    for rule in workflow._workflow.rules:
        names = {name: smoothing_set for name in rule.wildcard_names}
        resources = rule.expand_resources(Wildcards(fromdict=names), [], attempt)
        asked[rule.name] = {name: resources.get(name) for name in ("_cores", "mem_mb", "runtime")}
print(json.dumps(asked))
"""

#: Peak memory [MB] and time on one core [s] of the largest job of each rule of the default run,
#: from its benchmark files (two cores, 8.0e6 particles), with the set of the largest.
DEFAULT_RUN = {
    "simulate_box": (1032, 19, "3Rf"),
    "make_features": (234, 2, "3Rf"),
    "make_halo_fields": (229, 6, "3Rf"),
    "fit_whitening": (711, 2, "5Rf_fine"),
    "train_network": (684, 48, "3Rf_fine"),
    "predict_spectra": (1424, 34, "5Rf_fine"),
    "gradient_pca": (612, 12, "3Rf+11.3"),
    "least_squares": (640, 7, "1Rf"),
    "predict_least_squares": (696, 6, "1Rf"),
    "bin_networks": (580, 12, "1Rf"),
    "cut_slab": (900, 8, "3Rf"),
    "check_claims": (270, 3, "3Rf"),
    "method_overview": (268, 5, "3Rf"),
    "principal_components": (278, 5, "3Rf"),
    "thin_mass_components": (266, 4, "thin"),
}
#: The same of a run on synthetic boxes of the paper's size, with two epochs and two seeds. The
#: memory of `read_box` and `make_features` is from earlier runs, in which it was larger.
PAPER_RUN = {
    "acquire_box": (56, 4, "5Rf_fine"),
    "read_box": (10900, 65, "5Rf_fine"),
    "make_features": (5300, 31, "5Rf_fine"),
    "make_halo_fields": (1156, 9, "5Rf_fine"),
    "fit_whitening": (900, 23, "5Rf_fine"),
    "train_network": (5652, 287, "5Rf_fine"),
    "least_squares": (4579, 29, "1Rf"),
    "gradient_pca": (1732, 16, "5Rf_fine"),
    "predict_spectra": (4381, 270, "5Rf_fine"),
}
PAPER_SIZE = {"training": {"epochs": 2}, "seeds": [0, 1]}
#: What is left above the measured figures, as in `workflow/rules/resources.smk`.
MARGIN = 1.5


@pytest.fixture(scope="module")
def ask(repository, tmp_path_factory):
    """Return a function that says what every rule asks for."""
    paper = tmp_path_factory.mktemp("paper") / "paper.yaml"
    paper.write_text(yaml.safe_dump(PAPER_SIZE))
    files = {"default": [], "paper": ["config/abacus.yaml", str(paper)]}
    known = {}

    def asked(size, smoothing_set="3Rf", attempt=1):
        key = (size, smoothing_set, attempt)
        if key not in known:
            known[key] = run(repository, [files[size], smoothing_set, attempt])
        return known[key]

    return asked


def run(repository, question):
    command = [sys.executable, "-c", ASK, json.dumps(question)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=repository, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("size", "measured"), [("default", DEFAULT_RUN), ("paper", PAPER_RUN)])
def test_more_is_asked_for_than_was_measured(ask, size, measured):
    for rule, (megabytes, seconds, smoothing_set) in measured.items():
        asked = ask(size, smoothing_set)[rule]
        assert asked["mem_mb"] >= MARGIN * megabytes, (rule, asked)
        assert asked["runtime"] >= MARGIN * seconds / 60, (rule, asked)


def test_no_job_asks_for_several_times_what_was_measured(ask):
    """Jobs that ask for too much wait for a node, and for each other."""
    for rule, (megabytes, _, smoothing_set) in PAPER_RUN.items():
        # 700 MB for Snakemake around the job and for Python
        assert ask("paper", smoothing_set)[rule]["mem_mb"] <= 700 + 3 * megabytes, rule


def test_every_rule_asks_and_asks_for_more_after_a_failure(ask):
    for size in ("default", "paper"):
        first, third = ask(size), ask(size, attempt=3)
        for rule in first.keys() - {"all", "inventory"}:
            for name in ("mem_mb", "runtime"):
                assert third[rule][name] > 2.9 * first[rule][name], (rule, name)


def test_threads_grow_with_the_box(ask):
    small, large = ask("default")["predict_spectra"], ask("paper")["predict_spectra"]
    assert (small["_cores"], large["_cores"]) == (1, 4)


@pytest.mark.parametrize("profile", ["default", "gpu", "local", "slurm"])
def test_profiles_name_rules_and_groups_that_exist(repository, ask, profile):
    path = next((repository / "profiles" / profile).glob("config*.yaml"))
    settings = yaml.safe_load(path.read_text())
    rules = ask("default").keys() | ask("paper").keys()
    assert settings.get("set-resources", {}).keys() <= rules
    assert settings.get("groups", {}).keys() <= rules
    assert settings.get("group-components", {}).keys() == set(settings.get("groups", {}).values())


def test_every_figure_is_in_the_group_of_figures(repository):
    text = (repository / "profiles" / "slurm" / "config.v8+.yaml").read_text()
    groups = yaml.safe_load(text)["groups"]
    files = (repository / "workflow" / "rules").glob("figures_*.smk")
    names = {name for file in files for name in re.findall(r"^rule (\w+):", file.read_text(), re.M)}
    assert {name for name, group in groups.items() if group == "figures"} == (
        names - {"cut_slab"} | {"check_claims"}
    )


def test_other_resources_rerun_nothing(finished):
    assert finished.plan("--workflow-profile", "profiles/slurm") == {}
    asked = ("simulate_box:mem_mb=9999", "train_network:runtime=77")
    assert finished.plan("--set-resources", *asked, "--set-threads", "make_features=2") == {}
