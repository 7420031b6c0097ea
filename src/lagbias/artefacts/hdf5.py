"""HDF5 files in which every byte that counts is under a checksum.

HDF5 (since 1.10) has checksums for its own bookkeeping, but not for values, for text of variable
length, which is therefore not used, and for attributes in its heaps, which long ones are. So
attributes are sealed by a checksum over them all, with the names of the datasets for those of the
file, and with name, type and shape for those of a dataset; and values by one checksum for each
block of rows (`lagbias.artefacts.blocks`), so that rows that are read alone are checked as well.

Functions that read raise whatever h5py does where a file is damaged, or ValueError where a
checksum is wrong; `lagbias.artefacts.store` makes one kind of error of them all.
"""

import os
import zlib
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from lagbias.artefacts import blocks

__all__ = [
    "SEAL",
    "create",
    "open_dataset",
    "plain",
    "read_rows",
    "root_attributes",
    "write_dataset",
    "write_root",
]

#: Attribute with the checksum over all others.
SEAL = "seal"
_CHECKSUMS = "checksums"


def create(path: Path) -> h5py.File:
    """Create a file in which all that HDF5 keeps in its own behalf has checksums.

    Parameters
    ----------
    path : Path
        The file; one that is there is emptied.
    """
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_LATEST)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    # attributes up to 64 KiB go to the file's header, however many they are, and not to a heap
    creation.set_attr_phase_change(0xFFFF, 0)
    creation.set_obj_track_times(False)
    return h5py.File(h5py.h5f.create(os.fsencode(path), h5py.h5f.ACC_TRUNC, creation, access))


def write_dataset(
    file: h5py.File, name: str, values: np.ndarray, attributes: Mapping[str, str]
) -> None:
    """Write an array with its attributes and checksums.

    Parameters
    ----------
    file : h5py.File
        From `create`.
    name : str
        The dataset.
    values : ndarray
        Numbers or bytes.
    attributes : mapping of str to str
        What to say of them.

    Raises
    ------
    ValueError
        If the values are Python objects.
    """
    if values.dtype.hasobject:
        raise ValueError(f"Dataset {name!r} holds Python objects; give it numbers or bytes.")
    # contiguous and without a filter: compression gains 15 % of space at a tenth of the speed
    dataset = file.create_dataset(name, data=values, track_times=False)
    for key, text in attributes.items():
        _write_attribute(dataset, key, text)
    sums = [blocks.checksum(block) for block in blocks.split(values)]
    _write_attribute(dataset, _CHECKSUMS, np.array(sums, np.uint32))
    _write_attribute(dataset, SEAL, _seal(_stored(dataset), *_identity(dataset, name)))


def write_root(file: h5py.File, attributes: Mapping) -> None:
    """Write the file's own attributes, after all datasets.

    Parameters
    ----------
    file : h5py.File
        From `create`.
    attributes : mapping
        Numbers, text, and lists of either.
    """
    for name, value in sorted(attributes.items()):
        _write_attribute(file, name, value)
    _write_attribute(file, SEAL, _seal(_stored(file), *sorted(file)))


def root_attributes(file: h5py.File) -> dict:
    """Return the file's own attributes, checked, as plain Python."""
    return _sealed(file, *sorted(file))


def open_dataset(file: h5py.File, name: str) -> tuple[h5py.Dataset, dict]:
    """Return a dataset and its attributes as plain Python, checked, as are name, type and shape.

    Parameters
    ----------
    file : h5py.File
        Open for reading.
    name : str
        The dataset.
    """
    dataset = _own(file, name)
    return dataset, _sealed(dataset, *_identity(dataset, name))


