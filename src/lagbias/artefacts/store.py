"""Artefacts: the HDF5 files by which the steps of the workflow pass results on.

An artefact holds one object of a type declared with `lagbias.schema.fields`: a dataset for each
array, with units and axes, and root attributes for everything else, with the provenance of the
file. Files are written to a temporary name and moved into place. No times are stored: equal runs
give equal files.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np

from lagbias.artefacts import hdf5
from lagbias.runtime.atomic import ArtefactError, replacing
from lagbias.runtime.messages import first_line
from lagbias.schema import fields

__all__ = [
    "SCHEMA",
    "ArtefactError",
    "Header",
    "header",
    "length",
    "read",
    "read_array",
    "write",
    "write_without",
]

_Kind = TypeVar("_Kind")

#: Version of the file layout; raised when older files can no longer be read.
SCHEMA = 4
_FORMAT = "lagbias"
_RESERVED = frozenset({"format", "schema", "kind", "provenance"})
_REMEDY = "Delete it and run the workflow again."
#: Attribute of an array whose values a copy leaves out; see `write_without`.
_LEFT_OUT = "left_out"


@dataclass(frozen=True)
class Header:
    """Description of an artefact, without its values.

    Attributes
    ----------
    path : Path
        The file.
    kind : str
        ``KIND`` of the stored type.
    attributes : dict
        Root attributes as plain Python.
    provenance : dict
        See `lagbias.artefacts.provenance.describe`.
    """

    path: Path
    kind: str
    attributes: dict[str, Any]
    provenance: dict[str, Any]

    @cached_property
    def datasets(self) -> dict[str, dict[str, Any]]:
        """``dtype``, ``shape``, ``units``, ``axes`` and ``description`` of each dataset."""
        with _open(self.path) as file:
            return {
                name: {"dtype": str(dataset.dtype), "shape": dataset.shape}
                | hdf5.plain_attributes(dataset)
                for name, dataset in file.items()
            }


def write(path: str | Path, thing: Any, *, provenance: Mapping | None = None) -> None:
    """Write an artefact.

    Parameters
    ----------
    path : str or Path
        The file; its directory is created when needed.
    thing : object
        Instance of a type declared with `lagbias.schema.fields`.
    provenance : mapping, keyword-only
        JSON values, see `lagbias.artefacts.provenance.describe`.

    Raises
    ------
    ArtefactError
        If the file cannot be written, or an array does not fit its declaration. An existing file
        stays untouched.
    """
    path = Path(path)
    try:
        fields.check(thing)
    except ValueError as error:
        raise ArtefactError(
            f"{path} was not written: {error} See the log of this step and its settings."
        ) from error
    root = {"format": _FORMAT, "schema": SCHEMA, "kind": type(thing).KIND, **_attributes(thing)}
    root["provenance"] = json.dumps(dict(provenance or {}), sort_keys=True)
    with replacing(path) as temporary, hdf5.create(temporary) as file:
        for name, values, spec in fields.datasets(thing):
            about = {"units": spec.units, "description": spec.description}
            about["axes"] = ", ".join(spec.axes)
            hdf5.write_dataset(file, name, values, about)
        hdf5.write_attributes(file, root)


def write_without(source: str | Path, path: str | Path, arrays: Collection[str]) -> None:
    """Write a copy of an artefact without the values of some arrays.

    Of these, `read` returns no rows and `read_array` raises `ArtefactError`. Everything else, the
    provenance included, is that of the artefact.

    Parameters
    ----------
    source : str or Path
        The artefact.
    path : str or Path
        The copy.
    arrays : collection of str
        Names of the arrays.

    Raises
    ------
    ValueError
        If the artefact has no array of such a name.
    ArtefactError
        If the artefact cannot be read, or the copy not written.
    """
    with _open(Path(source)) as old:
        root = hdf5.plain_attributes(old)
        stored = {name: (data[()], hdf5.plain_attributes(data)) for name, data in old.items()}
    if unknown := set(arrays) - stored.keys():
        raise ValueError(f"{source} has no array {', '.join(sorted(unknown))}. Correct the name.")
    with replacing(path) as temporary, hdf5.create(temporary) as new:
        for name, (values, about) in stored.items():
            if name in arrays:
                values, about = values[:0], about | {_LEFT_OUT: 1}
            hdf5.write_dataset(new, name, values, about)
        hdf5.write_attributes(new, root)


def read(path: str | Path, kind: type[_Kind], *, without: Collection[str] = ()) -> _Kind:
    """Read an artefact.

    Parameters
    ----------
    path : str or Path
        The file.
    kind : type
        Type that it must hold.
    without : collection of str, keyword-only
        Arrays that are not read, and have their default.

    Returns
    -------
    object
        Instance of `kind`.

    Raises
    ------
    ArtefactError
        If the file is absent, damaged, of another kind, or its contents do not fit the type.
    """
    path = Path(path)
    with _open(path, kind) as file:
        root, arguments = hdf5.plain_attributes(file), {}
        known = {name for name, spec in fields.specs(kind).items() if spec.role != "attributes"}
        for name, spec in fields.specs(kind).items():
            if name in without:
                continue
            if spec.role == "array":
                arguments[name] = file[name][()]
            elif spec.role == "arrays":
                members = [key for key in file if key.startswith(f"{name}.")]
                arguments[name] = {key.partition(".")[2]: file[key][()] for key in members}
            elif spec.role == "attributes":
                arguments[name] = {
                    key: value for key, value in root.items() if key not in _RESERVED | known
                }
            elif name in root:
                arguments[name] = root[name]
    try:
        thing = kind(**arguments)
        fields.check(thing)
    except (TypeError, ValueError) as error:
        raise ArtefactError(
            f"{path} does not hold a valid {kind.KIND!r}: {first_line(error)} It was made by "
            f"another version or altered. {_REMEDY}"
        ) from error
    return thing


def read_array(path: str | Path, kind: type, name: str, *, rows: slice | None = None) -> np.ndarray:
    """Read one array of an artefact.

    Parameters
    ----------
    path : str or Path
        The file.
    kind : type
        Type that it must hold.
    name : str
        Field of the type.
    rows : slice, optional, keyword-only
        Consecutive entries of the first axis; all when omitted.

    Returns
    -------
    ndarray
        The values.

    Raises
    ------
    ArtefactError
        As `read`.
    """
    path, spec = Path(path), fields.specs(kind)[name]
    with _open(path, kind) as file:
        values = file[name][rows if rows is not None else ()]
        left_out = _LEFT_OUT in file[name].attrs
    if left_out:
        raise ArtefactError(
            f"{path} is from an archive, which leaves out its {name}. {_REMEDY[:-1]}, from the "
            f"simulation on."
        )
    if values.ndim != len(spec.axes) or (problem := fields.not_finite(values)):
        found = f"has {values.ndim} axes" if values.ndim != len(spec.axes) else f"holds: {problem}"
        raise ArtefactError(f"{path}: {name} {found}. {_REMEDY}")
    return values


def header(path: str | Path, kind: type | None = None) -> Header:
    """Read the description of an artefact.

    Parameters
    ----------
    path : str or Path
        The file.
    kind : type, optional
        Type that it must hold; any when omitted.

    Returns
    -------
    Header
        Everything but the values.

    Raises
    ------
    ArtefactError
        As `read`.
    """
    path = Path(path)
    with _open(path, kind) as file:
        root = hdf5.plain_attributes(file)
        return Header(
            path=path,
            kind=root["kind"],
            attributes={name: value for name, value in root.items() if name not in _RESERVED},
            provenance=json.loads(root["provenance"]),
        )


def length(path: str | Path, kind: type, name: str) -> int:
    """Return the length of the first axis of an array; raises ArtefactError as `read`."""
    with _open(Path(path), kind) as file:
        return len(file[name])


def _attributes(thing: Any) -> dict[str, Any]:
    """Collect what is stored as root attributes."""
    found: dict[str, Any] = {}
    for name, spec in fields.specs(type(thing)).items():
        if spec.role in ("number", "label"):
            found[name] = getattr(thing, name)
        elif spec.role == "attributes":
            found |= getattr(thing, name)
    if clash := _RESERVED.intersection(found):
        raise ValueError(f"Attribute names {sorted(clash)} are reserved by the artefact format.")
    return found


@contextmanager
def _open(path: Path, kind: type | None = None) -> Iterator[h5py.File]:
    """Open an artefact, of any kind if None; any failure while open is an `ArtefactError`."""
    try:
        with h5py.File(path, "r") as file:
            _check_format(file, path)
            if kind is not None:
                _check_kind(file, path, kind)
            yield file
    except ArtefactError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise ArtefactError(
            f"{path} does not exist. Run the workflow, which makes it, or correct the path."
        ) from None
    except PermissionError as error:
        raise ArtefactError(f"{path} cannot be read: permission denied.") from error
    except MemoryError as error:
        raise ArtefactError(
            f"{path} cannot be read: out of memory ({first_line(error)}). Run fewer jobs at once, "
            f"or give the job more memory."
        ) from error
    except Exception as error:
        raise ArtefactError(
            f"{path} is truncated, damaged or not an HDF5 file ({first_line(error)}). {_REMEDY}"
        ) from error


def _check_format(file: h5py.File, path: Path) -> None:
    """Raise ArtefactError unless a file is an artefact in the present layout."""
    if _text(file, "format") != _FORMAT:
        raise ArtefactError(f"{path} is an HDF5 file but not a lagbias artefact. Move it away.")
    if (schema := int(file.attrs.get("schema", 0))) != SCHEMA:
        raise ArtefactError(
            f"{path} has layout {schema}, but this version reads layout {SCHEMA}. Delete it and "
            f"whatever else the other version made, and run the workflow again."
        )


def _check_kind(file: h5py.File, path: Path, kind: type) -> None:
    """Raise ArtefactError unless a file holds a type with all its datasets."""
    if (found := _text(file, "kind")) != kind.KIND:
        raise ArtefactError(f"{path} holds {found!r} instead of {kind.KIND!r}. {_REMEDY}")
    needed = [name for name, spec in fields.specs(kind).items() if spec.role == "array"]
    if missing := [name for name in needed if name not in file]:
        raise ArtefactError(
            f"{path} lacks {', '.join(missing)}: it was made by another version. {_REMEDY}"
        )


def _text(file: h5py.File, name: str) -> str:
    """Return a root attribute as text; empty if there is none."""
    return np.asarray(file.attrs.get(name, "")).astype("S").item().decode()
