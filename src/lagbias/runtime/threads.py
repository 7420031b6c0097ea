"""Number of threads of compiled kernels."""

from collections.abc import Iterator
from contextlib import contextmanager

import numba

__all__ = ["numba_threads"]


@contextmanager
def numba_threads(threads: int) -> Iterator[None]:
    """Set the number of Numba threads within the block.

    Parameters
    ----------
    threads : int
        Number of threads; capped at the number that Numba was started with.
    """
    before = numba.get_num_threads()
    numba.set_num_threads(max(1, min(threads, numba.config.NUMBA_NUM_THREADS)))
    try:
        yield
    finally:
        numba.set_num_threads(before)
