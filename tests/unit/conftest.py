"""Fixtures of the tests of figures."""

import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from matplotlib.figure import Figure


@pytest.fixture(scope="session")
def toys() -> ModuleType:
    """Small artefacts for every figure: the module ``figure_toys``."""
    path = Path(__file__).parent / "figure_toys.py"
    spec = importlib.util.spec_from_file_location("figure_toys", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def figures(toys) -> Callable[[str], Figure]:
    """Draw a figure by name from small artefacts, once for all tests."""
    return cache(toys.draw)
