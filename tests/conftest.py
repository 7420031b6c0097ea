"""Fixtures that all tests share."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
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
        help="many more random cases and interruptions: about an hour in all",
    )


def pytest_configure(config):
    settings.load_profile("nightly" if config.getoption("--nightly") else "default")


@pytest.fixture(scope="session")
def nightly(pytestconfig) -> bool:
    """Whether tests may take many minutes."""
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


@pytest.fixture(scope="session")
def read_only() -> Callable[[Path], list[str]]:
    """Words before a command for which a directory is to be on a file system that is read only.

    The directory is mounted anew for the command alone: permissions would not stop root.
    """
    mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    private = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "-r"]

    def words(directory: Path) -> list[str]:
        before = [*private, "sh", "-c", mount, str(directory)]
        try:
            tried = subprocess.run([*before, "true"], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("a directory cannot be made read only: unshare is not installed")
        if tried.returncode:
            pytest.skip(f"a directory cannot be made read only: {tried.stderr.strip()}")
        return before

    return words


@pytest.fixture
def compiled_and_loaded(tmp_path) -> Callable[[str], list[str]]:
    """Return what code prints in a process that compiles kernels, and in one that loads them."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def run(code: str) -> list[str]:
        command = [sys.executable, "-c", code]
        found = [
            subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            for _ in range(2)
        ]
        assert list(tmp_path.rglob("*.nbc"))  # the second process had something to load
        return [done.stdout for done in found]

    return run
