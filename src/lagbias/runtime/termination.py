"""Ending in good order when a batch system or a user asks a process to.

SLURM sends SIGTERM to every process of a job that is preempted, cancelled or out of time, and
SIGKILL half a minute later (its ``KillWait``).
"""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Terminated", "as_exception"]

logger = logging.getLogger(__name__)

#: Requests to end that a process may answer; Python itself turns SIGINT into KeyboardInterrupt.
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Terminated(SystemExit):
    """The process was asked to end.

    Uncaught, it ends the process with the status that shells give to an end by that signal.

    Parameters
    ----------
    number : int
        The signal.
    """

    def __init__(self, number: int):
        super().__init__(128 + number)
        self.signal = signal.Signals(number)

    def __str__(self):
        return f"ended by {self.signal.name}"


@contextmanager
def as_exception() -> Iterator[None]:
    """Raise `Terminated` within the block when the process is asked to end.

    Clean-up on the way out thus takes place. Once it has begun, further requests are ignored until
    the block is left. A signal that does not have its default effect, such as SIGHUP under
    ``nohup``, is left alone. For the main thread only, as are all signal handlers in Python.

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
    except Terminated as request:
        logger.warning("This job is %s. Run the workflow again: it takes up the work.", request)
        raise
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)
