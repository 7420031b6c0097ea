"""Progress bars that appear on a terminal and stay silent elsewhere."""

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
        What to iterate over; without it call ``update`` on the returned bar.
    total : int, optional
        Number of steps, dimensionless; taken from ``len(iterable)`` where it has one.
    desc : str
        What is being done.
    unit : str
        Name of one step.

    Returns
    -------
    tqdm.tqdm
        The bar; disabled when standard error is not a terminal.
    """
    return tqdm(
        iterable,
        total=total,
        desc=desc,
        unit=unit,
        disable=not sys.stderr.isatty(),
        dynamic_ncols=True,
        leave=False,
    )
