"""Fetch the files of boxes: checksum files first, then a look at the disk, then the data."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from lagbias.sources.abacus.acquire.checksum import (
    CHECKSUM_FILE,
    LARGEST_LISTING,
    Checksum,
    checksums_below,
    read_checksums,
)
from lagbias.sources.abacus.acquire.download import fetch, file_url
from lagbias.sources.abacus.acquire.errors import CorruptFileError, MissingFileError
from lagbias.sources.abacus.acquire.partial import partial_path
from lagbias.sources.abacus.acquire.places import check_space, place, safe_relative
from lagbias.sources.abacus.acquire.transfer import open_session

__all__ = ["bytes_to_fetch", "fetch_checksums", "fetch_files", "fetch_listing"]

logger = logging.getLogger(__name__)


def fetch_files(
    base_url: str, root: str | Path, files: Iterable[str | PurePosixPath], **options: Any
) -> list[Path]:
    """Download files into a tree of the same layout, each verified with the checksum beside it.

    Parameters
    ----------
    base_url : str
        Address of the collection's root.
    root : str or Path
        Directory that becomes its copy.
    files : iterable of str or PurePosixPath
        Paths relative to both.
    **options
        Passed on to :func:`lagbias.sources.abacus.acquire.download.fetch`: retries, timeout, backoff, session,
        sleep.

    Returns
    -------
    list of Path
        Where the files are, in the order of `files`.

    Raises
    ------
    ValueError
        If a path leaves `root` or the address is not http or https; nothing is fetched then.
    NotEnoughSpaceError
        If the files do not fit on the disk; only checksum files are fetched then.
    AcquisitionError
        As :func:`lagbias.sources.abacus.acquire.download.fetch`.
    """
    files = list(dict.fromkeys(map(safe_relative, files)))
    urls = {relative: file_url(base_url, relative) for relative in files}
    options = {"session": open_session(base_url), **options}
    sums = fetch_checksums(base_url, root, files, **options)
    check_space({root: bytes_to_fetch(root, sums)})
    return [
        fetch(urls[relative], place(root, relative), expected=sums.get(relative), **options)
        for relative in files
    ]


def fetch_checksums(
    base_url: str, root: str | Path, files: Iterable[str | PurePosixPath], **options: Any
) -> dict[PurePosixPath, Checksum]:
    """Download the checksum files that list `files`, and look the files up in them.

    Parameters
    ----------
    base_url, root, files, **options
        As :func:`fetch_files`.

    Returns
    -------
    dict of PurePosixPath to Checksum
        By relative path. Files in a directory for which the server has no checksum file are left
        out, with a warning: of them only the length is checked.

    Raises
    ------
    MissingFileError
        If a directory's checksum file does not list a file that was asked for.
    CorruptFileError
        If what the server sent is no checksum file; it is not kept.
    """
    files = [f for f in map(safe_relative, files) if f.name != CHECKSUM_FILE]
    directories = dict.fromkeys(relative.parent for relative in files)
    listed = [d for d in directories if fetch_listing(base_url, root, d, **options)]
    sums = checksums_below(root, files)
    for relative in files:
        if relative.parent in listed and relative not in sums:
            raise MissingFileError(
                f"{relative} is not listed in the {CHECKSUM_FILE} of its directory: the collection "
                "does not have it. Check the names of products and the number of superslabs."
            )
    return sums


def fetch_listing(
    base_url: str, root: str | Path, directory: str | PurePosixPath, **options: Any
) -> bool:
    """Download the checksum file of a directory unless it is there.

    Parameters
    ----------
    base_url, root, **options
        As :func:`fetch_files`.
    directory : str or PurePosixPath
        Path relative to both.

    Returns
    -------
    bool
        False, with a warning, where the server has none.

    Raises
    ------
    CorruptFileError
        If what is there or was sent is no checksum file; it is deleted.
    """
    listing = PurePosixPath(directory, CHECKSUM_FILE)
    try:
        url, path = file_url(base_url, listing), place(root, listing)
        fetch(url, path, largest=LARGEST_LISTING, **options)
    except MissingFileError:
        logger.warning("%s has no %s: only lengths are checked", directory, CHECKSUM_FILE)
        return False
    try:
        read_checksums(path)
    except CorruptFileError:
        if path.is_file():
            path.unlink()  # or every later run would stumble over it
        raise
    return True


def bytes_to_fetch(root: str | Path, sums: dict[PurePosixPath, Checksum]) -> int:
    """Return the bytes that are still missing below `root`, going by sizes alone."""
    total = 0
    for relative, expected in sums.items():
        path = place(root, relative)
        if path.is_file() and path.stat().st_size == expected.size:
            continue
        part = partial_path(path)
        there = part.stat().st_size if part.is_file() else 0
        total += max(0, expected.size - there)
    return total
