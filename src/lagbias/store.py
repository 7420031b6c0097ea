"""HDF5 artefacts: the only module that touches h5py.

An artefact is one HDF5 file that a workflow rule writes: named datasets, each with its units and
axes, and root attributes that say what the file is and how it was made. Files are written to a
temporary name in the same directory and moved into place, so that a file that exists is whole.
No times are stored: equal runs give equal files.
"""

import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

__all__ = [
    "SCHEMA",
    "Artefact",
    "ArtefactError",
    "Dataset",
    "identifier",
    "length",
    "read",
    "replacing",
    "write",
    "write_text",
]

#: Version of the layout of artefacts; raised when older files can no longer be read.
SCHEMA = 1
_FORMAT = "lagbias"
_MOST_EXPANSION = 1  # values are stored as they are: a dataset is no larger than its file
_RESERVED = frozenset({"format", "schema", "kind", "artefact_id", "provenance"})


class ArtefactError(RuntimeError):
    """An artefact cannot be read or written; the message names the file and the remedy."""


@dataclass(frozen=True)
class Dataset:
    """One array on its way to a file.

    Parameters
    ----------
    values : ndarray
        The data, of any shape.
    units : str
        Units of `values`, ``"1"`` when dimensionless.
    axes : tuple of str
        Name of each axis, one per dimension of `values`.
    description : str
        One line on what the array is.
    """

    values: np.ndarray
    units: str
    axes: tuple[str, ...]
    description: str = ""

    def __post_init__(self):
        if np.ndim(self.values) != len(self.axes):
            raise ValueError(
                f"A dataset of {np.ndim(self.values)} dimensions was given {len(self.axes)} axis "
                f"names {self.axes}; name each axis once."
            )


@dataclass(frozen=True)
class Artefact:
    """What was read from a file; index it with a dataset's name."""

    path: Path
    kind: str
    attributes: dict
    provenance: dict
    arrays: dict = field(repr=False)
    units: dict = field(default_factory=dict)

    def __getitem__(self, name: str) -> np.ndarray:
        try:
            return self.arrays[name]
        except KeyError:
            raise ArtefactError(
                f"{self.path}: dataset {name!r} was not read (read were: "
                f"{', '.join(self.arrays) or 'none'}). Ask for it by name."
            ) from None


