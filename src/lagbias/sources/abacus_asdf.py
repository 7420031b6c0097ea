"""One ASDF file of AbacusSummit: its header, the length of a column, a column.

The files are compressed with Blosc, which asdf can read because abacusutils registers itself
with it. A file is open only while it is read: asdf keeps what it has unpacked until it is closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asdf
import numpy as np

__all__ = ["read_column", "read_header"]


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
        If it lacks the header or the column.
    """
    with _opened(path) as tree:
        header = tree.get("header")
        if not isinstance(header, dict):
            raise ValueError(_lacks(path, "'header'", sorted(map(str, tree.keys()))))
        return dict(header), tuple(_column(tree, path, column).shape)


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
        As stored.

    Raises
    ------
    OSError
        If the file is absent, truncated or damaged.
    ValueError
        If it lacks the column.
    """
    with _opened(path) as tree:
        lazy = _column(tree, path, column)
        try:
            return lazy[...]  # a plain array, which outlives the file
        except Exception as error:  # Blosc, asdf and NumPy each have their own for bad data
            raise OSError(_unreadable(path, error)) from error


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        file = asdf.open(path, lazy_load=True, memmap=False)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path} does not exist. Download it, or correct the directory of AbacusSummit's data."
        ) from None
    except Exception as error:  # a damaged header may fail in asdf or in YAML
        raise OSError(_unreadable(path, error)) from error
    with file:
        yield file.tree


def _column(tree: Any, path: Path, column: str) -> Any:
    data = tree.get("data")
    if not isinstance(data, dict) or column not in data:
        present = sorted(map(str, data)) if isinstance(data, dict) else []
        raise ValueError(_lacks(path, f"the column 'data/{column}'", present))
    return data[column]


def _lacks(path: Path, what: str, present: list[str]) -> str:
    return (
        f"{path} lacks {what} (it has: {', '.join(present) or 'nothing'}), so it is not the file "
        "that belongs here. Check that files were not renamed or put in each other's place, and "
        "download it again."
    )


def _unreadable(path: Path, error: Exception) -> str:
    reason = (str(error).splitlines() or [""])[0] or type(error).__name__
    return (
        f"{path} cannot be read as an ASDF file of AbacusSummit: it is truncated or damaged "
        f"({reason}). Compare it with the checksums.crc32 in its directory (`cksum` computes "
        "the same sums) and download it again."
    )
