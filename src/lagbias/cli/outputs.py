"""Files that commands write, checked before hours of work and written atomically."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lagbias.runtime.atomic import ArtefactError, replacing

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

__all__ = ["prepare", "write_figure", "write_table"]


def prepare(path: Path, suffixes: Sequence[str]) -> None:
    """Make the directory of a file that will be written.

    Raises
    ------
    ValueError
        If the name has none of `suffixes`.
    ArtefactError
        If nothing can be written there.
    """
    if path.suffix not in suffixes:
        raise ValueError(f"{path} has to end in {' or '.join(suffixes)}. Choose such a name.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtefactError(
            f"{path.parent} cannot be made ({error.strerror}). Choose another place."
        ) from error
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ArtefactError(f"{path.parent} may not be written to. Choose another place.")


def write_table(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    """Write columns of equal length as text.

    Parameters
    ----------
    path : Path
        ``.csv``, with names in the first line, or ``.txt``, with names in a comment.
    columns : mapping of str to ndarray, shape (rows,)
        By their names.
    """
    comma = path.suffix == ".csv"
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        file.write("" if comma else "# ")
        table = csv.writer(file, delimiter="," if comma else " ", lineterminator="\n")
        table.writerow(columns)
        for row in zip(*(values.tolist() for values in columns.values()), strict=True):
            table.writerow(f"{value:.9g}" for value in row)


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure in the format that its name ends in."""
    from lagbias.figures.common import style

    with replacing(path) as temporary, style():
        figure.savefig(temporary, format=path.suffix.removeprefix("."))
