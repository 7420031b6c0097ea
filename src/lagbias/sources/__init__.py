"""Where simulations come from: everything after this sees the same :class:`~base.BoxData`.

A source is one module of this package with a function that returns a
:class:`lagbias.sources.base.BoxData`. To add one, write the module and name it in
:data:`SOURCES`; the contract test then covers it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

__all__ = ["SOURCES", "get_source"]

SOURCES: dict[str, tuple[str, str]] = {
    "abacus": ("lagbias.sources.abacus.read", "read_box"),
    "embedded": ("lagbias.sources.embedded", "make_box"),
}
"""Name of a source -> its module and the function in it that returns a box."""


def get_source(name: str) -> Callable:
    """Import a source and return its function.

    Parameters
    ----------
    name : str
        A key of :data:`SOURCES`. The module is imported now, not with this package: simulation
        code and readers of foreign formats are slow to load.

    Returns
    -------
    Callable
        Returns a :class:`lagbias.sources.base.BoxData`.

    Raises
    ------
    ValueError
        If there is no such source.
    """
    if name not in SOURCES:
        raise ValueError(f"source = {name!r} is unknown; choose one of {sorted(SOURCES)}.")
    module, function = SOURCES[name]
    return getattr(import_module(module), function)
