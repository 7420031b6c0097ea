"""Names and checksums of what an archive holds.

Paths in an archive are relative to ``results/<run>/``, so that its root is the directory of a run.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from lagbias.runtime.atomic import ArtefactError

__all__ = [
    "CONFIGURATION",
    "CRATE",
    "MANIFEST",
    "README",
    "digest",
    "is_made_again",
    "is_safe",
    "read_manifest",
    "write_manifest",
]

CONFIGURATION = "configuration.yaml"
CRATE = "ro-crate-metadata.json"
MANIFEST = "manifest-sha256.txt"
README = "README.md"


def is_made_again(name: str) -> bool:
    """Whether the workflow makes a file from the artefacts: a figure or a table."""
    return not name.endswith(".h5") and name not in (CONFIGURATION, CRATE, MANIFEST, README)


def is_safe(name: str) -> bool:
    """Whether a path leads to a place below the directory that it is relative to."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(digests: Mapping[str, str]) -> str:
    """Return the lines that ``sha256sum --check`` reads, from digests by path."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def read_manifest(text: str) -> dict[str, str]:
    """Return digests by path; raise ArtefactError if a line is not one of `write_manifest`."""
    digests = {}
    for line in text.splitlines():
        value, separator, name = line.partition("  ")
        if not separator or len(value) != 64 or not is_safe(name):
            raise ArtefactError(
                f"{MANIFEST} has the line {line[:80]!r}, which is no checksum of a file in the "
                "archive. Get the archive again."
            )
        digests[name] = value
    return digests
