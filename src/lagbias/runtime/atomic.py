"""Files that are written whole or not at all, and the error of files that cannot be used."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lagbias.runtime.messages import first_line

__all__ = ["ArtefactError", "replacing", "write_text"]

_NOT_ALLOWED = (errno.EACCES, errno.EROFS, errno.EPERM)
_NO_DIRECTORY = (errno.ENOTDIR, errno.EEXIST)


class ArtefactError(RuntimeError):
    """An artefact cannot be read or written; the message names the file and the remedy."""


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8, atomically.

    Parameters
    ----------
    path : str or Path
        The file; its directory is made if need be.
    text : str
        What it is to hold.

    Raises
    ------
    ArtefactError
        If the file cannot be written; whatever stood at `path` before is untouched.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Write a file under a temporary name, and move it into place when all went well.

    Parameters
    ----------
    path : str or Path
        The file; its directory is made if need be.

    Yields
    ------
    Path
        Where to write. It does not end as `path` does, so that nobody takes it for whole.

    Raises
    ------
    ArtefactError
        If the file cannot be written; whatever stood at `path` before is untouched.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _synchronise(temporary)
        temporary.replace(path)
    except (OSError, RuntimeError) as error:
        raise ArtefactError(_write_failure(path, error)) from error
    finally:
        # where nothing may be written, nothing may be removed either, not even what is not there
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _synchronise(path: Path) -> None:
    """Wait until the file's bytes are on the disk, so that the rename cannot outrun them."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_failure(path: Path, error: Exception) -> str:
    text = str(error)
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT) or "No space left" in text or "quota" in text:
        why, remedy = "the disk is full", "Free some space"
    elif number == errno.EFBIG or "File too large" in text:
        why, remedy = "the file size limit is reached", "Raise it (`ulimit -f`) or free some space"
    elif number == errno.EROFS or "Read-only file system" in text:
        why = "the file system may be read only"
        remedy = "Have it mounted for writing, or work in a directory elsewhere,"
    elif number in _NOT_ALLOWED:
        why, remedy = "the directory may not be written to", "Give yourself write permission"
    elif number in _NO_DIRECTORY:
        why = f"a file is in the place of a directory above it ({first_line(error)})"
        remedy = "Move that file away"
    else:
        why, remedy = first_line(error), "Mend the cause"
    return (
        f"{path} could not be written: {why}. No partial file was left and everything computed "
        f"before is safe. {remedy} and run the workflow again; it continues where it stopped."
    )
