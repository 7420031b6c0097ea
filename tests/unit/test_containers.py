"""The recipes of containers install what `make setup` does, and copy what that needs."""

import re
import tomllib

import pytest

RECIPES = ("Dockerfile", "lagbias.def")


def instructions(repository, name):
    """Return a recipe without comments, with continued lines joined."""
    text = (repository / "containers" / name).read_text().replace("\\\n", " ")
    return "\n".join(line for line in text.splitlines() if not line.strip().startswith("#"))


@pytest.fixture(scope="module")
def project(repository):
    return tomllib.loads((repository / "pyproject.toml").read_text())


@pytest.fixture(params=RECIPES)
def recipe(request, repository):
    return instructions(repository, request.param)


@pytest.fixture
def recipes(repository):
    """Both recipes, which are alike in some respects."""
    return [instructions(repository, name) for name in RECIPES]


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


def arguments(recipe):
    """Return the arguments of a build and their defaults."""
    (block,) = re.findall(r"%arguments\n((?:    .*\n)+)", recipe) or [recipe]
    return dict(re.findall(r"^(?:ARG |    )(\w+)=(\S*)$", block.replace('""', ""), re.MULTILINE))


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


def test_an_environment_is_made_before_the_installation_and_is_on_the_path(recipe):
    """Debian's own Python, in the base that debian-base.sh makes, takes no packages from pip."""
    (place,) = re.findall(r"python3 -m venv (\S+)", recipe)
    made = recipe.index("python3 -m venv")
    (first, *_) = re.finditer(rf'(?:ENV|export) PATH="{place}/bin:', recipe[made:])
    assert first.start() < recipe[made:].index("python -m pip install")


def test_the_interpreter_is_one_that_the_package_supports(recipes, project):
    docker, apptainer = (arguments(recipe) for recipe in recipes)
    assert docker["BASE"] == apptainer["base"]
    (version,) = re.findall(r"python:3\.(\d+)-slim-bookworm", docker["BASE"])
    assert project["project"]["requires-python"] == ">=3.11"
    assert int(version) >= 11
    assert "FROM ${BASE}" in recipes[0] and "From: {{ base }}" in recipes[1]


def test_both_recipes_install_the_same(recipes):
    for pattern in (r"apt-get install (.*?)(?: &&|$)", r"'/opt/lagbias\[.*\]'", r"venv \S+"):
        docker, apptainer = (re.findall(pattern, recipe, re.MULTILINE) for recipe in recipes)
        assert [text.split() for text in docker] == [text.split() for text in apptainer]
        assert docker


def test_the_base_from_debian_is_of_the_same_release_and_has_python(repository, recipes):
    script = (repository / "containers" / "debian-base.sh").read_text()
    packages, release = re.search(r"--include=(\S+) (\w+)", script).groups()
    assert arguments(recipes[0])["BASE"].endswith(release)
    assert {"python3-dev", "python3-venv"} <= set(packages.split(","))
    assert "set -euo pipefail" in script  # otherwise a failure of mmdebstrap imports half a system


def test_arguments_in_comments_and_documentation_are_those_of_the_recipes(repository, recipes):
    declared = set().union(*map(arguments, recipes))
    files = [*(repository / "containers").iterdir(), repository / "docs/how-to/cluster.md"]
    named = set()
    for file in files:
        if file.suffix != ".sif":
            named |= set(re.findall(r"--build-arg (\w+)=", file.read_text()))
    assert named == declared


def test_plans_of_transforms_stay_in_the_mounted_checkout(recipes):
    """In the container they would be lost with it; chosen again, they change last bits."""
    (directory,) = re.findall(r"^WORKDIR (\S+)", recipes[0], re.MULTILINE)
    (cache,) = re.findall(r"LAGBIAS_CACHE_DIR=(\S+)", recipes[0])
    assert cache.startswith(f"{directory}/.snakemake/")
