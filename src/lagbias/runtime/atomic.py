"""Atomic writing of files, and the error of artefacts that cannot be read or written."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lagbias.runtime.messages import first_line

__all__ = ["ArtefactError", "replacing", "write_text"]


class ArtefactError(RuntimeError):
    """An artefact cannot be read or written; the message names the file and the remedy."""


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8 atomically; see `replacing`."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Write a file under a temporary name and rename it on success.

    Parameters
    ----------
    path : str or Path
        The file; its directory is created when needed.

    Yields
    ------
    Path
        Where to write, in the same directory.

    Raises
    ------
    ArtefactError
        If the file cannot be written; an existing file at `path` stays untouched.
    """
    path = Path(path)
    # the suffix differs from that of `path`: no pattern of results matches a partial file
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _synchronise(temporary)
        temporary.replace(path)
    except (OSError, RuntimeError) as error:
        raise ArtefactError(_write_failure(path, error)) from error
    finally:
        with suppress(OSError):  # a read-only directory refuses even to remove nothing
            temporary.unlink(missing_ok=True)


def _synchronise(path: Path) -> None:
    """Flush a file to the disk, so that the rename cannot get ahead of its contents."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _write_failure(path: Path, error: Exception) -> str:
    text, number = str(error), getattr(error, "errno", None)  # HDF5 gives only the text
    if number in (errno.ENOSPC, errno.EDQUOT) or "No space left" in text or "quota" in text:
        why, remedy = "the disk is full", "Free some space"
    elif number == errno.EFBIG or "File too large" in text:
        why, remedy = "the file size limit is reached", "Raise it (`ulimit -f`) or free some space"
    elif number == errno.EROFS or "Read-only file system" in text:
        why, remedy = "the file system is read only", "Mount it writable or use another directory"
    elif number in (errno.EACCES, errno.EPERM):
        why, remedy = "permission denied", "Make the directory writable"
    elif number in (errno.ENOTDIR, errno.EEXIST):
        why = f"a file takes the place of one of its directories ({first_line(error)})"
        remedy = "Move that file away"
    else:
        why, remedy = first_line(error), "Remove the cause"
    return (
        f"{path} could not be written: {why}. No partial file was left and everything computed "
        f"before is safe. {remedy} and try again; a workflow continues where it stopped."
    )
