"""Fetch one file over HTTP: resumed where it was cut, verified, and moved into place whole."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urlsplit

import urllib3

from lagbias.sources.abacus.acquire.checksum import Checksum, mismatch
from lagbias.sources.abacus.acquire.errors import AcquisitionError, CorruptFileError, DownloadError
from lagbias.sources.abacus.acquire.partial import PartialFile
from lagbias.sources.abacus.acquire.places import format_bytes, safe_relative
from lagbias.sources.abacus.acquire.transfer import (
    Again,
    Restart,
    Transfer,
    WrongSize,
    open_session,
)

__all__ = ["fetch", "file_url"]

logger = logging.getLogger(__name__)

_MUCH = 1 << 20
"""Bytes after which an attempt counts as progress, so that failures are counted anew."""

_LONGEST_BACKOFF = 120.0
_LONGEST_WAIT = 900.0


def file_url(base_url: str, relative: str | PurePosixPath) -> str:
    """Return the address of a file of a collection.

    Parameters
    ----------
    base_url : str
        Address of the collection's root, http or https.
    relative : str or PurePosixPath
        Path below it.

    Returns
    -------
    str
        The address, with special characters of `relative` escaped.

    Raises
    ------
    ValueError
        If `relative` leaves the directory, or the address is not http or https.
    """
    return _check_url(f"{base_url.rstrip('/')}/{quote(str(safe_relative(relative)))}")


def fetch(
    url: str,
    path: str | Path,
    *,
    expected: Checksum | None = None,
    largest: int | None = None,
    retries: int = 8,
    timeout: float = 60.0,
    backoff: float = 1.0,
    session: urllib3.PoolManager | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Download a file unless it is there already; a file under its final name is whole.

    Bytes are gathered in ``<path>.part``. A download that was cut, now or in an earlier run, goes
    on where it stopped if the server allows it and still has the same file.

    Parameters
    ----------
    url : str
        Address, http or https.
    path : str or Path
        Final name; its directory is made if need be.
    expected : Checksum, optional, keyword-only
        Size and checksum. Without it the only check is the length that the server announces.
    largest : int, optional, keyword-only
        Most bytes that the file may have, where `expected` does not say how many.
    retries : int, keyword-only
        Failures in a row, each without 1 MiB of progress, after which to give up.
    timeout : float, keyword-only
        Longest silence of the server [s].
    backoff : float, keyword-only
        Pause before the first retry [s], doubled each time up to 120 s. A server's
        ``Retry-After`` replaces it.
    session : urllib3.PoolManager, optional, keyword-only
        Connections to share between files; one that heeds the environment's proxies if omitted.
    sleep : callable, keyword-only
        Called with the seconds to wait.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ValueError
        If `url` is not an http or https address.
    MissingFileError
        If the server has no such file.
    CorruptFileError
        If the file had the wrong size or checksum twice.
    DownloadError
        If the server refuses, or retries are used up.
    AcquisitionError
        If the file cannot be written.
    """
    _check_url(url)
    path, wait = Path(path), _Wait(retries, backoff, sleep)
    session = session or open_session(url)
    transfer = Transfer(url, PartialFile(path), expected, timeout, session, largest)
    try:
        if path.exists() and _keep(path, expected):
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with transfer.partial.locked():
            _fetch_verified(transfer, wait)
    except OSError as error:
        raise AcquisitionError(
            f"{path} could not be written: {error.strerror or error}. What had come is in "
            f"{transfer.partial.path.name} beside it; mend the cause (space, quota, permission) "
            "and run again, which goes on from there."
        ) from error
    return path


def _check_url(url: str) -> str:
    """Return `url` after checking that it is http or https and names a host."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # brackets or a port that mean nothing
        usable = False
    if not usable or not url.isprintable():
        raise ValueError(f"{url!r} cannot be fetched: give an address that begins with https://.")
    return url


class _Wait:
    """Counts failures in a row and waits between them."""

    def __init__(self, retries: int, backoff: float, sleep: Callable[[float], None]):
        self.retries, self.backoff, self.sleep, self.failures = retries, backoff, sleep, 0

    def after(self, again: Again, transfer: Transfer, progress: int) -> None:
        if progress >= _MUCH:
            self.failures = 0
        self.failures += 1
        kept = format_bytes(transfer.partial.size)
        if self.failures > self.retries:
            raise DownloadError(
                f"{transfer.url} could not be fetched: {again} ({self.failures} attempts in a row "
                f"failed). {kept} are kept beside {transfer.partial.final}; run again to go on "
                "from there, or get the file another way (see the documentation on offline use)."
            ) from again
        delay = min(self.backoff * 2 ** (self.failures - 1), _LONGEST_BACKOFF)
        if again.retry_after is not None:
            delay = again.retry_after
        if delay > _LONGEST_WAIT:
            raise DownloadError(
                f"{transfer.url}: the server asks to wait {delay:.0f} s ({again}). Run again "
                f"after that; {kept} are kept and not fetched twice."
            ) from again
        logger.warning("%s: %s; trying again in %.1f s", transfer.url, again, delay)
        self.sleep(delay)


def _keep(path: Path, expected: Checksum | None) -> bool:
    problem = None if path.is_file() else "it is no file"
    if not problem and expected:
        problem = mismatch(path, expected)
    if problem:
        logger.warning("%s is there but %s: fetching it again", path, problem)
    return problem is None


def _fetch_verified(transfer: Transfer, wait: _Wait) -> None:
    """Fetch; from the start once more if what came is corrupt."""
    problem = None
    for _ in range(2):
        try:
            _fill(transfer, wait)
            problem = transfer.problem()
        except WrongSize as error:
            problem = str(error)
        if problem is None:
            transfer.partial.finish()
            return
        logger.warning("%s: %s; fetching it from the start", transfer.url, problem)
        transfer.partial.discard()
    raise CorruptFileError(
        f"{transfer.url} is corrupt: {problem}. It was fetched twice and {transfer.partial.final} "
        "was not written. Either the server's copy or the checksum file is wrong: delete the "
        "checksum file so that it is fetched anew, or use another mirror."
    )


def _fill(transfer: Transfer, wait: _Wait) -> None:
    """Ask until all bytes are there."""
    furthest = transfer.partial.size
    while True:
        try:
            transfer.request()
            return
        except Restart as restart:
            logger.warning("%s: %s; starting again", transfer.url, restart)
            transfer.partial.discard()  # so the next request is without Range: no endless loop
        except Again as again:
            # only new ground is progress: a server that ignores Range must not be asked for ever
            wait.after(again, transfer, transfer.partial.size - furthest)
            furthest = max(furthest, transfer.partial.size)
