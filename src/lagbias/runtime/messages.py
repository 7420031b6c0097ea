"""Values and errors as they may stand in messages, wherever they came from."""

import reprlib
from typing import Any

__all__ = ["MOST_BITS", "first_line", "shown"]

#: Bits of a whole number that is written out: Python refuses thousands of digits.
MOST_BITS = 64

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80
_SHORT.maxdict = _SHORT.maxlist = 8
_SHORT.maxlevel = 3


def shown(value: Any) -> str:
    """Write a value as it may stand in a message: in one line, and not at length.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    str
        Like ``repr``, with the middle of what is long left out.
    """
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        return f"a number of {value.bit_length()} bits"
    return _SHORT.repr(value)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type where it has none.

    Parameters
    ----------
    error : BaseException
        Anything.
    """
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    return (text.strip().splitlines() or [type(error).__name__])[0]
