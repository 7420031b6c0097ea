"""The checksums that AbacusSummit ships: POSIX ``cksum``, and the files that list them.

The algorithm (CRC-32/CKSUM) takes the same polynomial as zlib's CRC-32, but the bits of every
byte in the other order, another starting value, and the length of the file at the end. So zlib's
fast routine can do the work once the bits of each byte are turned round by a table: files in
memory went at 1.3 GB/s on one core, which no download and few disks reach.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lagbias.sources.abacus.acquire.errors import CorruptFileError, MissingFileError
from lagbias.sources.abacus.acquire.places import byte_bar, format_bytes, safe_relative

__all__ = [
    "CHECKSUM_FILE",
    "LARGEST_LISTING",
    "Checksum",
    "Cksum",
    "checksums_below",
    "cksum",
    "mismatch",
    "parse_checksums",
    "read_checksums",
]

CHECKSUM_FILE = "checksums.crc32"
"""Name of the file that lists the checksums of its directory."""

LARGEST_LISTING = 1 << 24
"""Most bytes of a checksum file; those of the collection have some kilobytes."""

_BLOCK = 1 << 20
_LARGEST_SIZE = (1 << 63) - 1
_ALL_ONES = 0xFFFFFFFF
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_WEB_PAGE = (b"<!doctype html", b"<html")


@dataclass(frozen=True)
class Checksum:
    """What a file should be, or is.

    Attributes
    ----------
    crc : int
        CRC-32/CKSUM, as GNU ``cksum`` prints it.
    size : int
        Length of the file in bytes.
    """

    crc: int
    size: int


class Cksum:
    """POSIX checksum of bytes that come in pieces (CRC-32/CKSUM of IEEE Std 1003.1).

    Parameters
    ----------
    data : bytes-like, optional
        The first piece.
    """

    def __init__(self, data: bytes = b""):
        self._crc, self._size = _ALL_ONES, 0  # zlib inverts its register: this sets it to zero
        self.update(data)

    def update(self, data: bytes) -> None:
        """Append a piece."""
        self._crc = zlib.crc32(bytes(data).translate(_REVERSED), self._crc)
        self._size += len(data)

    def result(self) -> Checksum:
        """Return the checksum of all pieces so far; more may follow."""
        length = self._size.to_bytes((self._size.bit_length() + 7) // 8, "little")
        crc = zlib.crc32(length.translate(_REVERSED), self._crc)
        # zlib's inversion at the end and that of cksum are the same: only the order is turned
        return Checksum(crc=int(f"{crc:032b}"[::-1], 2), size=self._size)


def cksum(path: str | Path) -> Checksum:
    """Compute the checksum of a file, with a progress bar on a terminal.

    Parameters
    ----------
    path : str or Path
        The file; it is read in pieces of 1 MiB.

    Returns
    -------
    Checksum
        Equal to what ``cksum FILE`` prints.
    """
    path = Path(path)
    digest = Cksum()
    with path.open("rb") as file, byte_bar(path.stat().st_size, f"verify {path.name}") as bar:
        while block := file.read(_BLOCK):
            digest.update(block)
            bar.update(len(block))
    return digest.result()


def mismatch(path: str | Path, expected: Checksum, *, size_only: bool = False) -> str | None:
    """Say what is wrong with a file.

    Parameters
    ----------
    path : str or Path
        An existing file.
    expected : Checksum
        What it should be.
    size_only : bool, keyword-only
        Compare the length only, without reading the file.

    Returns
    -------
    str or None
        None where all is well.
    """
    path = Path(path)
    if not path.is_file():
        return "it is no file"  # a pipe would be waited at for ever
    size = path.stat().st_size
    if size != expected.size:
        return f"it has {size} bytes, {expected.size} were expected{_web_page_hint(path)}"
    if size_only:
        return None
    found = cksum(path)
    if found != expected:
        return f"its checksum is {found.crc}, {expected.crc} was expected"
    return None


def parse_checksums(text: str, *, source: str = CHECKSUM_FILE) -> dict[str, Checksum]:
    """Read lines ``<crc> <bytes> <filename>``, the format of GNU ``cksum``.

    Parameters
    ----------
    text : str
        Content of a checksum file; blank lines are skipped.
    source : str, keyword-only
        Name of the file or address, for messages.

    Returns
    -------
    dict of str to Checksum
        By file name, relative to the directory of the checksum file.

    Raises
    ------
    CorruptFileError
        If a line has another form, a name is listed twice with different sums or leaves the
        directory, or nothing is listed.
    """
    sums: dict[str, Checksum] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            name, checksum = _parse_line(line)
            if sums.setdefault(name, checksum) != checksum:
                raise ValueError("this file is listed above with another checksum")
        except ValueError as error:
            raise CorruptFileError(
                f"{source}, line {number} is not '<crc> <bytes> <filename>': {line[:80]!r} "
                f"({error}). The file is damaged or something else was sent in its place; delete "
                "it and get it again."
            ) from None
    if not sums:
        raise CorruptFileError(f"{source} lists no files: it is empty. Delete it and get it again.")
    return sums


def read_checksums(path: str | Path) -> dict[str, Checksum]:
    """Read a checksum file from disk.

    Parameters
    ----------
    path : str or Path
        Usually named :data:`CHECKSUM_FILE`.

    Returns
    -------
    dict of str to Checksum
        As :func:`parse_checksums`.

    Raises
    ------
    MissingFileError
        If there is no such file.
    CorruptFileError
        As :func:`parse_checksums`, or if it is not text.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if not path.is_file() or size > LARGEST_LISTING:
            raise CorruptFileError(
                f"{path} is no list of checksums: it has {format_bytes(size)}, or is no file. "
                "Delete it and get it again."
            )
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFileError(
            f"{path} does not exist, so the files beside it cannot be verified. Get it from where "
            "the data came from, in the same directory."
        ) from None
    except UnicodeDecodeError:
        raise CorruptFileError(
            f"{path} is not text: it is damaged. Delete it and get it again."
        ) from None
    return parse_checksums(text, source=str(path))