def read_rows(dataset: h5py.Dataset, attributes: Mapping, rows: slice | None = None) -> np.ndarray:
    """Read values, and check the blocks that they are in.

    The bytes are taken from where HDF5 says that they lie, each block checked while the processor
    still has it at hand, which is faster than by way of HDF5.

    Parameters
    ----------
    dataset, attributes
        From `open_dataset`.
    rows : slice, optional
        Consecutive rows, along the first axis; all when omitted, or where there are no axes.

    Returns
    -------
    ndarray
        The values, contiguous in C order.
    """
    shape = dataset.shape or (1,)
    start, stop, _ = (rows if rows and dataset.shape else slice(None)).indices(shape[0])
    stop = max(start, stop)
    height = blocks.rows_per_block(shape, dataset.dtype.itemsize)
    low, high = start // height * height, min(-(-stop // height) * height, shape[0])
    values = np.empty((high - low, *shape[1:]), dataset.dtype)
    descriptor = dataset.file.id.get_vfd_handle()
    for number, block in enumerate(blocks.split(values), low // height):
        first = number * height
        place = dataset.id.get_offset() + first * block[0].nbytes
        _read_bytes(descriptor, place, block.reshape(-1).view(np.uint8))
        if blocks.checksum(block) != attributes[_CHECKSUMS][number]:
            raise ValueError(
                f"dataset {dataset.name[1:]!r} does not hold what was written, somewhere in the "
                f"rows {first} to {first + len(block) - 1}"
            )
    return values[start - low : stop - low] if dataset.shape else values.reshape(())


def _own(file: h5py.File, name: str) -> h5py.Dataset:
    """Return a dataset that the file itself holds.

    HDF5 can also lead on to another file, take values from one, and hold Python's objects.
    """
    own = isinstance(file.get(name, getlink=True), h5py.HardLink)
    dataset = file[name] if own else None
    if (
        not isinstance(dataset, h5py.Dataset)
        or dataset.is_virtual
        or dataset.external
        or dataset.shape is None
        or dataset.dtype.kind not in "biufcS"
        # values are stored as they are
        or dataset.nbytes > Path(file.filename).stat().st_size
    ):
        raise ValueError(f"its dataset {name!r} is no array of its own")
    return dataset


def _read_bytes(descriptor: int, place: int, target: np.ndarray) -> None:
    """Fill an array of bytes from a place in a file."""
    done = 0
    while done < len(target):
        count = os.preadv(descriptor, [target[done:]], place + done)
        if not count:
            raise OSError("the file ends before its values do")
        done += count


def plain(value):
    """Turn an attribute, as h5py gives it, into plain Python: numbers, text or lists of them."""
    value = np.asarray(value)
    return (np.char.decode(value, "utf-8") if value.dtype.kind == "S" else value).tolist()


def _identity(dataset: h5py.Dataset, name: str) -> tuple[str, ...]:
    return name, dataset.dtype.str, str(dataset.shape)


def _sealed(holder: h5py.File | h5py.Dataset, *words: str) -> dict:
    """Return attributes after checking that they, and some words, are those that were sealed."""
    found = _stored(holder)
    seal = found.pop(SEAL)
    if seal != _seal(found, *words):
        raise ValueError("its attributes are not what was written")
    return {name: plain(value) for name, value in found.items()}


def _seal(attributes: dict[str, np.ndarray], *words: str) -> np.uint32:
    """Return a checksum over attributes and some words."""
    crc = zlib.crc32(repr(words).encode())
    for name, value in sorted(attributes.items()):
        crc = zlib.crc32(repr((name, value.dtype.str, value.shape)).encode(), crc)
        crc = zlib.crc32(value.tobytes(), crc)
    return np.uint32(crc)


def _stored(holder: h5py.File | h5py.Dataset) -> dict[str, np.ndarray]:
    return {name: np.asarray(holder.attrs[name]) for name in holder.attrs}


def _write_attribute(holder: h5py.File | h5py.Dataset, name: str, value) -> None:
    """Write an attribute, text with a fixed length in UTF-8."""
    value, dtype = np.asarray(value), None
    if value.dtype.kind == "U":
        value = np.char.encode(value, "utf-8")
        dtype = h5py.string_dtype("utf-8", max(1, value.itemsize))
    holder.attrs.create(name, value, dtype=dtype)
