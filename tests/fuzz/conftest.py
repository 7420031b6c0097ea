"""What tests with hostile inputs share: a limit on memory, and a watch on what is touched."""

import os
import resource
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

#: Address space that reading an input of kilobytes may take beyond what the process has [bytes]:
#: far above any buffer that is needed, far below what a hostile size would ask for.
SPARE_MEMORY = 3 << 30
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FORBIDDEN = frozenset(
    """os.chmod os.chown os.exec os.fork os.forkpty os.link os.mkdir os.posix_spawn os.remove
    os.rename os.rmdir os.spawn os.symlink os.system os.truncate pty.spawn shutil.rmtree
    socket.connect subprocess.Popen marshal.loads pickle.find_class""".split()
)


class Watch:
    """Notes what is written, run or connected to while it is on.

    Attributes
    ----------
    seen : list of str
        Events of the interpreter, in their order.
    """

    def __init__(self):
        self.seen, self._on = [], False
        sys.addaudithook(self._hook)  # for good: hooks cannot be taken away

    def _hook(self, event, arguments):
        if not self._on:
            return
        if event in _FORBIDDEN:
            self.seen.append(f"{event} {arguments!r}")
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
            self.seen.append(f"open for writing {arguments[0]!r}")

    @contextmanager
    def nothing_touched(self):
        """Assert that nothing is written, run or connected to in the block."""
        self.seen.clear()
        self._on = True
        try:
            yield
        finally:
            self._on = False
        assert not self.seen


@pytest.fixture(scope="session")
def watch():
    return Watch()


@pytest.fixture
def bounded_memory():
    """Let what needs much more memory than there is now fail with a MemoryError."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + SPARE_MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)
