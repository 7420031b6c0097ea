"""Number of threads of compiled kernels."""

from collections.abc import Iterator
from contextlib import contextmanager

import numba

__all__ = ["numba_threads"]


@contextmanager
def numba_threads(threads: int) -> Iterator[None]:
    """Run the block with so many Numba threads, and put back what was set before.

    Parameters
    ----------
    threads : int
        Threads, at most as many as Numba was started with.
    """
    before = numba.get_num_threads()
    numba.set_num_threads(max(1, min(threads, numba.config.NUMBA_NUM_THREADS)))
    try:
        yield
    finally:
        numba.set_num_threads(before)
