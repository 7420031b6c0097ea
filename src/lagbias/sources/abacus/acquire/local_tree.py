"""Offline use: link files from a tree that is on disk already, instead of copying them.

The tree may be the collection itself on a cluster's disk, a mirror, or what Globus transferred;
it has the layout of the collection, and nothing is written to it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from lagbias.sources.abacus.acquire.checksum import CHECKSUM_FILE, checksums_below, mismatch
from lagbias.sources.abacus.acquire.errors import (
    AcquisitionError,
    CorruptFileError,
    MissingFileError,
)
from lagbias.sources.abacus.acquire.places import place, safe_relative

__all__ = ["link", "link_files"]


def link(
    root: str | Path,
    relative: str | PurePosixPath,
    target: str | Path,
    *,
    hard: bool = False,
    verify: bool = False,
) -> Path:
    """Make `target`/`relative` a link to `root`/`relative`.

    Parameters
    ----------
    root : str or Path
        The tree on disk.
    relative : str or PurePosixPath
        Path of the file in it.
    target : str or Path
        Directory in which the link is made. Where it is `root` itself nothing is to be done.
    hard : bool, keyword-only
        Hard link instead of a symbolic one: it survives when `root` is deleted, but works on one
        disk only.
    verify : bool, keyword-only
        Verify the file with the checksum file beside it first, which reads all of it.

    Returns
    -------
    Path
        The link. One that points elsewhere is replaced; a file of its own is not.

    Raises
    ------
    ValueError
        If `relative` leaves the tree.
    MissingFileError
        If the tree lacks the file, or its checksum where `verify` is set.
    CorruptFileError
        If the file does not have its checksum.
    AcquisitionError
        If another file is in the way, or the link cannot be made.
    """
    source, path = place(root, relative).absolute(), place(target, relative)
    if not _readable(source):
        raise MissingFileError(
            f"{relative} is not in the tree {root}: {source} was looked for, to be linked at "
            f"{path}. {_why_missing(source)}"
        )
    if verify:
        _verify(root, safe_relative(relative), path)
    if path.absolute() == source or (path.exists() and not path.is_symlink()):
        return _keep(source, path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace_by_link(source, path, hard=hard)
    except OSError as error:
        raise AcquisitionError(_link_failure(source, path, error, hard=hard)) from error
    return path


def link_files(
    root: str | Path,
    files: Iterable[str | PurePosixPath],
    target: str | Path,
    *,
    hard: bool = False,
    verify: bool = False,
) -> list[Path]:
    """Link several files, and the checksum files beside them so that they can be verified later.

    Parameters
    ----------
    root, target, hard, verify
        As :func:`link`.
    files : iterable of str or PurePosixPath
        Paths relative to `root`.

    Returns
    -------
    list of Path
        The links to `files`, in their order.

    Raises
    ------
    MissingFileError
        If files are missing, naming all of them; nothing is linked then.
    AcquisitionError
        As :func:`link`.
    """
    files = list(dict.fromkeys(map(safe_relative, files)))
    missing = [str(relative) for relative in files if not _readable(place(root, relative))]
    if missing:
        raise MissingFileError(
            f"{len(missing)} of {len(files)} files are not in the tree {root}, so nothing was "
            f"linked below {target}:\n  - "
            + "\n  - ".join(missing)
            + "\nThe root is the directory that holds the collection's first level (small/, ic/, "
            "cleaning/). Correct it, or transfer these files into it."
        )
    listings = dict.fromkeys(relative.parent / CHECKSUM_FILE for relative in files)
    for listing in listings:
        if listing not in files and place(root, listing).is_file():
            link(root, listing, target, hard=hard)
    return [
        link(root, relative, target, hard=hard, verify=verify and relative.name != CHECKSUM_FILE)
        for relative in files
    ]


def _readable(source: Path) -> bool:
    """Whether this is a file that may be read; False, not an error, in a closed directory."""
    return os.path.isfile(source) and os.access(source, os.R_OK)  # noqa: PTH113


def _verify(root: str | Path, relative: PurePosixPath, path: Path) -> None:
    source = place(root, relative)
    expected = checksums_below(root, [relative]).get(relative)
    if expected is None:
        raise MissingFileError(
            f"{source}, to be linked at {path}, cannot be verified: no {CHECKSUM_FILE} beside it "
            "lists it. Transfer that file too, or link without verification."
        )
    if problem := mismatch(source, expected):
        raise CorruptFileError(
            f"{source}, to be linked at {path}, is corrupt: {problem}. Transfer it again."
        )


def _keep(source: Path, path: Path) -> Path:
    if not path.samefile(source):
        raise AcquisitionError(
            f"{path} is a file of its own, not a link to {source}; it was left as it is. Move it "
            "away if the tree's file is to be used, or leave the tree out if this one is."
        )
    return path


def _replace_by_link(source: Path, path: Path, *, hard: bool) -> None:
    """Make the link under another name and move it, so that there is no moment without one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.link")
    try:
        if hard:
            os.link(source.resolve(), temporary)
        else:
            temporary.symlink_to(source)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _why_missing(source: Path) -> str:
    if source.is_symlink():
        return f"It is a link to {source.readlink()}, which is not there; mend or remove it."
    if source.is_dir():
        return "It is a directory; give the path of a file."
    if os.path.exists(source):  # noqa: PTH110
        return "It is there but may not be read; ask its owner for permission."
    nearest = next(p for p in source.parents if os.path.exists(p))  # noqa: PTH110
    return f"The path exists up to {nearest}; correct the tree's root or transfer the file."


def _link_failure(source: Path, path: Path, error: OSError, *, hard: bool) -> str:
    if hard and error.errno == errno.EXDEV:
        why, remedy = "they are on different disks", "Use symbolic links"
    elif hard and error.errno in (errno.EPERM, errno.EMLINK):
        why, remedy = "the disk does not allow hard links to this file", "Use symbolic links"
    else:
        why, remedy = error.strerror or str(error), "Mend the cause"
    return f"{path} could not be linked to {source}: {why}. {remedy}."
