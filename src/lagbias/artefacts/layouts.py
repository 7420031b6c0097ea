"""Types and shapes that the datasets of an artefact must have to be used together.

A file may be whole, of the right kind, and yet not what is expected: from another version, or
altered. What is made of it would fail far from here, or not at all.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from lagbias.artefacts.store import Artefact, ArtefactError

__all__ = ["check", "check_indices", "check_network", "number"]

_KINDS = {"f": "f", "i": "iu"}


def check(artefact: Artefact, layout: Mapping[str, str]) -> None:
    """Refuse datasets whose types or shapes do not fit.

    Parameters
    ----------
    artefact : Artefact
        As read.
    layout : mapping of str to str
        For each dataset ``f`` or ``i``, for floating-point and whole numbers, a colon, and a sign
        for each axis: a digit is its length; axes of the same letter have the same length.

    Raises
    ------
    lagbias.artefacts.store.ArtefactError
        Naming the file and the dataset.
    """
    lengths: dict[str, int] = {}
    for name, text in layout.items():
        kind, _, axes = text.partition(":")
        values = artefact[name]
        fits = values.dtype.kind in _KINDS[kind] and values.dtype.isnative
        fits = fits and values.ndim == len(axes)
        for axis, length in zip(axes, values.shape, strict=False):
            expected = int(axis) if axis.isdigit() else lengths.setdefault(axis, length)
            fits = fits and length == expected
        if not fits:
            raise _misfit(artefact, f"its {name}, {values.dtype} of shape {values.shape}")


def check_network(artefact: Artefact) -> None:
    """Refuse weights that do not form a network, or a history that is none.

    Parameters
    ----------
    artefact : Artefact
        Of the kind ``network``.

    Raises
    ------
    lagbias.artefacts.store.ArtefactError
        Naming the file and the dataset.
    """
    names = set(artefact.arrays)
    n_layers = sum(name.startswith("weights.") for name in names) // 2
    weights = [f"weights.layers.{i}.weight" for i in range(n_layers)]
    biases = [f"weights.layers.{i}.bias" for i in range(n_layers)]
    history = {name for name in names if name.startswith("history.")}
    if n_layers < 2 or names != {*weights, *biases, *history}:
        raise _misfit(artefact, f"its datasets, {', '.join(sorted(names))[:300] or 'none'}")
    # hidden layers are all of one width
    axes = ["wi", *["ww"] * (n_layers - 2), "1w"]
    layout = {name: f"f:{pair}" for name, pair in zip(weights, axes, strict=True)}
    layout |= {name: f"f:{pair[0]}" for name, pair in zip(biases, axes, strict=True)}
    check(artefact, layout | dict.fromkeys(sorted(history), "f:e"))
    sizes = [artefact[name].shape for name in weights]
    if 0 in sizes[0] or any(first[0] != second[1] for first, second in pairwise(sizes)):
        raise _misfit(artefact, f"its weights, of shapes {sizes}")


def check_indices(artefact: Artefact, name: str, length: int) -> None:
    """Refuse a dataset of indices that are not all in [0, length), as `check` does."""
    values = artefact[name]
    if values.size and not 0 <= values.min() <= values.max() < length:
        raise _misfit(artefact, f"its {name}, from {values.min()} to {values.max()}")


def number(artefact: Artefact, name: str, *, whole: bool = False) -> Any:
    """Return an attribute that is a finite number.

    Parameters
    ----------
    artefact : Artefact
        As read.
    name : str
        The attribute.
    whole : bool, keyword-only
        Whether it must be a whole number, and not negative.

    Returns
    -------
    int or float
        The number.

    Raises
    ------
    lagbias.artefacts.store.ArtefactError
        If it is absent or something else.
    """
    value = artefact.attributes.get(name)
    fits = isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)
    if not fits or (whole and (not isinstance(value, int) or value < 0)):
        raise _misfit(artefact, f"its attribute {name}, {str(value)[:80]!r}")
    return value


def _misfit(artefact: Artefact, what: str) -> ArtefactError:
    return ArtefactError(
        f"{artefact.path} is not what a file of the kind {artefact.kind!r} is: {what}, does not "
        "fit with the rest. It was made by another version or altered; delete it and run the "
        "workflow again."
    )
