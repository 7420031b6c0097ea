"""Which files of AbacusSummit boxes are on disk, and which would be downloaded."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from lagbias.sources.abacus import checksum
from lagbias.sources.abacus.checksum import CHECKSUM_FILE
from lagbias.sources.abacus.download import partial_path
from lagbias.sources.abacus.paths import box_paths, snapshot_of

if TYPE_CHECKING:
    from lagbias.config.sections import AbacusSettings

__all__ = [
    "PLANS",
    "FileStatus",
    "existing_directory",
    "files_of_box",
    "format_bytes",
    "format_table",
    "globus_batch",
    "summary",
    "take_inventory",
]

PLANS = {
    "present": "keep",
    "missing": "fetch",
    "partial": "resume",
    "wrong size": "fetch again",
    "corrupt": "fetch again",
}
"""What a download does with a file in each state."""

#: Sizes of one AbacusSummit small box at z = 0.5 [bytes], from the manifest of the collection (all
#: boxes agree to 0.5 %); the density is 576^3 float32 without compression. For estimates only.
_SMALL_BOX_SIZES = {
    "halo_info": 1_210_900_000,
    "halo_rv_A": 493_300_000,
    "halo_pid_A": 189_100_000,
    "field_rv_A": 795_300_000,
    "field_pid_A": 262_000_000,
    "cleaned_halo_info": 342_000_000,
    "ic_dens_N576.asdf": 764_411_904,
}


@dataclass(frozen=True)
class FileStatus:
    """One file; sizes are in bytes."""

    boxes: str  # that need it
    path: PurePosixPath  # relative to the root of the tree
    state: str = "missing"  # a key of PLANS
    size: int = 0  # on disk, also of an incomplete download
    expected_size: int | None = None  # None where unknown
    estimated: bool = False  # whether the expected size is that of a typical box
    verified: bool = False  # whether the checksum was computed and is right
    note: str = ""  # what is wrong

    @property
    def bytes_to_fetch(self) -> int:
        """Bytes that would be downloaded; 0 where unknown."""
        if self.state == "present" or self.expected_size is None:
            return 0
        return max(0, self.expected_size - (self.size if self.state == "partial" else 0))


def files_of_box(settings: AbacusSettings, simulation: str, root: Path) -> list[PurePosixPath]:
    """Return the files of a box, relative to the root of a tree that may be incomplete.

    The files of a product are those that its checksum file lists; without one, those on disk;
    without any, the one file of a small box.
    """
    files = []
    for path in box_paths(simulation, **snapshot_of(settings)).values():
        if path.suffix == ".asdf":
            files.append(path)
            continue
        directory = root / path
        try:
            names = set(checksum.read_checksums(directory / CHECKSUM_FILE))
        except OSError:
            names = {found.name.removesuffix(".part") for found in directory.glob("*.asdf*")}
        names = set(filter(re.compile(rf"{path.name}_\d{{3}}\.asdf").fullmatch, names))
        files += [path / name for name in sorted(names or {f"{path.name}_000.asdf"})]
    return files


def take_inventory(
    settings: AbacusSettings, boxes: Mapping[str, str], *, verify: bool = False
) -> list[FileStatus]:
    """Look at the files of boxes where they come from; nothing is downloaded or changed.

    Parameters
    ----------
    settings : AbacusSettings
        Which files; the tree is ``link_from`` if it is set, ``directory`` otherwise.
    boxes : mapping of str to str
        Name of each box and its simulation.
    verify : bool, keyword-only
        Compute checksums, which reads all files.

    Returns
    -------
    list of FileStatus
        Each file once, also if boxes share it.
    """
    root = Path(settings.link_from or settings.directory)
    users: dict[PurePosixPath, list[str]] = {}
    for box, simulation in boxes.items():
        for path in files_of_box(settings, simulation, root):
            users.setdefault(path, []).append(box)
    return [_status(root, path, ", ".join(names), verify) for path, names in users.items()]


def _status(root: Path, relative: PurePosixPath, boxes: str, verify: bool) -> FileStatus:
    """Look at one file."""
    path, part = root / relative, partial_path(root / relative)
    expected, note = None, f"no {CHECKSUM_FILE} lists it: neither size nor content is checked"
    try:
        expected = checksum.listed_checksums(root, [relative]).get(relative)
    except OSError as error:
        note = str(error)
    size = expected.size if expected else None
    if size is None and "AbacusSummit_small_" in str(relative):
        size = _SMALL_BOX_SIZES.get(relative.name, _SMALL_BOX_SIZES.get(relative.parent.name))
    status = FileStatus(boxes, relative, expected_size=size, estimated=bool(size and not expected))
    if not os.path.isfile(path):  # noqa: PTH113 (no error in directories without permission)
        if path.is_symlink():
            return replace(status, note=f"it is a broken link to {path.readlink()}")
        if os.path.isfile(part):  # noqa: PTH113
            return replace(status, state="partial", size=part.stat().st_size)
        return status
    status = replace(status, state="present", size=path.stat().st_size)
    if expected is None:
        return replace(status, note=note)
    try:
        problem = checksum.mismatch(path, expected, size_only=not verify)
    except OSError as error:
        problem = f"it cannot be read ({error.strerror})"
    if not problem:
        return replace(status, verified=verify)
    state = "corrupt" if status.size == expected.size else "wrong size"
    return replace(status, state=state, note=problem)


def summary(settings: AbacusSettings, files: Collection[FileStatus]) -> str:
    """Describe in one line what is on disk and what acquisition will download or link."""
    root = settings.link_from or settings.directory
    counts = Counter(file.state for file in files)
    states = ", ".join(f"{counts[state]} {state}" for state in PLANS if counts[state])
    present = format_bytes(sum(file.size for file in files if file.state == "present"))
    have = f"AbacusSummit: {len(files)} files ({states}), {present} in {root}"
    if settings.link_from is not None:
        return f"{have}, to be linked in {settings.directory}."
    wanted = [file for file in files if file.state != "present"]
    unknown = sum(file.expected_size is None for file in wanted)
    about = "about " if any(file.estimated for file in wanted) else ""
    also = f" and {unknown} file(s) of unknown size" if unknown else ""
    needed = sum(file.bytes_to_fetch for file in wanted)
    free = shutil.disk_usage(existing_directory(root)).free
    room = f"{format_bytes(free)} free" + (": NOT ENOUGH" if needed > free else "")
    return (
        f"{have}; to download: {len(wanted)} files, {about}{format_bytes(needed)}{also}, from "
        f"{settings.base_url} ({room})."
    )


def globus_batch(files: Iterable[FileStatus]) -> str:
    """Return a batch file for ``globus transfer``: what is not present, and its checksum files."""
    wanted = {file.path for file in files if file.state != "present"}
    wanted |= {path.parent / CHECKSUM_FILE for path in wanted}
    names = [shlex.quote(str(path)) for path in sorted(wanted)]
    return "".join(f"{name} {name}\n" for name in names)


def format_table(files: Collection[FileStatus]) -> str:
    """Return an inventory as a text table with notes."""
    rows = [("box", "file", "state", "on disk", "whole", "plan")]
    for file in files:
        state = f"{file.state} (verified)" if file.verified else file.state
        size = format_bytes(file.size) if file.size else "-"
        whole = "?" if file.expected_size is None else format_bytes(file.expected_size)
        whole = f"~{whole}" if file.estimated else whole
        rows.append((file.boxes, str(file.path), state, size, whole, PLANS[file.state]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    notes = [f"{file.path}: {file.note}" for file in files if file.note]
    return "\n".join([*lines, "", *notes]) + "\n"


def existing_directory(path: str | Path) -> Path:
    """Return a directory, or the nearest one above it that exists."""
    path = Path(path).absolute()
    return next(parent for parent in (path, *path.parents) if parent.is_dir())


def format_bytes(count: int) -> str:
    """Format a number of bytes in decimal units, such as ``1.21 GB``."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value >= 999.5:
            value, unit = value / 1000.0, larger
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"
