"""Fixtures that all tests share."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


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
