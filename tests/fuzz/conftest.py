"""A memory limit for tests of damaged files."""

import resource
from pathlib import Path

import pytest

#: Address space beyond that of the process [bytes]: far above any buffer that small files need.
SPARE_MEMORY = 3 << 30


@pytest.fixture
def bounded_memory():
    """Make allocations far beyond what a small file needs fail with a MemoryError."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + SPARE_MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)
