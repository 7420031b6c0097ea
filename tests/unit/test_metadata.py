"""pyproject.toml, CITATION.cff, codemeta.json and what catalogues read say the same."""

import json
import re
import tomllib

import pytest
import yaml


@pytest.fixture(scope="module")
def project(repository):
    return tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def citation(repository):
    return yaml.safe_load((repository / "CITATION.cff").read_text("utf-8"))


@pytest.fixture(scope="module")
def codemeta(repository):
    return json.loads((repository / "codemeta.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def declared(project):
    """What all files have to say."""
    return {
        "name": project["name"],
        "version": project["version"],
        "description": project["description"],
        "license": project["license"],
        "authors": [author["name"] for author in project["authors"]],
        "keywords": project["keywords"],
    }


def test_the_citation_is_of_this_package(declared, citation):
    assert declared == {
        "name": citation["title"].partition(":")[0],
        "version": citation["version"],
        "description": citation["abstract"],
        "license": citation["license"],
        "authors": [author["name"] for author in citation["authors"]],
        "keywords": citation["keywords"],
    }


def test_codemeta_describes_this_package(declared, codemeta):
    assert declared == {
        "name": codemeta["name"],
        "version": codemeta["version"],
        "description": codemeta["description"],
        "license": codemeta["license"].removeprefix("https://spdx.org/licenses/"),
        "authors": [author["name"] for author in codemeta["author"]],
        "keywords": codemeta["keywords"],
    }


def test_they_name_the_same_paper_and_python(project, citation, codemeta, repository):
    paper = citation["preferred-citation"]
    (publication,) = codemeta["referencePublication"]
    assert publication["name"] == paper["title"]
    assert publication["id"] == f"https://doi.org/{paper['doi']}"
    assert paper["doi"] in (repository / "docs" / "citing.md").read_text("utf-8")
    assert codemeta["runtimePlatform"] == f"Python {project['requires-python']}"


def test_the_workflow_catalogue_names_the_methods_that_are_documented(repository):
    catalogue = yaml.safe_load((repository / ".snakemake-workflow-catalog.yml").read_text("utf-8"))
    methods = catalogue["usage"]["software-stack-deployment"]
    for page in ("docs/how-to/cluster.md", "workflow/documentation.md"):
        rows = re.findall(
            r"^\| `--software-deployment-method (\w+)` \|",
            (repository / page).read_text("utf-8"),
            re.MULTILINE,
        )
        assert {method for method, works in methods.items() if works} == set(rows), page


def test_references_of_the_article_are_in_its_bibliography(repository):
    text = (repository / "paper" / "paper.md").read_text("utf-8")
    entries = re.findall(
        r"^@\w+\{(\w+),", (repository / "paper" / "paper.bib").read_text("utf-8"), re.MULTILINE
    )
    cited = set(re.findall(r"@(\w+)", text))
    assert cited == set(entries) and len(entries) == len(cited)


def test_ci_runs_what_users_run(repository):
    """Each target that a workflow of CI makes is one of the Makefile."""
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (repository / "Makefile").read_text(), re.MULTILINE)
    made = set()
    for path in (repository / ".github" / "workflows").glob("*.yml"):
        jobs = yaml.safe_load(path.read_text("utf-8"))["jobs"].values()
        commands = [step.get("run", "") for job in jobs for step in job["steps"]]
        made |= {name for command in commands for name in re.findall(r"\bmake ([\w-]+)", command)}
    assert {"test", "lint", "docs", "test-nightly"} <= made <= set(phony.split())
