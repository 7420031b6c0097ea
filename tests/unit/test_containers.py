"""The recipes of containers install what `make setup` does, and copy what that needs."""

import re
import tomllib

import pytest


@pytest.fixture(scope="module")
def project(repository):
    return tomllib.loads((repository / "pyproject.toml").read_text())


@pytest.fixture(params=["Dockerfile", "lagbias.def"])
def recipe(request, repository):
    """A recipe without comments, with continued lines joined."""
    text = (repository / "containers" / request.param).read_text().replace("\\\n", " ")
    return "\n".join(line for line in text.splitlines() if not line.strip().startswith("#"))


def copied(recipe):
    """Return where each file or directory of the repository is copied to."""
    found = {}
    for line in recipe.splitlines():
        words = line.removeprefix("COPY ").split()
        if line.startswith("COPY "):
            *names, target = words
            whole = target.endswith("/")
            found |= {name: f"{target}{name}" if whole else target for name in names}
        elif re.fullmatch(r"    \S+ /opt/lagbias/\S+", line):
            found[words[0]] = words[1]
    return found


def test_the_package_is_installed_with_the_pins_of_the_repository(recipe, project):
    installs = re.findall(r"pip install (.*)", recipe)
    assert len(installs) == 1
    (install,) = installs
    constraints = re.findall(r"--constraint (\S+)", install)
    assert constraints == [copied(recipe)["constraints.txt"]]
    (extras,) = re.findall(r"'/opt/lagbias\[(.*)\]'", install)
    assert set(extras.split(",")) <= project["project"]["optional-dependencies"].keys()
    assert "workflow" in extras.split(",")
    assert "==" not in install  # no pins of its own
    assert recipe.index("pip check") > recipe.index("pip install")


def test_everything_that_the_build_reads_is_copied_and_exists(recipe, project, repository):
    places = copied(recipe)
    declared = project["project"]
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    needed = {"pyproject.toml", declared["readme"], *declared["license-files"]}
    needed |= {package.split("/")[0] for package in packages}
    assert needed <= places.keys()
    assert all((repository / name).exists() for name in places)
    assert places == {name: f"/opt/lagbias/{name}" for name in places}


def test_the_interpreter_is_one_that_the_package_supports(recipe, project):
    (version,) = re.findall(r"(?:FROM|From:) python:3\.(\d+)", recipe)
    assert project["project"]["requires-python"] == ">=3.11"
    assert int(version) >= 11
