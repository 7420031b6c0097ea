"""What unit tests share: a small box, and figures of small artefacts."""

import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from matplotlib.figure import Figure

from lagbias.sources.base import Box
from lagbias.sources.embedded import make_box

#: The smallest box whose alignment is checked and that has a few hundred halos.
SMALL_BOX = SimpleNamespace(
    box_size=120.0,
    particles_per_side=32,
    redshift=0.5,
    initial_redshift=19.0,
    steps=3,
    linking_length=0.2,
    min_halo_particles=5,
    kept_fraction=1.0,
    kept_sampling="even",
)


@pytest.fixture(scope="session")
def small_settings() -> SimpleNamespace:
    """Settings of `box`."""
    return SMALL_BOX


@pytest.fixture(scope="session")
def box() -> Box:
    """A box of 120 Mpc/h with 32³ particles."""
    return make_box(SMALL_BOX, seed=1, threads=1)


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
