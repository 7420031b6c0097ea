"""From products, which are directories, to the files that they hold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from lagbias.sources.abacus.acquire.checksum import CHECKSUM_FILE, read_checksums
from lagbias.sources.abacus.acquire.errors import AcquisitionError
from lagbias.sources.abacus.acquire.places import place, safe_relative
from lagbias.sources.abacus.acquire.transfer import open_session
from lagbias.sources.abacus.acquire.tree import fetch_files, fetch_listing

__all__ = ["fetch_products", "product_files"]


def product_files(root: str | Path, paths: Iterable[str | PurePosixPath]) -> list[PurePosixPath]:
    """Return the files of products, as far as a tree on disk tells.

    Parameters
    ----------
    root : str or Path
        Directory of the data.
    paths : iterable of str or PurePosixPath
        Relative to `root`: files, which end in ``.asdf``, and directories of products, as
        :func:`lagbias.sources.abacus.paths.box_paths` gives them.

    Returns
    -------
    list of PurePosixPath
        Files, relative to `root`. Those of a directory are the ``.asdf`` files that its checksum
        file lists; without a readable one, those on disk, whole or in part; without any, the one
        file ``PRODUCT_000.asdf`` of a small box.

    Raises
    ------
    ValueError
        If a path leaves `root`.
    """
    files: list[PurePosixPath] = []
    for path in map(safe_relative, paths):
        if _is_file(path):
            files.append(path)
        else:
            names = _listed(place(root, path)) or _on_disk(place(root, path))
            files += [path / name for name in names or [f"{path.name}_000.asdf"]]
    return list(dict.fromkeys(files))


def fetch_products(
    base_url: str, root: str | Path, paths: Iterable[str | PurePosixPath], **options: Any
) -> list[Path]:
    """Download files and whole products; how many files a product has, its checksum file says.

    Parameters
    ----------
    base_url, root, **options
        As :func:`lagbias.sources.abacus.acquire.tree.fetch_files`.
    paths : iterable of str or PurePosixPath
        As :func:`product_files`.

    Returns
    -------
    list of Path
        Where the files are.

    Raises
    ------
    AcquisitionError, ValueError
        As :func:`lagbias.sources.abacus.acquire.tree.fetch_files`.
    """
    paths = list(map(safe_relative, paths))
    options = {"session": open_session(base_url), **options}
    for path in paths:
        if not _is_file(path):
            fetch_listing(base_url, root, path, **options)
    return fetch_files(base_url, root, product_files(root, paths), **options)


def _is_file(path: PurePosixPath) -> bool:
    return path.suffix == ".asdf" or path.name == CHECKSUM_FILE


def _listed(directory: Path) -> list[str]:
    try:
        sums = read_checksums(directory / CHECKSUM_FILE)
    except (AcquisitionError, OSError):
        return []
    return sorted(name for name in sums if name.endswith(".asdf"))


def _on_disk(directory: Path) -> list[str]:
    names = {path.name.removesuffix(".part") for path in directory.glob("*.asdf*")}
    # names that no collection has would stop all that is done with the others
    return sorted(n for n in names if n.endswith(".asdf") and n.isprintable() and "\\" not in n)
