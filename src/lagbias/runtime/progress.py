"""Progress bars, shown on terminals only."""

import sys
from collections.abc import Iterable

from tqdm import tqdm

__all__ = ["bar"]


def bar(
    iterable: Iterable | None = None, *, total: int | None = None, desc: str = "", unit: str = "it"
) -> tqdm:
    """Wrap `iterable` in a progress bar on standard error.

    Parameters
    ----------
    iterable : Iterable, optional
        The steps; if not given, call ``update`` on the returned bar.
    total : int, optional
        Number of steps; ``len(iterable)`` if not given.
    desc : str
        Title.
    unit : str
        Name of one step; "B" for bytes, with prefixes.

    Returns
    -------
    tqdm.tqdm
        The bar, disabled if standard error is not a terminal.
    """
    return tqdm(
        iterable,
        total=total,
        desc=desc,
        unit=unit,
        unit_scale=unit == "B",
        disable=not sys.stderr.isatty(),
        dynamic_ncols=True,
        leave=False,
    )
