"""Where files go: names that stay inside a directory, room on the disk, sizes in words."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from lagbias.runtime import progress
from lagbias.runtime.messages import shown
from lagbias.sources.abacus.acquire.errors import NotEnoughSpaceError

__all__ = [
    "byte_bar",
    "check_space",
    "format_bytes",
    "free_space",
    "place",
    "safe_relative",
]

_LONGEST = 4000  # characters of a path; systems allow 4096 bytes


def safe_relative(relative: str | PurePosixPath) -> PurePosixPath:
    """Return a relative path after checking that it stays below the directory it is joined to.

    Parameters
    ----------
    relative : str or PurePosixPath
        Path with forward slashes. Only its spelling is looked at: a directory on the way may
        be a symbolic link, as is usual where data live on a scratch disk.

    Returns
    -------
    PurePosixPath
        The same path.

    Raises
    ------
    ValueError
        If it is empty, absolute or longer than any path may be, climbs with ``..``, or holds a
        backslash or a character that cannot be seen.
    """
    text = str(relative)
    path = PurePosixPath(text)
    if (
        path.is_absolute()
        or not path.parts
        or ".." in path.parts
        or "\\" in text
        or not text.isprintable()
        or len(text) > _LONGEST
    ):
        raise ValueError(
            f"The file name {shown(text)} does not stay inside the directory of the data; give a "
            "relative path with forward slashes and without '..'."
        )
    return path


def place(root: str | Path, relative: str | PurePosixPath) -> Path:
    """Return the path of a file below a directory.

    Parameters
    ----------
    root : str or Path
        The directory.
    relative : str or PurePosixPath
        Path below it.

    Returns
    -------
    Path
        Both joined.

    Raises
    ------
    ValueError
        As :func:`safe_relative`.
    """
    return Path(root).joinpath(*safe_relative(relative).parts)


def free_space(path: str | Path) -> int:
    """Return the bytes free on the disk of `path`, which need not exist yet."""
    return shutil.disk_usage(_existing(path)).free


def check_space(needs: Mapping[str | Path, int]) -> None:
    """Refuse to start where a disk has too little room for all that goes to it.

    Parameters
    ----------
    needs : Mapping of path to int
        Bytes that will be written below each directory, which need not exist yet. Quotas are not
        known here: the system enforces them later.

    Raises
    ------
    NotEnoughSpaceError
        Naming the directories that share the disk, what they need and what is free.
    """
    by_disk: dict[int, dict[str | Path, int]] = {}
    for path, count in needs.items():
        by_disk.setdefault(_disk(path), {})[path] = count
    for group in by_disk.values():
        free, total = min(map(free_space, group)), sum(group.values())
        if total > free:
            parts = " and ".join(f"{format_bytes(n)} in {path}" for path, n in group.items())
            raise NotEnoughSpaceError(
                f"This run needs {parts}, but that disk has {format_bytes(free)} free. Free "
                f"{format_bytes(total - free)}, choose another disk (abacus.directory is where "
                "files are downloaded to, results come to the directory of the run), use fewer "
                "boxes or smoothing radii, or link the files from a tree that is on disk already "
                "(abacus.link_from)."
            )


def _disk(path: str | Path) -> int:
    return _existing(path).stat().st_dev


def _existing(path: str | Path) -> Path:
    """Return the directory, or the nearest one above it that exists."""
    path = Path(path).absolute()
    return next(parent for parent in (path, *path.parents) if parent.is_dir())


def format_bytes(count: int) -> str:
    """Return a number of bytes in decimal units, such as ``1.21 GB``."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000.0
        if value < 999.5 or unit == "TB":
            break
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"


def byte_bar(total: int | None, desc: str, *, done: int = 0) -> tqdm:
    """Return a progress bar that counts bytes, of which `done` were there before it started."""
    bar = progress.bar(total=total, desc=desc, unit="B")
    bar.unit_scale = True
    bar.initial = bar.n = done
    return bar
