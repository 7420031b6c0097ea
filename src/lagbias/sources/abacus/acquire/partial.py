"""A file that is not whole yet: kept beside its final name until it is verified."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from lagbias.sources.abacus.acquire.checksum import Checksum
from lagbias.sources.abacus.acquire.errors import AcquisitionError

__all__ = ["PartialFile", "RemoteFile", "partial_path"]


@dataclass(frozen=True)
class RemoteFile:
    """What a server said of the file when the download began.

    Attributes
    ----------
    url : str
        Where it came from.
    etag, last_modified : str or None
        Validators: when they change, the file has changed.
    size : int or None
        Length of the whole file in bytes.
    """

    url: str
    etag: str | None = None
    last_modified: str | None = None
    size: int | None = None

    @property
    def validator(self) -> str | None:
        """What to send as If-Range: a strong ETag, else Last-Modified, else nothing."""
        if self.etag and not self.etag.startswith("W/"):
            return self.etag
        return self.last_modified

    def same_content(self, other: RemoteFile) -> bool:
        """Whether nothing that both know of the file's content differs."""
        pairs = (
            (self.etag, other.etag),
            (self.last_modified, other.last_modified),
            (self.size, other.size),
        )
        return all(a is None or b is None or a == b for a, b in pairs)


#: Most bytes of a note that are looked at; an address and two validators are some hundred.
_LARGEST_NOTE = 1 << 16


def partial_path(path: str | Path) -> Path:
    """Return where the bytes of `path` are gathered: ``<path>.part``."""
    path = Path(path)
    return path.with_name(path.name + ".part")


class PartialFile:
    """The bytes that have come so far, and a note on what they belong to.

    Parameters
    ----------
    path : Path
        Final name of the file.
    """

    def __init__(self, path: Path):
        self.final = path
        self.path = partial_path(path)
        self._note = self.path.with_name(self.path.name + ".json")

    @property
    def size(self) -> int:
        """Bytes so far; none of what is there if it is a link or no file."""
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return 0
        return found.st_size if stat.S_ISREG(found.st_mode) else 0

    def origin(self) -> RemoteFile | None:
        """Return what the bytes belong to, or None where no readable note says so."""
        try:
            with _open_own(self._note, os.O_RDONLY) as note:
                remote = RemoteFile(**json.loads(note.read(_LARGEST_NOTE).decode()))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        return remote if _is_sound(remote) else None

    def resumable(self, url: str, expected: Checksum | None) -> int:
        """Return how many bytes can be kept; 0 means to start again.

        Parameters
        ----------
        url : str
            Where the rest would come from: bytes from another address are not continued.
        expected : Checksum or None
            What the whole file should be. Without it, and without a validator, nothing would
            notice if two versions of the file were joined, so nothing is continued.
        """
        size, origin = self.size, self.origin()
        if origin is None or origin.url != url:
            return 0
        if expected is None and origin.validator is None:
            return 0
        limit = origin.size if expected is None else expected.size
        return size if limit is None or size <= limit else 0

    @contextmanager
    def begin(self, remote: RemoteFile) -> Iterator[BinaryIO]:
        """Open for writing from the start, and note what the bytes belong to."""
        # emptied before the note: no note for other bytes
        with _create(self.path) as file:
            with _create(self._note) as note:
                note.write(json.dumps(asdict(remote)).encode())
            yield file

    @contextmanager
    def resume(self) -> Iterator[BinaryIO]:
        """Open for writing at the end."""
        with _open_own(self.path, os.O_WRONLY | os.O_APPEND) as file:
            yield file

    def discard(self) -> None:
        """Delete what has come so far."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self) -> None:
        """Give the file its final name; the caller has verified it."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())  # the rename must not outrun the bytes
        self.path.replace(self.final)
        self._note.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing the same file.

        Raises
        ------
        AcquisitionError
            If another process is fetching it.
        """
        lock = self.path.with_name(self.path.name + ".lock")
        with _open_own(lock, os.O_WRONLY | os.O_CREAT) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AcquisitionError(
                    f"{self.final} is being fetched by another process; wait until it is done, "
                    "then run again."
                ) from None
            except OSError:
                pass  # some network disks have no locks; the checksum still guards the result
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)


def _create(path: Path) -> BinaryIO:
    """Open a new file in the place of whatever is there; of a link, not of what it leads to."""
    path.unlink(missing_ok=True)
    return _open_own(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)


def _open_own(path: Path, flags: int) -> BinaryIO:
    """Open a file that is one in its own right: no link, pipe or device, and under no other name.

    Raises
    ------
    OSError
        If it is something else, so that nothing outside of the directory is written.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(descriptor)
        raise OSError(errno.EEXIST, "something is in the way that is no file of its own", str(path))
    return os.fdopen(descriptor, "rb" if flags & os.O_ACCMODE == os.O_RDONLY else "wb")


def _is_sound(remote: RemoteFile) -> bool:
    """Whether a note says what a server may have said."""
    texts = (remote.url, remote.etag, remote.last_modified)
    size = remote.size
    return (
        isinstance(remote.url, str)
        and all(text is None or (isinstance(text, str) and text.isprintable()) for text in texts)
        and (size is None or (type(size) is int and 0 <= size < 1 << 63))
    )
