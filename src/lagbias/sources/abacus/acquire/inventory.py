"""What is on disk of the files of boxes, what is missing, and what would be done about it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path, PurePosixPath

from lagbias.sources.abacus.acquire.checksum import (
    CHECKSUM_FILE,
    Checksum,
    checksums_below,
    mismatch,
    read_checksums,
)
from lagbias.sources.abacus.acquire.errors import AcquisitionError
from lagbias.sources.abacus.acquire.partial import partial_path
from lagbias.sources.abacus.acquire.places import free_space, place, safe_relative

__all__ = ["FileStatus", "Inventory", "State", "take_inventory"]

#: Sizes of one AbacusSummit small box at z = 0.5 [bytes], from the collection's own manifest (all
#: boxes agree to 0.5 %); the IC density is 576^3 float32 without compression. For plans only.
_SMALL_BOX_SIZES = {
    "halo_info": 1_210_900_000,
    "halo_rv_A": 493_300_000,
    "halo_pid_A": 189_100_000,
    "field_rv_A": 795_300_000,
    "field_pid_A": 262_000_000,
    "cleaned_halo_info": 342_000_000,
    "cleaned_rvpid": 50_000_000,
    "ic_dens_N576.asdf": 764_411_904,
}


class State(StrEnum):
    """What was found of a file."""

    PRESENT = "present"
    MISSING = "missing"
    PARTIAL = "partial"
    WRONG_SIZE = "wrong size"
    CORRUPT = "corrupt"


_PLANS = {
    State.PRESENT: "keep",
    State.MISSING: "fetch",
    State.PARTIAL: "go on",
    State.WRONG_SIZE: "fetch again",
    State.CORRUPT: "fetch again",
}


@dataclass(frozen=True)
class FileStatus:
    """One file of a box.

    Attributes
    ----------
    box : str
        Name of the box.
    path : str
        Path relative to the place.
    state : State
        What was found.
    size : int
        Bytes on disk; of a partial file those that have come so far.
    expected_size : int or None
        Bytes of the whole file; None where nothing tells.
    estimated : bool
        Whether `expected_size` is that of a typical box, not of this file.
    verified : bool
        Whether the checksum was computed and is right.
    note : str
        What is wrong, in words.
    """

    box: str
    path: str
    state: State
    size: int
    expected_size: int | None
    estimated: bool
    verified: bool
    note: str = ""

    @property
    def plan(self) -> str:
        """What fetching would do: keep, fetch, go on, fetch again."""
        return _PLANS[self.state]

    @property
    def bytes_to_fetch(self) -> int:
        """Bytes that fetching would move; 0 where nothing tells."""
        if self.state is State.PRESENT or self.expected_size is None:
            return 0
        return max(0, self.expected_size - (self.size if self.state is State.PARTIAL else 0))


@dataclass(frozen=True)
class Inventory:
    """What is on disk of several boxes.

    Attributes
    ----------
    place : str
        Directory that was looked at.
    files : tuple of FileStatus
        In the order of the boxes. Totals count a file that two boxes share once.
    free : int
        Bytes free on the disk of `place`.
    """

    place: str
    files: tuple[FileStatus, ...]
    free: int

    @property
    def complete(self) -> bool:
        """Whether every file is present."""
        return all(file.state is State.PRESENT for file in self.files)

    @property
    def distinct(self) -> tuple[FileStatus, ...]:
        """The files without repetitions."""
        return tuple({file.path: file for file in self.files}.values())

    @property
    def bytes_present(self) -> int:
        """Bytes of the files that are present."""
        return sum(file.size for file in self.distinct if file.state is State.PRESENT)

    @property
    def bytes_to_fetch(self) -> int:
        """Bytes that would be fetched, as far as sizes are known."""
        return sum(file.bytes_to_fetch for file in self.distinct)

    @property
    def unknown_sizes(self) -> int:
        """Number of files to fetch whose size is not known."""
        return sum(
            file.expected_size is None and file.state is not State.PRESENT for file in self.distinct
        )


def take_inventory(
    boxes: Mapping[str, Iterable[str | PurePosixPath]],
    root: str | Path,
    *,
    checksums: Mapping[PurePosixPath, Checksum] | None = None,
    verify: bool = False,
) -> Inventory:
    """Look at what is on disk; nothing is fetched or changed.

    Parameters
    ----------
    boxes : mapping of str to iterable of str or PurePosixPath
        Name of each box -> its files, relative to `root`.
    root : str or Path
        The place; it need not exist.
    checksums : mapping of PurePosixPath to Checksum, optional, keyword-only
        What files should be, in addition to what the checksum files on disk say. Files of small
        AbacusSummit boxes of which neither tells get the size of a typical box.
    verify : bool, keyword-only
        Compute the checksums of files that have the right size, which reads all of them.

    Returns
    -------
    Inventory
        One entry per box and file.

    Raises
    ------
    ValueError
        If a path leaves `root`.
    """
    statuses: list[FileStatus] = []
    seen: dict[PurePosixPath, FileStatus] = {}
    for box, files in boxes.items():
        for relative in map(safe_relative, files):
            if relative not in seen:
                seen[relative] = _look(root, relative, checksums or {}, verify)
            statuses.append(replace(seen[relative], box=box))
    return Inventory(place=str(root), files=tuple(statuses), free=free_space(root))


def _look(
    root: str | Path, relative: PurePosixPath, checksums: Mapping, verify: bool
) -> FileStatus:
    """Return the status of one file, of no box yet."""
    path = place(root, relative)
    try:
        expected = checksums_below(root, [relative]).get(relative, checksums.get(relative))
        trouble = ""
    except (AcquisitionError, OSError) as error:
        expected, trouble = checksums.get(relative), str(error)
    size, estimated = (expected.size, False) if expected else _typical_size(relative)
    status = FileStatus("", str(relative), State.MISSING, 0, size, estimated, False, trouble)
    if not os.path.isfile(path):  # noqa: PTH113 (unlike Path.is_file, no error in closed places)
        part = partial_path(path)
        there = part.stat().st_size if os.path.isfile(part) else 0  # noqa: PTH113
        state = State.PARTIAL if there else State.MISSING
        return replace(status, state=state, size=there, note=trouble or _why_missing(path))
    status = replace(status, size=path.stat().st_size)
    if expected is None:
        return _unlisted(status, path)
    return _listed(status, path, expected, verify)


def _listed(status: FileStatus, path: Path, expected: Checksum, verify: bool) -> FileStatus:
    """Judge a file whose size and checksum are known."""
    right_size = status.size == expected.size
    try:
        problem = mismatch(path, expected, size_only=not verify)
    except OSError as error:
        problem = f"it cannot be read ({error.strerror or error})"
    if problem:
        state = State.CORRUPT if right_size else State.WRONG_SIZE
        return replace(status, state=state, note=problem)
    return replace(status, state=State.PRESENT, verified=verify)


def _unlisted(status: FileStatus, path: Path) -> FileStatus:
    """Judge a file that no checksum file lists, checksum files among them."""
    if status.path.rpartition("/")[2] != CHECKSUM_FILE:
        note = status.note or f"no {CHECKSUM_FILE} lists it: neither size nor content is checked"
        return replace(status, state=State.PRESENT, note=note)
    try:
        read_checksums(path)
    except (AcquisitionError, OSError) as error:
        return replace(status, state=State.CORRUPT, note=str(error))
    return replace(status, state=State.PRESENT, expected_size=status.size, note="")


def _typical_size(relative: PurePosixPath) -> tuple[int | None, bool]:
    if not any(part.startswith("AbacusSummit_small_") for part in relative.parts):
        return None, False
    if relative.name == CHECKSUM_FILE:
        return None, False
    for name in (relative.name, relative.parent.name):
        if name in _SMALL_BOX_SIZES:
            return _SMALL_BOX_SIZES[name], True
    return None, False


def _why_missing(path: Path) -> str:
    if path.is_symlink():
        return f"it is a link to {path.readlink()}, which is not there"
    if os.path.isdir(path):  # noqa: PTH112
        return "a directory is in its place"
    return ""
