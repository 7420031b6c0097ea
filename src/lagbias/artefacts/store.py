"""Artefacts: the files by which the steps of the workflow pass results on.

An artefact is one HDF5 file that a workflow rule writes: named datasets, each with its units and
axes, and root attributes that say what the file is and how it was made. Files are written to a
temporary name in the same directory and moved into place, so that a file that exists is whole.
No times are stored: equal runs give equal files.

Whatever is read is checked (`lagbias.artefacts.hdf5`): a damaged file gives an error, never other numbers.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from lagbias.artefacts import blocks, hdf5
from lagbias.runtime.atomic import ArtefactError, replacing, write_text
from lagbias.runtime.messages import first_line

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
SCHEMA = 2
_FORMAT = "lagbias"
_RESERVED = frozenset({"format", "schema", "kind", "artefact_id", "provenance", hdf5.SEAL})
_REMEDY = (
    "Delete it and run the workflow again; only this file and what depends on it are made anew."
)


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
    finite : bool
        Whether every value must be finite, as it must unless NaN says that there is no value.
    """

    values: np.ndarray
    units: str
    axes: tuple[str, ...]
    description: str = ""
    finite: bool = True

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
        How the file was made, as `lagbias.artefacts.provenance.describe` gives it.

    Raises
    ------
    ArtefactError
        If the file cannot be written, or a value is not finite that must be; whatever stood at
        `path` before is untouched.
    """
    path = Path(path)
    attributes, provenance = dict(attributes or {}), dict(provenance or {})
    if clash := _RESERVED.intersection(attributes):
        raise ValueError(f"Attribute names {sorted(clash)} are reserved by the artefact format.")
    for name, dataset in datasets.items():
        if dataset.finite:
            _check_finite(path, name, np.asarray(dataset.values))
    root = {"format": _FORMAT, "schema": SCHEMA, "kind": kind, **attributes}
    root["provenance"] = json.dumps(provenance, sort_keys=True)
    with replacing(path) as temporary, hdf5.create(temporary) as file:
        for name, dataset in datasets.items():
            about = {
                "units": dataset.units,
                "axes": ", ".join(dataset.axes),
                "description": dataset.description,
            }
            hdf5.write_dataset(file, name, np.asarray(dataset.values), about)
        hdf5.write_root(file, root)


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
        Consecutive rows, along the datasets' first axis, to load; all when omitted.

    Returns
    -------
    Artefact
        Arrays, attributes and provenance.

    Raises
    ------
    ArtefactError
        If the file is absent, truncated, damaged anywhere in what is read of it, no HDF5 file, not
        one of ours, of another kind, or lacks one of `names`.
    """
    path = Path(path)
    if rows is not None and rows.step not in (None, 1):
        raise ValueError(f"{rows} are not consecutive rows; read all of them and choose.")
    with _open(path) as (file, attributes):
        wanted = list(file) if names is None else list(names)
        _check_content(file, attributes, path, kind, wanted)
        opened = {name: hdf5.open_dataset(file, name) for name in wanted}
        return Artefact(
            path=path,
            kind=attributes["kind"],
            attributes={k: v for k, v in attributes.items() if k not in _RESERVED},
            provenance=json.loads(attributes["provenance"]),
            arrays={name: hdf5.read_rows(*found, rows) for name, found in opened.items()},
            units={name: about["units"] for name, (_, about) in opened.items()},
        )


def length(path: str | Path, kind: str, name: str) -> int:
    """Return the length of a dataset's first axis; raises ArtefactError as `read`."""
    path = Path(path)
    with _open(path) as (file, attributes):
        _check_content(file, attributes, path, kind, [name])
        return len(hdf5.open_dataset(file, name)[0])


def identifier(path: str | Path) -> str:
    """Return the identifier that an artefact carries (see `lagbias.artefacts.provenance`), or ``""``."""
    return read(path, names=()).provenance.get("artefact_id", "")


def _check_content(
    file: h5py.File, attributes: dict, path: Path, kind: str | None, names: Sequence[str]
) -> None:
    """Raise ArtefactError unless a file is of a kind, or any, and has some datasets."""
    found = attributes["kind"]
    if kind is not None and found != kind:
        raise ArtefactError(
            f"{path} holds {found!r}, but {kind!r} was expected here: the wrong file is in "
            f"this place. Delete it and run the workflow again."
        )
    if missing := [name for name in names if name not in list(file)]:
        raise ArtefactError(
            f"{path} lacks the dataset(s) {', '.join(missing)} (it has: {', '.join(file)}). It "
            f"was made by another version; delete it and run the workflow again."
        )


def _check_finite(path: Path, name: str, values: np.ndarray) -> None:
    """Raise ArtefactError if an array holds NaN or infinities."""
    if problem := blocks.not_finite(values):
        raise ArtefactError(
            f"{path} was not written: of its dataset {name!r}, {problem}. Everything computed "
            f"before is safe. See the log of this step and its settings, and run the workflow "
            f"again; if that ends alike, an input of the step is at fault: delete it, unless it is "
            f"your own data, and it is made anew."
        )


@contextmanager
def _open(path: Path) -> Iterator[tuple[h5py.File, dict]]:
    """Open `path` after checking that it is an artefact of ours; also give its attributes.

    Whatever goes wrong while it is open is an `ArtefactError`: there is nothing in a file that
    was written whole that could raise anything else.
    """
    try:
        with h5py.File(path, "r") as file:
            _check_format(file, path)
            yield file, hdf5.root_attributes(file)
    except ArtefactError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise ArtefactError(
            f"{path} does not exist. Run the workflow, which makes it, or correct the path."
        ) from None
    except PermissionError as error:
        raise ArtefactError(
            f"{path} may not be read. Give yourself permission to read it, and to enter the "
            f"directories above it, and run the workflow again."
        ) from error
    except MemoryError as error:
        raise ArtefactError(
            f"{path} cannot be read: there is not enough memory ({first_line(error)}). Run fewer "
            f"jobs at once, or give the job more memory."
        ) from error
    except Exception as error:
        raise ArtefactError(
            f"{path} cannot be read: it is truncated, damaged or not an HDF5 file "
            f"({first_line(error)}). {_REMEDY}"
        ) from error


def _check_format(file: h5py.File, path: Path) -> None:
    """Raise ArtefactError unless an HDF5 file is an artefact in the present layout."""
    if hdf5.plain(file.attrs.get("format")) != _FORMAT:
        raise ArtefactError(
            f"{path} is an HDF5 file but not a lagbias artefact (it has no format mark). Move "
            f"it away and run the workflow again."
        )
    if (schema := int(file.attrs.get("schema", 0))) != SCHEMA:
        raise ArtefactError(
            f"{path} was written in layout {schema}, this version reads layout {SCHEMA}. Delete "
            f"it, and whatever else the other version made, and run the workflow again."
        )
