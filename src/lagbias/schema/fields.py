"""Dataclass fields that carry units, axes and meaning, and the check that arrays fit them.

A type that the workflow stores is a frozen dataclass with a class variable ``KIND`` whose fields
are declared with the functions below. The declaration is its schema: `lagbias.artefacts.store`
writes and reads every such type with no further code. It states units, axes and meaning of each
field, so the docstring of the class does not repeat them.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "FieldSpec",
    "array",
    "arrays",
    "attributes",
    "check",
    "datasets",
    "label",
    "not_finite",
    "number",
    "specs",
]

_SPEC = "lagbias"
_BLOCK = 1 << 18  # values that are checked at a time
_CODES = {"f": "f", "i": "iu", "S": "S"}
_WORDS = {"f": "floats", "i": "integers", "S": "bytes"}


@dataclass(frozen=True)
class FieldSpec:
    """Declaration of one field.

    Attributes
    ----------
    role : {"array", "arrays", "number", "label", "attributes"}
        How the field is stored: a dataset, one dataset per key of a mapping, or root attributes.
    units : str
        Units; ``"1"`` when dimensionless.
    axes : tuple of str
        Name of each axis. Axes of one object with the same name have the same length; a number is
        a fixed length. Empty for the members of ``arrays`` whose shape is free.
    description : str
        One line.
    code : {"f", "i", "S"}
        Floating point, integer or bytes.
    finite : bool
        Whether NaN and infinities are refused.
    """

    role: str
    units: str = "1"
    axes: tuple[str, ...] = ()
    description: str = ""
    code: str = "f"
    finite: bool = True


def array(
    units: str, axes: str, description: str, *, code: str = "f", finite: bool = True, **options
) -> Any:
    """Declare an array, with its axes as words, such as ``"seed k"``.

    The arguments are those of `FieldSpec`; `options` go to `dataclasses.field`.
    """
    spec = FieldSpec("array", units, tuple(axes.split()), description, code, finite)
    return dataclasses.field(metadata={_SPEC: spec}, **options)


def arrays(units: str, description: str, *, finite: bool = True) -> Any:
    """Declare a mapping of names to floating-point arrays of any shape (see `array`)."""
    spec = FieldSpec("arrays", units, (), description, finite=finite)
    return dataclasses.field(metadata={_SPEC: spec}, default_factory=dict)


def number(units: str, description: str, **options) -> Any:
    """Declare an int or a float (see `array`)."""
    return dataclasses.field(
        metadata={_SPEC: FieldSpec("number", units, (), description)}, **options
    )


def label(description: str) -> Any:
    """Declare a name that says what the object belongs to, such as a box; empty by default."""
    spec = FieldSpec("label", description=description)
    return dataclasses.field(metadata={_SPEC: spec}, default="")


def attributes(description: str) -> Any:
    """Declare a mapping of names to numbers and text, for what differs from source to source."""
    spec = FieldSpec("attributes", description=description)
    return dataclasses.field(metadata={_SPEC: spec}, default_factory=dict)


def specs(kind: type) -> dict[str, FieldSpec]:
    """Return the declared fields of a type, by name."""
    found = {field.name: field.metadata.get(_SPEC) for field in dataclasses.fields(kind)}
    return {name: spec for name, spec in found.items() if spec is not None}


def datasets(thing: Any) -> Iterator[tuple[str, np.ndarray, FieldSpec]]:
    """Yield name, values and declaration of each array; members of a mapping as ``field.key``."""
    for name, spec in specs(type(thing)).items():
        if spec.role == "array":
            yield name, np.asarray(getattr(thing, name)), spec
        elif spec.role == "arrays":
            for key, values in getattr(thing, name).items():
                yield f"{name}.{key}", np.asarray(values), spec


def check(thing: Any) -> None:
    """Check arrays and numbers of an object with declared fields.

    Raises
    ------
    ValueError
        If a dtype, a shape or a value does not fit its declaration.
    """
    name = type(thing).__name__
    lengths: dict[str, int] = {}
    for field, values, spec in datasets(thing):
        _check_shape(f"{name}.{field}", values, spec, lengths)
        if spec.finite and (problem := not_finite(values)):
            raise ValueError(f"{name}.{field}: {problem}.")
    for field, spec in specs(type(thing)).items():
        value = getattr(thing, field)
        if spec.role == "number" and not _is_number(value):
            raise ValueError(f"{name}.{field} is {str(value)[:80]!r}; a finite number is needed.")
        if spec.role == "label" and not isinstance(value, str):
            raise ValueError(f"{name}.{field} is {str(value)[:80]!r}; text is needed.")
        if spec.role == "attributes" and not isinstance(value, Mapping):
            raise ValueError(f"{name}.{field} is a {type(value).__name__}; a mapping is needed.")


def not_finite(values: np.ndarray) -> str:
    """Describe NaN and infinite values of an array, or return an empty string.

    Such as "3 of 24 values are not finite, the first (nan) at [0, 2]".
    """
    if values.dtype.kind not in "fc" or not values.size:
        return ""
    flat = values.reshape(-1)
    blocks = (flat[start : start + _BLOCK] for start in range(0, flat.size, _BLOCK))
    if all(np.isfinite(block).all() for block in blocks):
        return ""
    broken = ~np.isfinite(values)
    first = np.unravel_index(np.argmax(broken), values.shape)
    count = np.count_nonzero(broken)
    return (
        f"{count} of {values.size} values {'is' if count == 1 else 'are'} not finite, the first "
        f"({values[first]}) at {[int(index) for index in first]}"
    )


def _check_shape(name: str, values: np.ndarray, spec: FieldSpec, lengths: dict[str, int]) -> None:
    free = spec.role == "arrays"
    expected = [
        int(axis) if axis.isdigit() else lengths.setdefault(axis, length)
        for axis, length in zip(spec.axes, values.shape, strict=False)
    ]
    fits = free or (values.ndim == len(spec.axes) and list(values.shape) == expected)
    if not fits or values.dtype.kind not in _CODES[spec.code]:
        raise ValueError(
            f"{name} is {values.dtype} of shape {values.shape}, but ({', '.join(spec.axes)}) "
            f"of {_WORDS[spec.code]} is needed, with "
            f"{', '.join(f'{axis} = {length}' for axis, length in lengths.items()) or 'any shape'}."
        )


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float | np.integer | np.floating)
        and not isinstance(value, bool)
        and bool(np.isfinite(value))
    )
