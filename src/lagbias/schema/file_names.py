"""How a configuration names arrays in files, and snapshots in several files."""

import re
from pathlib import Path

__all__ = ["ARRAY_FORM", "numbered_files", "split_array"]

#: How an array is written, for messages.
ARRAY_FORM = "`file.npy`, `file.npz:name` or `file.h5:dataset`"
_ARRAY = re.compile(r"(?P<file>.+\.npy)|(?P<container>.+\.(?:npz|h5|hdf5|hdf)):(?P<name>.+)", re.I)
_NUMBERED = re.compile(r"(?P<before>.+)\.\d+(?P<after>\.(?:h5|hdf5))")


def split_array(source: str) -> tuple[Path, str]:
    """Split ``file.h5:dataset`` into the file and the name of the array in it.

    The name is empty for ``file.npy``.

    Raises
    ------
    ValueError
        If the text has none of the forms in :data:`ARRAY_FORM`.
    """
    found = _ARRAY.fullmatch(source)
    if not found:
        raise ValueError(f"{source!r} does not name an array. Write {ARRAY_FORM}.")
    return Path(found["file"] or found["container"]), found["name"] or ""


def numbered_files(path: str | Path) -> list[Path]:
    """Return the files of a snapshot, of which ``snap.0.hdf5`` is the first.

    Other names stand for themselves.
    """
    path = Path(path)
    parts = _NUMBERED.fullmatch(path.name)
    if not parts:
        return [path]
    before, after = parts["before"], parts["after"]
    pattern = re.compile(re.escape(before) + r"\.(\d+)" + re.escape(after))
    found = {
        int(match[1]): other
        for other in path.parent.glob("*" + after)
        if (match := pattern.fullmatch(other.name))
    }
    return [found[number] for number in sorted(found)] or [path]
