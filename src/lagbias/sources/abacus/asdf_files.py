"""Header and columns of one ASDF file of AbacusSummit.

The columns are compressed with Blosc; abacusutils registers the decompressor with asdf.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asdf
import numpy as np

from lagbias.runtime.messages import first_line

__all__ = ["read_column", "read_header"]


def read_header(path: Path, column: str) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Read the header of a file and the shape of a column below ``data``, but no data.

    Raises
    ------
    OSError
        If the file is absent, truncated or damaged.
    ValueError
        If it has no header or no such column.
    """
    with _open(path, column) as tree:
        return dict(tree["header"]), tuple(tree["data"][column].shape)


def read_column(path: Path, column: str) -> np.ndarray:
    """Read one column of a file as it is stored; raises as `read_header`."""
    # a file is open for one column only: asdf keeps what it decompressed until it is closed
    with _open(path, column) as tree:
        return tree["data"][column][...]


@contextmanager
def _open(path: Path, column: str) -> Iterator[Mapping]:
    """Open a file that has a header and a column; name the file in every error."""
    try:
        with asdf.open(path, lazy_load=True, memmap=False, ignore_missing_extensions=True) as file:
            used = max((block.header["used_size"] for block in file._blocks.blocks), default=0)
            if used > path.stat().st_size:  # asdf would read beyond the end for hours
                raise EOFError(f"a block of {used} bytes is longer than the file")
            missing = _missing(file.tree, column)
            if not missing:
                yield file.tree
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path} does not exist. Download it, or correct the directory of AbacusSummit's data."
        ) from None
    except Exception as error:  # asdf, YAML and Blosc each have their own for damaged data
        raise OSError(
            f"{path} cannot be read as an ASDF file: it is truncated or damaged "
            f"({first_line(error)[:300]}). Compare it with checksums.crc32 in its directory "
            "(`cksum` computes the same sums) and download it again."
        ) from error
    if missing:
        raise ValueError(
            f"{path} lacks {missing}: it is another file than its name says. Download it again."
        )


def _missing(tree: Mapping, column: str) -> str:
    """Return the part that a file lacks, with what it has instead; empty when it is complete."""
    data = tree.get("data")
    if not isinstance(tree.get("header"), Mapping):
        return f"'header' (it has: {', '.join(map(str, tree))})"
    if not isinstance(data, Mapping) or column not in data:
        return f"the column 'data/{column}' (it has: {', '.join(map(str, data or ()))})"
    return ""
