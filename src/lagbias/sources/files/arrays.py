"""Arrays in NumPy and HDF5 files, named ``file.npy``, ``file.npz:name`` or ``file.h5:dataset``."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lagbias.runtime.messages import did_you_mean
from lagbias.schema.file_names import split_array

if TYPE_CHECKING:
    import h5py

__all__ = ["array_blocks", "array_shape", "blocks_of", "read_array"]

_BLOCK = 1 << 20  # rows of three numbers that are converted at a time
_MAX_NAMES = 20  # of arrays listed in a message


def read_array(
    source: str, *, shape: Sequence[int | None] | None = None, dtype: np.typing.DTypeLike = None
) -> np.ndarray:
    """Read an array.

    Parameters
    ----------
    source : str
        ``file.npy``, ``file.npz:name`` or ``file.h5:dataset``.
    shape : sequence of int or None, optional, keyword-only
        The shape that it must have; None for lengths that are free.
    dtype : dtype, optional, keyword-only
        Type to which it is converted block by block; that in the file if absent.

    Returns
    -------
    ndarray

    Raises
    ------
    OSError
        If the file is absent, damaged or of another format.
    ValueError
        If the file has no such array, or it has another shape.
    """
    with _opened(source) as values:
        if shape is not None:
            _check_shape(source, values, shape)
        out = np.empty(values.shape, dtype or values.dtype)
        for part in blocks_of(values.shape):
            out[part] = values[part]
    return out


def array_shape(source: str) -> tuple[int, ...]:
    """Return the shape of an array; raises as `read_array` does."""
    with _opened(source) as values:
        return tuple(values.shape)


def array_blocks(source: str, shape: Sequence[int | None]) -> Iterator[np.ndarray]:
    """Yield an array of a given shape (see `read_array`) in blocks of rows."""
    with _opened(source) as values:
        _check_shape(source, values, shape)
        for part in blocks_of(values.shape):
            yield values[part]


def blocks_of(shape: Sequence[int]) -> Iterator[slice]:
    """Yield slices of the first axis that divide an array into blocks of a few megabytes."""
    rows = max(1, 3 * _BLOCK // max(1, int(np.prod(shape[1:]))))
    yield from (slice(start, start + rows) for start in range(0, shape[0], rows))


@contextmanager
def _opened(source: str) -> Iterator[np.ndarray | h5py.Dataset]:
    """Open an array without reading it, where its format allows."""
    path, name = split_array(source)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist. Correct the name of the file.")
    if path.suffix.lower() == ".npy":
        try:
            values = np.load(path, mmap_mode="r")
        except (ValueError, EOFError) as error:
            raise _unreadable(path, "NumPy", error) from None
        yield values
    elif path.suffix.lower() == ".npz":
        yield _from_npz(path, name)
    else:
        import h5py

        try:
            file = h5py.File(path)
        except OSError as error:
            raise _unreadable(path, "HDF5", error) from None
        with file:
            yield _dataset(file, path, name)


def _from_npz(path: Path, name: str) -> np.ndarray:
    try:
        with np.load(path) as archive:
            if name not in archive.files:
                raise ValueError(_no_array(path, name, archive.files))
            return archive[name]
    except (zipfile.BadZipFile, EOFError) as error:
        raise _unreadable(path, "NumPy", error) from None


def _dataset(file: h5py.File, path: Path, name: str) -> h5py.Dataset:
    import h5py

    found = file.get(name)
    if isinstance(found, h5py.Dataset):
        return found
    names: list[str] = []
    file.visititems(lambda key, item: names.append(key) if isinstance(item, h5py.Dataset) else None)
    raise ValueError(_no_array(path, name, names))


def _no_array(path: Path, name: str, names: Sequence[str]) -> str:
    hint = did_you_mean(name, names)
    more = ", ..." if len(names) > _MAX_NAMES else ""
    listed = ", ".join(sorted(names)[:_MAX_NAMES]) or "nothing"
    return f"{path} has no array {name!r}{hint} It has: {listed}{more}."


def _unreadable(path: Path, kind: str, error: Exception) -> OSError:
    return OSError(f"{path} cannot be read as a {kind} file ({error}). Write or copy it again.")


def _check_shape(
    source: str, values: np.ndarray | h5py.Dataset, shape: Sequence[int | None]
) -> None:
    found = tuple(values.shape)
    fits = len(found) == len(shape) and all(
        length in (None, actual) for length, actual in zip(shape, found, strict=True)
    )
    if not fits:
        expected = ", ".join("any" if length is None else str(length) for length in shape)
        raise ValueError(f"{source} has the shape {found}, but ({expected}) is needed.")
    if values.dtype.kind not in "iuf":
        raise ValueError(f"{source} holds {values.dtype}, but real numbers are needed.")
