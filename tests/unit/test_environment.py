"""pyproject.toml, environment.yml, constraints.txt and what is installed agree."""

import tomllib
from importlib.metadata import version

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

#: Names that differ between PyPI and conda.
CONDA_NAMES = {"pytorch": "torch", "snakemake-minimal": "snakemake"}


def _named(requirements):
    return {canonicalize_name(r.name): r.specifier for r in map(Requirement, requirements)}


@pytest.fixture(scope="module")
def declared(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    extras = [r for group in project["optional-dependencies"].values() for r in group]
    return _named([*project["dependencies"], *extras])


@pytest.fixture(scope="module")
def pinned(repository):
    lines = (repository / "constraints.txt").read_text().split()
    return {canonicalize_name(n): v for n, v in (line.split("==") for line in lines)}


def test_conda_users_get_the_same_requirements(repository, declared):
    listed = yaml.safe_load((repository / "environment.yml").read_text())["dependencies"]
    plain = [item for item in listed if isinstance(item, str)]
    nested = [r for item in listed if isinstance(item, dict) for r in item["pip"]]
    conda = _named([*plain, *nested])
    conda = {CONDA_NAMES.get(name, name): bounds for name, bounds in conda.items()}
    conda.pop("pip")
    assert str(conda.pop("python")) == ">=3.11"
    assert conda == declared


def test_every_requirement_has_a_pin_that_satisfies_it(declared, pinned):
    for name, bounds in declared.items():
        assert name in pinned, name
        assert pinned[name] in bounds, (name, pinned[name], str(bounds))


def test_pins_name_no_local_build(pinned):
    assert not [name for name, pin in pinned.items() if "+" in pin]


def test_the_pins_are_what_is_installed(declared, pinned):
    installed = {name: version(name).split("+")[0] for name in declared}
    assert installed == {name: pinned[name] for name in declared}