def write(
    path: str | Path,
    kind: str,
    datasets: Mapping[str, Dataset],
    *,
    attributes: Mapping | None = None,
    provenance: Mapping | None = None,
) -> None:
    """Write an artefact atomically.

    Parameters
    ----------
    path : str or Path
        The file; its directory is made if need be.
    kind : str
        What sort of artefact this is, checked when it is read.
    datasets : mapping of str to Dataset
        The arrays.
    attributes : mapping, optional
        Scalars, strings and lists of them that describe the whole file.
    provenance : mapping, optional
        How the file was made, as `lagbias.provenance.describe` gives it.

    Raises
    ------
    ArtefactError
        If the file cannot be written; whatever stood at `path` before is untouched.
    """
    path = Path(path)
    attributes, provenance = dict(attributes or {}), dict(provenance or {})
    if clash := _RESERVED.intersection(attributes):
        raise ValueError(f"Attribute names {sorted(clash)} are reserved by the artefact format.")
    with replacing(path) as temporary, h5py.File(temporary, "w", libver=("v110", "latest")) as file:
        _fill(file, kind, datasets, attributes, provenance)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8, atomically.

    Parameters
    ----------
    path : str or Path
        The file; its directory is made if need be.
    text : str
        What it is to hold.

    Raises
    ------
    ArtefactError
        If the file cannot be written; whatever stood at `path` before is untouched.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Write a file under a temporary name, and move it into place when all went well.

    Parameters
    ----------
    path : str or Path
        The file; its directory is made if need be.

    Yields
    ------
    Path
        Where to write. It does not end as `path` does, so that nobody takes it for whole.

    Raises
    ------
    ArtefactError
        If the file cannot be written; whatever stood at `path` before is untouched.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _synchronise(temporary)
        temporary.replace(path)
    except (OSError, RuntimeError) as error:
        raise ArtefactError(_write_failure(path, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def read(
    path: str | Path,
    kind: str | None = None,
    names: Sequence[str] | None = None,
    *,
    rows: slice | None = None,
) -> Artefact:
    """Read an artefact.

    Parameters
    ----------
    path : str or Path
        The file.
    kind : str, optional
        The kind that it must be; any when omitted.
    names : sequence of str, optional
        Datasets to load; all when omitted, none when empty.
    rows : slice, optional, keyword-only
        Part of the datasets' first axis to load; all of it when omitted.

    Returns
    -------
    Artefact
        Arrays, attributes and provenance.

    Raises
    ------
    ArtefactError
        If the file is absent, truncated, no HDF5 file, not one of ours, of another kind, or lacks
        one of `names`.
    """
    path = Path(path)
    with _open(path) as file:
        wanted = list(file) if names is None else list(names)
        _check_content(file, path, kind, wanted)
        return Artefact(
            path=path,
            kind=str(file.attrs["kind"]),
            attributes={k: _plain(v) for k, v in file.attrs.items() if k not in _RESERVED},
            provenance=json.loads(file.attrs.get("provenance", "{}")),
            arrays={name: _member(file, name)[... if rows is None else rows] for name in wanted},
            units={name: str(_member(file, name).attrs.get("units", "")) for name in wanted},
        )


def length(path: str | Path, kind: str, name: str) -> int:
    """Return the length of a dataset's first axis; raises ArtefactError as `read`."""
    path = Path(path)
    with _open(path) as file:
        _check_content(file, path, kind, [name])
        return len(_member(file, name))


def _member(file: h5py.File, name: str) -> h5py.Dataset:
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
        or dataset.nbytes > _MOST_EXPANSION * Path(file.filename).stat().st_size
    ):
        raise ValueError(f"its dataset {name!r} is no array of its own")
    return dataset


def _check_content(file: h5py.File, path: Path, kind: str | None, names: Sequence[str]) -> None:
    """Raise ArtefactError unless a file is of a kind, or any, and has some datasets."""
    found = _text(file, "kind")
    if kind is not None and found != kind:
        raise ArtefactError(
            f"{path} holds {found!r}, but {kind!r} was expected here: the wrong file is in "
            f"this place. Delete it and run the workflow again."
        )
    if missing := [name for name in names if name not in file]:
        raise ArtefactError(
            f"{path} lacks the dataset(s) {', '.join(missing)} (it has: {', '.join(file)}). It "
            f"was made by another version; delete it and run the workflow again."
        )


def identifier(path: str | Path) -> str:
    """Return the identifier that an artefact carries (see `lagbias.provenance`), or ``""``."""
    return read(path, names=()).provenance.get("artefact_id", "")


@contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    """Open `path` for reading after checking that it is a whole artefact of ours."""
    try:
        file = h5py.File(path, "r")
    except (FileNotFoundError, NotADirectoryError):
        raise ArtefactError(
            f"{path} does not exist. Run the workflow, which makes it, or correct the path."
        ) from None
    except OSError as error:
        raise ArtefactError(
            f"{path} cannot be read as HDF5: it is truncated, damaged or not an HDF5 file "
            f"({_first_line(error)}). Delete it and run the workflow again; only this file and "
            f"what depends on it are made anew."
        ) from error
    with file, _all_errors(path):
        if _text(file, "format") != _FORMAT:
            raise ArtefactError(
                f"{path} is an HDF5 file but not a lagbias artefact (it has no format mark). Move "
                f"it away and run the workflow again."
            )
        if (schema := int(file.attrs.get("schema", 0))) != SCHEMA:
            raise ArtefactError(
                f"{path} was written in layout {schema}, this version reads layout {SCHEMA}. "
                f"Delete it and run the workflow again."
            )
        _text(file, "kind")
        if not isinstance(json.loads(_text(file, "provenance") or "{}"), dict):
            raise ValueError("its provenance is no mapping")
        yield file


def _text(file: h5py.File, name: str) -> str:
    """Return an attribute of the file that is a text, empty where there is none."""
    value = file.attrs.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"its attribute {name!r} is no text")
    return value


@contextmanager
def _all_errors(path: Path) -> Iterator[None]:
    """Turn whatever a file that was not written here raises into ArtefactError."""
    try:
        yield
    except ArtefactError:
        raise
    except Exception as error:
        raise ArtefactError(
            f"{path} is damaged: a dataset cannot be read ({_first_line(error)}). Delete it "
            f"and run the workflow again."
        ) from error


def _fill(file, kind, datasets, attributes, provenance) -> None:
    file.attrs["format"] = _FORMAT
    file.attrs["schema"] = SCHEMA
    file.attrs["kind"] = kind
    file.attrs["provenance"] = json.dumps(provenance, sort_keys=True)
    for name, value in sorted(attributes.items()):
        file.attrs[name] = value
    for name, dataset in datasets.items():
        # contiguous and without a filter: compression gains 15 % of space at a tenth of the speed
        stored = file.create_dataset(name, data=dataset.values, track_times=False)
        stored.attrs["units"] = dataset.units
        stored.attrs["axes"] = ", ".join(dataset.axes)
        stored.attrs["description"] = dataset.description


def _synchronise(path: Path) -> None:
    """Wait until the file's bytes are on the disk, so that the rename cannot outrun them."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_failure(path: Path, error: Exception) -> str:
    text = str(error)
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT) or "No space left" in text or "quota" in text:
        why, remedy = "the disk is full", "Free some space"
    elif number == errno.EFBIG or "File too large" in text:
        why, remedy = "the file size limit is reached", "Raise it (`ulimit -f`) or free some space"
    elif number in (errno.EACCES, errno.EROFS, errno.EPERM):
        why, remedy = "the directory may not be written to", "Give yourself write permission"
    else:
        why, remedy = _first_line(error), "Mend the cause"
    return (
        f"{path} could not be written: {why}. No partial file was left and everything computed "
        f"before is safe. {remedy} and run the workflow again; it continues where it stopped."
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _plain(value):
    """Turn an HDF5 attribute into plain Python."""
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value]
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, str | int | float):
        raise ValueError(f"an attribute is of the type {type(value).__name__}")
    return value
