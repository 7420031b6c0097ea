"""Download of one file over HTTP: resumed, retried, verified and moved into place."""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, ProtocolError, SSLError

from lagbias import __version__
from lagbias.runtime.progress import bar
from lagbias.sources.abacus.checksum import AcquisitionError, Checksum, mismatch

__all__ = ["RETRIES", "TIMEOUT", "MissingFileError", "download", "open_pool", "partial_path"]

log = logging.getLogger(__name__)

RETRIES = urllib3.Retry(
    total=8,
    other=0,  # untrusted certificates, unusable addresses
    status_forcelist=(408, 425, 429, 500, 502, 503, 504),
    raise_on_status=False,
    backoff_factor=1.0,
)
"""Failures in a row, each without 1 MiB of progress, after which a download is given up."""

TIMEOUT = 60.0
"""Longest silence of the server [s]."""

_BLOCK, _PROGRESS = 1 << 18, 1 << 20
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"lagbias/{__version__}"}


class MissingFileError(AcquisitionError):
    """The server does not have the file."""


def partial_path(path: Path) -> Path:
    """Return the name of an incomplete download: ``<path>.part``."""
    return path.with_name(path.name + ".part")


def open_pool(url: str) -> urllib3.PoolManager:
    """Open connections to the server of an address, through the proxy of the environment if any."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.hostname or ""):
        return urllib3.PoolManager()
    login = urllib3.util.parse_url(proxy).auth
    headers = urllib3.make_headers(proxy_basic_auth=login) if login else None
    return urllib3.ProxyManager(proxy, proxy_headers=headers)


def download(
    url: str, path: Path, expected: Checksum | None = None, *, pool: urllib3.PoolManager
) -> None:
    """Download a file unless it is there already; a file under its final name is complete.

    With a checksum, a download that was interrupted, now or in an earlier run, is resumed; without
    one, only the length that the server announces is checked. Connections are from `open_pool`.

    Raises
    ------
    MissingFileError
        If the server does not have the file.
    AcquisitionError
        If the server refuses, retries are used up, the file had the wrong checksum twice, or it
        cannot be written.
    """
    part = partial_path(path)
    try:
        if path.is_file():
            problem = mismatch(path, expected) if expected else ""
            if not problem:
                return
            log.warning("%s exists, but %s: downloading it again", path, problem)
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as file:
            _lock(file, path)
            try:
                _fill_verified(url, file, expected, pool)
                os.fsync(file.fileno())  # the rename must not reach the disk before the data
                part.replace(path)
            finally:
                if not _end(file):
                    part.unlink(missing_ok=True)
    except MaxRetryError as error:
        remedy = "Run again later, which resumes the download, or transfer the file otherwise."
        if isinstance(error.reason, SSLError):
            remedy = "Set SSL_CERT_FILE to the certificates of your site."
        raise AcquisitionError(
            f"{url} could not be downloaded: {error.reason}. {remedy}"
        ) from error
    except AcquisitionError:
        raise
    except OSError as error:
        raise AcquisitionError(
            f"{path} could not be written: {error.strerror or error}. Free some space or correct "
            "the permissions, and run again, which resumes the download."
        ) from error


def _lock(file: BinaryIO, path: Path) -> None:
    """Keep other processes from writing the same file."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise AcquisitionError(
            f"{path} is being downloaded by another process. Run again when it is done."
        ) from None
    except OSError:
        pass  # some network file systems have no locks; the checksum still guards the result


def _fill_verified(
    url: str, file: BinaryIO, expected: Checksum | None, pool: urllib3.PoolManager
) -> None:
    """Complete a file; once more from the start if its checksum is wrong."""
    if expected is None:
        file.truncate(0)  # nothing would notice if two versions were joined
    for _ in range(2):
        _fill(url, file, expected, pool)
        file.flush()
        problem = mismatch(file.name, expected) if expected else ""
        if not problem:
            return
        log.warning("%s: %s; downloading it again", url, problem)
        file.truncate(0)
    raise AcquisitionError(
        f"{url} is corrupt: {problem}. It was downloaded twice. Delete the checksum file in its "
        "directory, which may be outdated, or use another mirror."
    )


def _fill(url: str, file: BinaryIO, expected: Checksum | None, pool: urllib3.PoolManager) -> None:
    """Append what is missing; resume and retry until all of it is there."""
    left, furthest = RETRIES, _end(file)
    while expected is None or _end(file) < expected.size:
        offset = _end(file) if expected else 0
        headers = _HEADERS | ({"Range": f"bytes={offset}-"} if offset else {})
        try:
            with pool.request(
                "GET", url, headers=headers, preload_content=False, retries=left, timeout=TIMEOUT
            ) as response:
                _receive(response, url, file, expected)
            return
        except MaxRetryError:
            raise
        except HTTPError as error:  # urllib3 itself retries requests, but not their bodies
            if _end(file) >= furthest + _PROGRESS:  # not what a restart only repeats
                left, furthest = RETRIES, _end(file)
            left = left.increment("GET", url, error=error)
            log.warning("%s: %s; resuming after %d bytes", url, error, _end(file))
            left.sleep()


def _receive(
    response: urllib3.BaseHTTPResponse, url: str, file: BinaryIO, expected: Checksum | None
) -> None:
    """Append the body of a response, or start again if the server does not resume."""
    status = response.status
    if status == 416 and _end(file):
        file.truncate(0)
        raise ProtocolError("the server cannot resume")
    if status not in (200, 206):
        raise _refusal(url, status, response.reason)
    if status == 200 or expected is None:
        file.truncate(0)
    rest = response.length_remaining
    total = None if rest is None else _end(file) + rest
    if expected and total not in (None, expected.size):
        raise AcquisitionError(
            f"{url} has {total} bytes ({response.headers.get('Content-Type')}) instead of the "
            f"{expected.size} in the checksum file. Open it in a browser to see what it is, or use "
            "another mirror."
        )
    with bar(total=total, desc=Path(file.name).stem, unit="B") as progress:
        progress.update(_end(file))
        for block in response.stream(_BLOCK, decode_content=False):
            file.write(block)
            progress.update(len(block))


def _end(file: BinaryIO) -> int:
    return file.seek(0, os.SEEK_END)


def _refusal(url: str, status: int, reason: str | None) -> AcquisitionError:
    """Return the error for a status that is not retried."""
    if status in (404, 410):
        return MissingFileError(
            f"{url} does not exist on the server (status {status}). Check abacus.base_url, the "
            "simulation and the redshift (not every box reached it)."
        )
    remedy = "Run again later, or open the address in a browser to see what it serves."
    if status in (401, 403):
        remedy = (
            "Use another mirror, or transfer the file (Globus, NERSC) and set abacus.link_from."
        )
    return AcquisitionError(f"{url}: the server answered with status {status} ({reason}). {remedy}")
