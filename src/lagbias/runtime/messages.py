"""Short forms of values and errors for messages, and suggestions of names."""

import difflib
import reprlib
from collections.abc import Iterable
from typing import Any

__all__ = ["did_you_mean", "first_line", "short_repr"]

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80
_SHORT.maxdict = _SHORT.maxlist = 8
_SHORT.maxlevel = 3


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the known name that is closest to `name`, or end the sentence."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else "."


def short_repr(value: Any) -> str:
    """Return a one-line ``repr`` of a value, with the middle of long ones left out."""
    if isinstance(value, int) and value.bit_length() > 64:  # Python refuses thousands of digits
        return f"a number of {value.bit_length()} bits"
    return _SHORT.repr(value)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type if it has none."""
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    return (text.strip().splitlines() or [type(error).__name__])[0]
