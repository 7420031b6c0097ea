"""What configuration files hold, before anything is made of it: plain values, and not too many.

YAML can hold more than a configuration needs: dates, sets, bytes and Python's functions, mappings
that hold themselves, and a few lines of aliases that stand for billions of values.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from lagbias.runtime.messages import MOST_BITS, shown

__all__ = ["problems"]

#: Keys and values in a configuration; the shipped ones have some two hundred.
MOST_VALUES = 2000
#: Characters of a key or of a text.
LONGEST_TEXT = 1000
#: Sections within sections; the shipped configurations have three levels.
DEEPEST = 8


def problems(raw: Any) -> Iterator[str]:
    """Find what is no plain value, or too much of it.

    Parameters
    ----------
    raw : object
        What the files of a configuration merge to.

    Yields
    ------
    str
        A sentence of key, value and remedy. The first one ends the search, which takes no longer
        for aliases that stand for billions of values.
    """
    if not isinstance(raw, Mapping):
        yield f"It is {type(raw).__name__}, not a mapping of keys to values."
        return
    waiting, seen = [((), raw)], 0
    while waiting:
        location, value = waiting.pop()
        seen += 1
        if problem := _problem(location, value):
            yield problem
            return
        if isinstance(value, Mapping):
            waiting += [((*location, key), item) for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [((*location, index), item) for index, item in enumerate(value)]
        if seen + len(waiting) > MOST_VALUES:
            yield (
                f"It holds more than {MOST_VALUES} values; the largest run that is shipped has "
                f"some two hundred. Leave out what is not needed, and aliases of aliases."
            )
            return


def _problem(location: tuple, value: Any) -> str | None:
    """Return what is wrong with one value, not with its members."""
    key = ".".join(map(_part, location))
    if location and not _may_be_key(location[-1]):
        return f"{key} is no name of a key; write a text."
    if location and isinstance(location[-1], str) and not _is_plain(location[-1]):
        return f"{key} is no name of a key: {_PLAIN}."
    if len(location) > DEEPEST:
        return f"{key} lies deeper than any key: more than {DEEPEST} levels. Correct the indents."
    if value is None or isinstance(value, bool | float | Mapping | list):
        return None
    if isinstance(value, str):
        return None if _is_plain(value) else f"{key} = {shown(value)}: {_PLAIN}."
    if isinstance(value, int):
        small = value.bit_length() <= MOST_BITS
        return None if small else f"{key} is {shown(value)}; give a smaller one."
    return (
        f"{key} is of the type {type(value).__name__}; write a number, a text, true or false, a "
        f"list or a section. Texts that look like something else, such as dates, need quotes."
    )


_PLAIN = f"texts have at most {LONGEST_TEXT} characters, all printable and in one line"


def _may_be_key(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, int) and part.bit_length() <= MOST_BITS)


def _is_plain(text: str) -> bool:
    return len(text) <= LONGEST_TEXT and text.isprintable()


def _part(part: Any) -> str:
    """Write a part of a key, as it is if it may stand in a message."""
    if isinstance(part, str):
        return part if _is_plain(part) else shown(part)
    return shown(part) if isinstance(part, int) else f"({type(part).__name__})"
