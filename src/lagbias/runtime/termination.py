"""Orderly shutdown when a batch system or a user ends a process.

SLURM sends SIGTERM to every process of a job that is preempted, cancelled or out of time, and
SIGKILL half a minute later (its ``KillWait``).
"""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Terminated", "as_exception"]

logger = logging.getLogger(__name__)

#: Signals that are converted; Python itself converts SIGINT to KeyboardInterrupt.
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Terminated(SystemExit):
    """The process received SIGTERM or SIGHUP.

    Uncaught, it ends the process with the exit status that shells report for the signal.

    Parameters
    ----------
    number : int
        Number of the signal.
    """

    def __init__(self, number: int):
        super().__init__(128 + number)
        self.signal = signal.Signals(number)

    def __str__(self):
        return f"ended by {self.signal.name}"


@contextmanager
def as_exception() -> Iterator[None]:
    """Raise `Terminated` in the block on SIGTERM and SIGHUP, so that clean-up runs.

    Further signals are ignored until the block ends. A signal without its default handler, such
    as SIGHUP under ``nohup``, is left alone. For the main thread only, as all signal handlers in
    Python.

    Raises
    ------
    Terminated
        When SIGTERM or SIGHUP arrives.
    """
    replaced = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]

    def end(number, frame):
        for each in replaced:
            signal.signal(each, signal.SIG_IGN)
        raise Terminated(number)

    try:
        for number in replaced:
            signal.signal(number, end)
        yield
    except Terminated as error:
        logger.warning("The job was %s. Run the workflow again to continue.", error)
        raise
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)
