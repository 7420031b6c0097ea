"""Checkpoint files: the arrays with which an interrupted calculation continues.

They are NumPy ``.npz`` files, whose members have CRC-32 checksums. A key says which calculation a
checkpoint belongs to.
"""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from lagbias.runtime.atomic import replacing
from lagbias.runtime.messages import first_line

__all__ = ["find", "path_for", "read", "write"]

logger = logging.getLogger(__name__)


def path_for(output: str | Path) -> Path:
    """Return the path of the checkpoint from which an output is made."""
    return Path(f"{output}.checkpoint")


def write(path: Path, key: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a checkpoint atomically.

    Raises
    ------
    lagbias.runtime.atomic.ArtefactError
        If the file cannot be written.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, key=np.array(key), **arrays)


def read(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a checkpoint and its ``key``.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return dict(file)
    except Exception as error:  # zipfile and NumPy raise many types for damaged files
        raise ValueError(f"Checkpoint {path} is damaged ({first_line(error)}).") from error


def find(path: Path, key: str, names: Iterable[str]) -> dict[str, np.ndarray] | None:
    """Return the arrays of a checkpoint that belongs to a calculation.

    Parameters
    ----------
    path : Path
        The file, which need not exist.
    key : str
        Identifies the calculation.
    names : iterable of str
        Names of the arrays.

    Returns
    -------
    dict or None
        None, after a warning, if the file is damaged or belongs to another calculation; None if
        there is no file.
    """
    if not path.exists():
        return None
    try:
        saved = read(path)
    except ValueError as error:
        logger.warning("%s The calculation starts from the beginning.", error)
        return None
    if saved.keys() != {"key", *names} or str(saved.pop("key")) != key:
        logger.warning(
            "Checkpoint %s belongs to other settings or data. The calculation starts from the "
            "beginning.",
            path,
        )
        return None
    return saved