def checksums_below(
    root: str | Path, files: Iterable[str | PurePosixPath]
) -> dict[PurePosixPath, Checksum]:
    """Look files up in the checksum files on disk beside them.

    Parameters
    ----------
    root : str or Path
        Directory of the data.
    files : iterable of str or PurePosixPath
        Paths relative to `root`; they need not be on disk.

    Returns
    -------
    dict of PurePosixPath to Checksum
        Of the files that a checksum file lists; others are left out.

    Raises
    ------
    CorruptFileError
        As :func:`read_checksums`.
    """
    by_directory: dict[PurePosixPath, dict[str, Checksum]] = {}
    found = {}
    for relative in map(safe_relative, files):
        directory = relative.parent
        if directory not in by_directory:
            listing = Path(root, directory, CHECKSUM_FILE)
            by_directory[directory] = read_checksums(listing) if listing.is_file() else {}
        if (expected := by_directory[directory].get(relative.name)) is not None:
            found[relative] = expected
    return found


def _parse_line(line: str) -> tuple[str, Checksum]:
    words = line.strip().split(maxsplit=2)
    if len(words) != 3:
        raise ValueError(f"{len(words)} words instead of 3")
    if not all(word.isdecimal() and word.isascii() for word in words[:2]):
        raise ValueError("checksum and size have to be whole numbers")
    crc, size = int(words[0]), int(words[1])
    if crc > _ALL_ONES:
        raise ValueError("the checksum has more than 32 bits")
    if size > _LARGEST_SIZE:
        raise ValueError("no file is as large as that")
    return str(safe_relative(words[2])), Checksum(crc=crc, size=size)


def _web_page_hint(path: Path) -> str:
    """Tell a page of a portal, sent in place of data, from data that are damaged."""
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    if start.startswith(_WEB_PAGE):
        return f" (the {format_bytes(path.stat().st_size)} are a web page, not data)"
    return ""
