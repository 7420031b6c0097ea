"""Fixtures that all tests share."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

# property-based tests: the same cases each time in CI, new ones at night
settings.register_profile("default", max_examples=200, deadline=None, derandomize=True)
settings.register_profile("nightly", max_examples=10_000, deadline=None, print_blob=True)


def pytest_addoption(parser):
    parser.addoption(
        "--nightly",
        action="store_true",
        help="many more random cases and interruptions: hours rather than minutes",
    )


def pytest_configure(config):
    settings.load_profile("nightly" if config.getoption("--nightly") else "default")


@pytest.fixture(scope="session")
def nightly(pytestconfig) -> bool:
    """Whether tests may take hours."""
    return pytestconfig.getoption("--nightly")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def abacus_tree() -> ModuleType:
    """The module that writes a small simulation in AbacusSummit's layout and formats."""
    spec = importlib.util.spec_from_file_location(
        "abacus_tree", Path(__file__).parent / "abacus_tree.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
