"""Checksums as AbacusSummit ships them: POSIX ``cksum``, listed in ``checksums.crc32``.

CRC-32/CKSUM has the polynomial of zlib's CRC-32, but takes the bits of each byte in the other
order and appends the length of the file. With the bits of each byte reversed by a table, zlib does
the work: 1.3 GB/s on one core.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from lagbias.runtime.progress import bar

__all__ = [
    "CHECKSUM_FILE",
    "AcquisitionError",
    "Checksum",
    "cksum",
    "listed_checksums",
    "mismatch",
    "read_checksums",
]

CHECKSUM_FILE = "checksums.crc32"
"""Name of the file that lists the checksums of its directory."""

_BLOCK = 1 << 20
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_LINE = re.compile(r"(\d{1,10})\s+(\d{1,18})\s+(\S.*)", re.ASCII)


class AcquisitionError(OSError):
    """A file cannot be downloaded, linked or verified; the message has the remedy."""


class Checksum(NamedTuple):
    """CRC-32/CKSUM of a file, as GNU ``cksum`` prints it, and its length [byte]."""

    crc: int
    size: int


def cksum(path: str | Path) -> Checksum:
    """Compute the checksum of a file, with a progress bar on a terminal."""
    path, crc, size = Path(path), 0xFFFFFFFF, 0  # zlib inverts its register: this sets it to zero
    with (
        path.open("rb") as file,
        bar(total=path.stat().st_size, desc=f"verify {path.name}", unit="B") as progress,
    ):
        while block := file.read(_BLOCK):
            crc = zlib.crc32(block.translate(_REVERSED), crc)
            size += len(block)
            progress.update(len(block))
    length = size.to_bytes((size.bit_length() + 7) // 8, "little")
    crc = zlib.crc32(length.translate(_REVERSED), crc)
    # the inversion at the end is that of cksum; only the order of the bits differs
    return Checksum(crc=int(f"{crc:032b}"[::-1], 2), size=size)


def mismatch(path: str | Path, expected: Checksum, *, size_only: bool = False) -> str:
    """Describe how an existing file differs from its checksum; empty when it does not.

    With `size_only`, only the length is compared and the file is not read.
    """
    path = Path(path)
    size = path.stat().st_size
    if size != expected.size:
        with path.open("rb") as file:
            start = file.read(64).lstrip().lower()
        page = " (it is a web page)" if start.startswith((b"<!doctype html", b"<html")) else ""
        return f"it has {size} bytes instead of {expected.size}{page}"
    if not size_only and (found := cksum(path)) != expected:
        return f"its checksum is {found.crc} instead of {expected.crc}"
    return ""


def read_checksums(path: str | Path) -> dict[str, Checksum]:
    """Read a checksum file, with lines ``<crc> <bytes> <filename>``, by file name.

    Raises
    ------
    AcquisitionError
        If a line has another form, or there is none.
    """
    sums = {}
    lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if match := _LINE.fullmatch(line.strip()):
            sums[match[3]] = Checksum(int(match[1]), int(match[2]))
        elif line.strip():
            raise AcquisitionError(
                f"{path}, line {number} is not '<crc> <bytes> <filename>' but {line[:80]!r}: it is "
                "damaged or something else was sent in its place. Delete it and run again."
            )
    if not sums:
        raise AcquisitionError(f"{path} is empty. Delete it and run again.")
    return sums


def listed_checksums(root: Path, files: Iterable[PurePosixPath]) -> dict[PurePosixPath, Checksum]:
    """Look up files, relative to `root`, in the checksum files on disk beside them.

    Files that are not listed are left out. Raises AcquisitionError as `read_checksums`.
    """
    sums: dict[PurePosixPath, Checksum] = {}
    files = list(files)
    for directory in {file.parent for file in files}:
        if (listing := root / directory / CHECKSUM_FILE).is_file():
            sums |= {directory / name: one for name, one in read_checksums(listing).items()}
    return {file: sums[file] for file in files if file in sums}
