"""What is put in order before a run: times that lie ahead, and files that killed jobs have left."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["bring_back", "file_system_time", "remove_leftovers"]

#: Names under which `lagbias.store.replacing` writes.
_TEMPORARY = re.compile(r"\..+\.\d+\.tmp")
#: Jobs write for minutes at most, and on nodes whose processes cannot be asked from here [s].
_ABANDONED = 3600.0
#: Clocks differ by milliseconds where they are kept well [s].
_TOLERANCE = 1.0
#: Scripts stay older than what they made, on file systems that count in twos of seconds too [s].
_BEFORE = 2.0


def bring_back(results: Path, scripts: Path) -> str:
    """Set times that lie ahead of the clock to the present.

    They come from machines whose clocks are fast, and from clocks that were set back. Snakemake
    would call what is made today older than such an input: it fails the job and removes its
    output, or makes it again until the clock has caught up. Order is kept, so that nothing that
    was up to date is made again: of two files that were ahead neither is newer afterwards, and
    scripts are older than results.

    Parameters
    ----------
    results, scripts : Path
        Directories of artefacts, and of the scripts that make them; they need not exist. Files
        that may not be changed are left as they are.

    Returns
    -------
    str
        A sentence about what was done, empty if that is nothing.
    """
    if not results.is_dir():
        return ""
    now = file_system_time(results)
    files = [(path, now) for path in _files(results)]
    files += [(path, now - _BEFORE) for path in _files(scripts)]
    ahead = [(path, then, age) for path, then in files if (age := _time(path) - now) > 0]
    most = max((seconds for _, _, seconds in ahead), default=0.0)
    if most <= _TOLERANCE:
        return ""
    changed = sum(_set_time(path, then) for path, then, _ in ahead)
    return (
        f"{changed} files in {results} and {scripts} had times up to {_readable(most)} ahead of "
        f"this machine's clock, which another machine gave them or an earlier setting of the "
        f"clock. They now count as made at this moment; nothing is made again because of it."
    )


def remove_leftovers(results: Path, *, older_than: float = _ABANDONED) -> list[Path]:
    """Remove the temporary files of jobs that were killed while they wrote.

    Parameters
    ----------
    results : Path
        Directory of artefacts; it need not exist.
    older_than : float
        Only files that were not written to for as long [s]: a younger one may be at work on
        another node.

    Returns
    -------
    list of Path
        The files removed.
    """
    found = [path for path in _files(results) if _TEMPORARY.fullmatch(path.name)]
    if not found:
        return []
    latest = file_system_time(results) - older_than
    removed = []
    for path in found:
        if _time(path) < latest:
            with suppress(OSError):  # of another user, say
                path.unlink()
                removed.append(path)
    return removed


def file_system_time(directory: Path) -> float:
    """Return the time [s] that a file written now is given, by a server or by this machine.

    Where nothing can be written, it is infinite.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".clock.") as probe:
            return os.fstat(probe.fileno()).st_mtime
    except OSError:
        return float("inf")


def _files(directory: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(directory):
        yield from (Path(parent, name) for name in names)


def _time(path: Path) -> float:
    """Return when a file was last written [s]; long ago for links and files that are gone."""
    try:
        return float("-inf") if path.is_symlink() else path.stat().st_mtime
    except OSError:
        return float("-inf")


def _set_time(path: Path, seconds: float) -> bool:
    try:
        os.utime(path, (seconds, seconds))
    except OSError:
        return False
    return True


def _readable(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
