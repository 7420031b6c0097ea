"""What jobs ask of a batch system covers what was measured, at two sizes."""

import json
import os
import subprocess
import sys

import pytest
import yaml

pytestmark = pytest.mark.workflow

#: Prints for each set of smoothing scales and each rule what it asks for at the first and the third
#: attempt, and the groups of rules.
ASK = """
import json, sys
from pathlib import Path
from snakemake.api import ConfigSettings, OutputSettings, ResourceSettings, SnakemakeApi
from snakemake.iocontainers import Wildcards

with SnakemakeApi(OutputSettings()) as api:
    workflow = api.workflow(
        resource_settings=ResourceSettings(cores=64),
        config_settings=ConfigSettings(configfiles=[Path(file) for file in sys.argv[1:]]),
        snakefile=Path("Snakefile"),
    )
    asked = {"groups": {}}
    rules = list(workflow._workflow.rules)
    for rule in rules:
        asked["groups"][rule.name] = rule.ruleinfo.group
    for smoothing_set in workflow._workflow.globals["CONFIG"].smoothing_sets:
        for rule in rules:
            wildcards = Wildcards(fromdict={name: smoothing_set for name in rule.wildcard_names})
            for attempt in (1, 3):
                resources = rule.expand_resources(wildcards, [], attempt)
                found = {name: resources.get(name) for name in ("_cores", "mem_mb", "runtime")}
                asked[f"{rule.name} {smoothing_set} {attempt}"] = found
print(json.dumps(asked))
"""

#: Peak memory [MB] and time on one core [s] of the largest job of each rule of the default run,
#: from its benchmark files (two cores, 8.0e6 particles), with the set of the largest. The time of
#: trainings is twice that measured with AVX-512, for machines with AVX2 only.
DEFAULT_RUN = {
    "simulate_box": (1032, 19, "3Rf"),
    "make_features": (234, 2, "3Rf"),
    "make_halo_fields": (229, 6, "3Rf"),
    "fit_whitening": (711, 2, "5Rf_fine"),
    "train_networks": (1207, 78, "5Rf_fine"),
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
#: memory of `read_box` and `make_features` is from earlier runs, in which it was larger. Trainings
#: are from a run with a job for each network: their time is that of two.
PAPER_RUN = {
    "acquire_box": (56, 4, "5Rf_fine"),
    "read_box": (10900, 65, "5Rf_fine"),
    "make_features": (5300, 31, "5Rf_fine"),
    "make_halo_fields": (1156, 9, "5Rf_fine"),
    "fit_whitening": (900, 23, "5Rf_fine"),
    "train_networks": (5652, 574, "5Rf_fine"),
    "least_squares": (4579, 29, "1Rf"),
    "gradient_pca": (1732, 16, "5Rf_fine"),
    "predict_spectra": (4381, 270, "5Rf_fine"),
}
PAPER_SIZE = {"training": {"epochs": 2}, "seeds": [0, 1]}
#: What is left above the measured figures, as in `workflow/rules/resources.smk`.
MARGIN = 1.5


@pytest.fixture(scope="module")
def asked(repository, tmp_path_factory):
    """What every rule asks for in the default run and in one of the paper's size."""
    paper = tmp_path_factory.mktemp("paper") / "paper.yaml"
    paper.write_text(yaml.safe_dump(PAPER_SIZE))
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    found = {}
    for size, files in (("default", []), ("paper", ["config/abacus.yaml", str(paper)])):
        done = subprocess.run(
            [sys.executable, "-c", ASK, *files],
            cwd=repository,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found[size] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(("size", "measured"), [("default", DEFAULT_RUN), ("paper", PAPER_RUN)])
def test_more_is_asked_for_than_was_measured(asked, size, measured):
    for rule, (megabytes, seconds, smoothing_set) in measured.items():
        job = asked[size][f"{rule} {smoothing_set} 1"]
        assert job["mem_mb"] >= MARGIN * megabytes, (rule, job)
        assert job["runtime"] >= MARGIN * seconds / 60, (rule, job)


def test_no_job_asks_for_several_times_what_was_measured(asked):
    """Jobs that ask for too much wait for a node, and for each other."""
    for rule, (megabytes, _, smoothing_set) in PAPER_RUN.items():
        # 700 MB for Snakemake around the job and for Python
        assert asked["paper"][f"{rule} {smoothing_set} 1"]["mem_mb"] <= 700 + 3 * megabytes, rule


@pytest.mark.parametrize("size", ["default", "paper"])
def test_every_rule_asks_and_asks_for_more_after_a_failure(asked, size):
    for rule in asked[size]["groups"].keys() - {"all", "inventory"}:
        first, third = (asked[size][f"{rule} 3Rf {attempt}"] for attempt in (1, 3))
        for name in ("mem_mb", "runtime"):
            assert third[name] > 2.9 * first[name], (rule, name)


def test_threads_grow_with_the_box(asked):
    threads = [asked[size]["predict_spectra 3Rf 1"]["_cores"] for size in ("default", "paper")]
    assert threads == [1, 4]


@pytest.mark.parametrize("profile", ["default", "gpu", "local", "slurm"])
def test_profiles_name_rules_and_groups_that_exist(repository, asked, profile):
    path = next((repository / "profiles" / profile).glob("config*.yaml"))
    settings = yaml.safe_load(path.read_text())
    groups = asked["default"]["groups"] | asked["paper"]["groups"]
    assert settings.get("set-resources", {}).keys() <= groups.keys()
    assert settings.get("groups", {}).keys() <= groups.keys()
    if components := settings.get("group-components"):
        assert components.keys() == {*groups.values(), *settings["groups"].values()} - {None}


def test_figures_and_claims_are_one_group(repository, asked):
    figures = yaml.safe_load((repository / "config/config.yaml").read_text())["figures"]
    groups = asked["default"]["groups"]
    assert {name for name in groups if groups[name]} == {*figures, "check_claims"}
    assert {groups[name] for name in figures} == {"figures"}
