"""The workflow from other directories, as a module of another workflow, and with environments."""

import os
import re
import shutil
import sys
import tomllib

import pytest

pytestmark = pytest.mark.workflow

#: Another workflow, which imports this one under other names and in a directory of its own.
IMPORTING = """
configfile: "{root}/config/config.yaml"
configfile: "{root}/config/tiny.yaml"

rule mine:
    input: "bias/results/mine/features/box0/rf1.41.h5"
    output: "mine.txt"
    shell: "touch {{output}}"

module lagbias:
    snakefile: "{root}/workflow/Snakefile"
    config: config | {{"run": "mine"}}
    prefix: "bias"

use rule * from lagbias as lagbias_*

use rule make_features from lagbias as lagbias_make_features with:
    threads: 2
"""
#: What snakedeploy 0.17.1 writes, without comments.
DEPLOYED = """
configfile: "config/config.yaml"

module lagbias:
    snakefile:
        github("example/lagbias", path="workflow/Snakefile", tag="v0.1.0")
    config:
        config

use rule * from lagbias
"""
#: Stands for conda: it answers questions, and can make no environment.
CONDA = """#!/bin/sh
case "$*" in
  "info --json") echo '{"conda_prefix": "/nowhere", "platform": "linux-64"}' ;;
  "--version") echo "conda 24.7.1" ;;
  "config --get channel_priority --json") echo '{"get": {"channel_priority": "strict"}}' ;;
  *) echo "unexpected: conda $*" >&2; exit 1 ;;
esac
"""
#: Jobs of the tiny run.
JOBS = 93
APPTAINER = "#!/bin/sh\necho apptainer version 1.3.4\n"


def command(*arguments):
    return [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]


def test_as_a_module_it_plans_and_makes_what_it_does_by_itself(finished, tmp_path, jobs_in):
    (tmp_path / "Snakefile").write_text(IMPORTING.format(root=finished.root))
    plan = jobs_in(finished.run(command("--dry-run", "lagbias_all"), cwd=tmp_path))
    assert sum(plan.values()) == JOBS + 1  # with its rule `all`
    assert (plan["lagbias_train_networks"], plan["lagbias_power_ratio_boxes"]) == (14, 1)
    finished.run(command(), cwd=tmp_path)  # the importing workflow's own first rule
    assert (tmp_path / "mine.txt").exists()
    assert "Nothing to be done" in finished.run(command(), cwd=tmp_path)


@pytest.mark.skipif(shutil.which("git") is None, reason="Git is not installed")
def test_as_a_module_from_a_repository_it_uses_the_installed_library(finished, tmp_path, jobs_in):
    """The repository on GitHub is a local one here; the rules are in Snakemake's cache."""
    source, deployed = tmp_path / "source", tmp_path / "deployed"
    for part in ("workflow", "config"):
        shutil.copytree(finished.root / part, source / part)
    shutil.copy(finished.root / "environment.yml", source)
    shutil.copytree(source / "config", deployed / "config")
    (deployed / "workflow").mkdir()
    (deployed / "workflow" / "Snakefile").write_text(DEPLOYED)
    environment = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{source}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/example/lagbias",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": str(finished.root / "src"),  # the installed library
    }
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for arguments in (
        ["init", "--quiet"],
        ["add", "."],
        ["commit", "--quiet", "--message", "Workflow"],
        ["tag", "v0.1.0"],
    ):
        finished.run([*git, *arguments], cwd=source)
    run = command("--configfile", "config/tiny.yaml")
    planned = finished.run([*run, "--dry-run"], cwd=deployed, environment=environment)
    assert sum(jobs_in(planned).values()) == JOBS
    page = "results/tiny/configuration.html"
    finished.run([*run, "--", page], cwd=deployed, environment=environment)
    assert (deployed / page).read_bytes() == (finished.root / page).read_bytes()


def test_from_another_directory_with_its_own_library(finished, tmp_path, jobs_in):
    """And with another `lagbias` on Python's path, which is not the one that is used."""
    decoy = tmp_path / "decoy" / "lagbias"
    decoy.mkdir(parents=True)
    (decoy / "__init__.py").write_text("raise ImportError('the wrong lagbias')")
    arguments = ("--snakefile", finished.root / "workflow" / "Snakefile", "--directory", tmp_path)
    files = ("--configfile", finished.root / "config/tiny.yaml")
    page = "results/tiny/configuration.html"
    text = finished.run(
        command(*arguments, *files, "--", page),
        cwd=tmp_path,
        environment={"PYTHONPATH": str(decoy.parent)},
    )
    assert "1 of 1 steps" in text
    assert (tmp_path / page).read_bytes() == (finished.root / page).read_bytes()


def test_a_library_of_another_version_or_none_is_refused(finished, repository, tmp_path):
    """Where the workflow has no library beside it."""
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    common = (repository / "workflow" / "rules" / "common.smk").read_text()
    assert re.findall('VERSION = "(.*)"', common) == [project["version"]]
    alone = tmp_path / "alone"
    for part in ("workflow", "config"):
        shutil.copytree(finished.root / part, alone / part)
    decoy = tmp_path / "decoy" / "lagbias"
    decoy.mkdir(parents=True)
    for content, said in (
        ("__version__ = '0.0.1'", "lagbias 0.0.1 is installed"),
        ("raise ImportError", "is neither in"),
    ):
        (decoy / "__init__.py").write_text(content)
        environment = {"PYTHONPATH": str(decoy.parent)}
        text = finished.run(command("-n"), cwd=alone, check=False, environment=environment)
        assert said in text and "checkout of the repository" in text
        assert "Traceback" not in text


@pytest.mark.parametrize(("method", "program"), [("conda", CONDA), ("apptainer", APPTAINER)])
def test_a_plan_with_an_environment_needs_no_network(finished, tmp_path, method, program, jobs_in):
    """The program that would make it can do nothing; no environment is made by any test."""
    stub = tmp_path / method
    stub.write_text(program)
    stub.chmod(0o755)
    text = finished.run(
        command(
            *("--snakefile", finished.root / "Snakefile"),
            *("--configfile", finished.root / "config/tiny.yaml"),
            *("--software-deployment-method", method, "--dry-run"),
        ),
        cwd=tmp_path,
        environment={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    assert ("environment.yml will be created" in text) == (method == "conda")
    assert sum(jobs_in(text).values()) == JOBS
