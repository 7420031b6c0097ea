"""One ASDF file of AbacusSummit: its header, the length of a column, a column.

The files are compressed with Blosc, which asdf can read with the help of abacusutils. A file is
open only while it is read: asdf keeps what it has unpacked until it is closed.

What a file says of itself is not trusted. A column has to be one block of the same file, since
ASDF can also name another file, or an address to fetch; its size has to be in proportion to the
file's; and compressed pieces have to fit in the place that is made for them (see
`lagbias.sources.abacus.blosc`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asdf
import numpy as np
from asdf.util import load_yaml

from lagbias.runtime.messages import first_line
from lagbias.sources.abacus.blosc import checked_blosc

__all__ = ["read_column", "read_header"]

#: Types of the columns that are read, and the length of their rows; None where it may be any.
_COLUMNS = {
    "N": (("uint32", "int32", "uint64", "int64"), ()),
    "N_total": (("uint32", "int32", "uint64", "int64"), ()),
    "x_com": (("float32", "float64"), (3,)),
    "v_com": (("float32", "float64"), (3,)),
    "rvint": (("int32",), (3,)),
    "packedpid": (("uint64", "int64"), ()),
    "density": (("float32", "float64"), None),
}
#: What may lie between a column's size and that of its file; real files are packed threefold.
_MOST_EXPANSION = 1000
#: Values in a file's tree, aliases included; the collection's have a thousand.
_MOST_VALUES = 100_000
#: What an array may say of itself; others would show a part, or the same part many times.
_PLAIN_ARRAY = frozenset({"source", "datatype", "byteorder", "shape", "offset"})
#: Characters of a reason that are repeated; a file may have a say in them.
_LONGEST_REASON = 300
_TAGS = "tag:stsci.edu:asdf/core/"


def read_header(path: Path, column: str) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Return a file's header and the shape of one of its columns; reads no data.

    Parameters
    ----------
    path : Path
        The file.
    column : str
        Name under ``data``.

    Returns
    -------
    header : dict
        The simulation's parameters and the state of the snapshot.
    shape : tuple of int
        Shape of the column.

    Raises
    ------
    OSError
        If the file is absent or cannot be read.
    ValueError
        If it lacks the header or the column, or the column is not what it should be.
    """
    tree = _tree(path)
    header = tree.get("header")
    if not isinstance(header, Mapping):
        raise ValueError(_lacks(path, "'header'", sorted(map(str, tree))))
    return dict(header), _column_shape(tree, path, column)


def read_column(path: Path, column: str) -> np.ndarray:
    """Return one column of a file.

    Parameters
    ----------
    path : Path
        The file.
    column : str
        Name under ``data``.

    Returns
    -------
    ndarray
        As stored, in this machine's order of bytes.

    Raises
    ------
    OSError
        If the file is absent, truncated or damaged.
    ValueError
        If it lacks the column, or the column is not what it should be.
    """
    shape = _column_shape(_tree(path), path, column)
    try:
        with (
            checked_blosc(),
            path.open("rb") as file,
            asdf.open(file, lazy_load=True, memmap=False, ignore_missing_extensions=True) as opened,
        ):
            values = opened.tree["data"][column][...]  # a plain array, which outlives the file
    except Exception as error:  # Blosc, asdf and NumPy each have their own for bad data
        raise OSError(_unreadable(path, first_line(error)[:_LONGEST_REASON])) from error
    if values.shape != shape:
        raise OSError(_unreadable(path, f"{column} has shape {values.shape}, not {shape}"))
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _tree(path: Path) -> Mapping:
    """Return what a file says of itself, with the tags, and nothing of it made into objects."""
    try:
        with path.open("rb") as file:
            tree = load_yaml(file, tagged=True)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path} does not exist. Download it, or correct the directory of AbacusSummit's data."
        ) from None
    except Exception as error:  # a damaged header may fail in asdf or in YAML
        raise OSError(_unreadable(path, first_line(error)[:_LONGEST_REASON])) from error
    if not isinstance(tree, Mapping):
        raise OSError(_unreadable(path, "it has no tree"))
    if problem := _strange(tree):
        raise OSError(_unreadable(path, problem))
    return tree


def _strange(tree: Mapping) -> str | None:
    """Say what a tree has that no file of the collection has, or None."""
    waiting, seen = [tree], 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if not str(tag := getattr(value, "_tag", _TAGS)).startswith(_TAGS):
            return f"it has something of the kind {str(tag)[:80]!r}"
        if isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        if seen + len(waiting) > _MOST_VALUES:
            return f"its header has over {_MOST_VALUES} values"
    return None


def _column_shape(tree: Mapping, path: Path, column: str) -> tuple[int, ...]:
    """Return the shape of a column that is stored as it should be."""
    data = tree.get("data")
    if not isinstance(data, Mapping) or column not in data:
        present = sorted(map(str, data)) if isinstance(data, Mapping) else []
        raise ValueError(_lacks(path, f"the column 'data/{column}'", present))
    array = data[column]
    if not isinstance(array, Mapping) or not _is_own_block(array):
        raise ValueError(
            f"{path} does not hold its column {column} as one block of its own, so it is no file "
            "of AbacusSummit, or it was altered. Download it again."
        )
    types, row = _COLUMNS[column]
    shape = tuple(array["shape"])
    if array["datatype"] not in types or (row is not None and shape[1:] != row):
        raise ValueError(
            f"{path} has a column {column} of type {str(array['datatype'])[:80]} and shape "
            f"{shape}; {' or '.join(types)} and rows of shape {row} were expected. Download it "
            "again."
        )
    claimed, size = math.prod(shape) * np.dtype(array["datatype"]).itemsize, path.stat().st_size
    if claimed > _MOST_EXPANSION * size:
        raise OSError(
            _unreadable(path, f"{column} is said to have {claimed} bytes, the file has {size}")
        )
    return shape


def _is_own_block(array: Mapping) -> bool:
    """Whether an array is a whole block of the file, as all of the collection's are."""
    source, shape = array.get("source"), array.get("shape")
    whole = set(array) <= _PLAIN_ARRAY and array.get("offset", 0) == 0
    sizes = isinstance(shape, list) and bool(shape) and all(map(_is_index, shape))
    return whole and sizes and _is_index(source) and isinstance(array.get("datatype"), str)


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _lacks(path: Path, what: str, present: list[str]) -> str:
    return (
        f"{path} lacks {what} (it has: {', '.join(present[:100])[:1000] or 'nothing'}), so it is "
        "not the file that belongs here. Check that files were not renamed or put in each other's "
        "place, and download it again."
    )


def _unreadable(path: Path, reason: str) -> str:
    return (
        f"{path} cannot be read as an ASDF file of AbacusSummit: it is truncated or damaged "
        f"({reason}). Compare it with the checksums.crc32 in its directory (`cksum` computes "
        "the same sums) and download it again."
    )
