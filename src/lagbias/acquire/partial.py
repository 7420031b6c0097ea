"""A file that is not whole yet: kept beside its final name until it is verified."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from lagbias.acquire.checksum import Checksum
from lagbias.acquire.errors import AcquisitionError

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
        """Bytes so far."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def origin(self) -> RemoteFile | None:
        """Return what the bytes belong to, or None where no readable note says so."""
        try:
            return RemoteFile(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

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
        with self.path.open("wb") as file:  # emptied before the note: no note for other bytes
            self._note.write_text(json.dumps(asdict(remote)), encoding="utf-8")
            yield file

    @contextmanager
    def resume(self) -> Iterator[BinaryIO]:
        """Open for writing at the end."""
        with self.path.open("ab") as file:
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
        with lock.open("wb") as file:
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
