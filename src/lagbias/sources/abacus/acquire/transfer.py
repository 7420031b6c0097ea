"""One HTTP request for the rest of a file, and what every kind of answer means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import (
    HTTPError,
    InvalidHeader,
    LocationValueError,
    MaxRetryError,
    ResponseError,
    SSLError,
)

from lagbias import __version__
from lagbias.runtime.messages import shown
from lagbias.sources.abacus.acquire.checksum import Checksum, mismatch
from lagbias.sources.abacus.acquire.errors import DownloadError, MissingFileError
from lagbias.sources.abacus.acquire.partial import PartialFile, RemoteFile
from lagbias.sources.abacus.acquire.places import byte_bar

__all__ = ["Again", "Restart", "Transfer", "WrongSize", "open_session"]

_BLOCK = 1 << 18
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
_CONTENT_RANGE = re.compile(r"bytes ([0-9]+)-([0-9]+)/([0-9]+)")
_ONLY_REDIRECTS = urllib3.Retry(
    total=None, connect=0, read=0, other=0, redirect=5, respect_retry_after_header=False
)
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"lagbias/{__version__}"}


class Again(Exception):
    """The request failed in a way that may pass; `retry_after` [s] is the server's wish."""

    def __init__(self, reason: str, retry_after: float | None = None):
        super().__init__(reason)
        self.retry_after = retry_after


class Restart(Exception):
    """The bytes that are there cannot be continued."""


class WrongSize(Exception):
    """The server announces another size than the file should have."""


def open_session(url: str) -> urllib3.PoolManager:
    """Return a connection pool that goes through the environment's proxy where one is set.

    Parameters
    ----------
    url : str
        An address on the server that will be asked.
    """
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.hostname):
        return urllib3.PoolManager()
    login = urllib3.util.parse_url(proxy).auth
    headers = urllib3.make_headers(proxy_basic_auth=login) if login else None
    return urllib3.ProxyManager(proxy, proxy_headers=headers)


@dataclass
class Transfer:
    """A file on its way.

    Attributes
    ----------
    url : str
        Address.
    partial : PartialFile
        Where the bytes go.
    expected : Checksum or None
        What the whole file should be.
    timeout : float
        Longest silence of the server [s].
    session : urllib3.PoolManager
        Connections.
    largest : int or None
        Most bytes of a file of which no more is known.
    """

    url: str
    partial: PartialFile
    expected: Checksum | None
    timeout: float
    session: urllib3.PoolManager
    largest: int | None = None

    def problem(self) -> str | None:
        """Say what is wrong with the bytes that have come, or None."""
        return mismatch(self.partial.path, self.expected) if self.expected else None

    def request(self) -> None:
        """Ask for the bytes that are missing and write them; return when all are there.

        Raises
        ------
        Again
            If the connection was cut or timed out, or the server is busy.
        Restart
            If the server has another file now, or answers for another range.
        WrongSize
            If the server announces another size than expected.
        MissingFileError, DownloadError
            If asking again would not help.
        """
        offset = self.partial.resumable(self.url, self.expected)
        if self.expected and offset and offset == self.expected.size:
            return
        try:
            response = self.session.request(
                "GET",
                self.url,
                headers=self._headers(offset),
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=self.timeout, read=self.timeout),
                # redirects are followed; everything else is counted in one place, by the caller
                retries=_ONLY_REDIRECTS,
            )
        except HTTPError as error:
            raise self._failure(error) from error
        except ValueError as error:  # what the standard library makes of some redirections
            raise DownloadError(self._nowhere(error)) from error
        try:
            self._receive(response, offset)
        except HTTPError as error:
            raise self._failure(error) from error
        finally:
            response.close()

    def _headers(self, offset: int) -> dict[str, str]:
        headers = dict(_HEADERS)
        if offset:
            headers["Range"] = f"bytes={offset}-"
            if validator := self.partial.origin().validator:
                headers["If-Range"] = validator
        return headers

    def _receive(self, response: urllib3.BaseHTTPResponse, offset: int) -> None:
        if response.status == 206 and offset:
            remote = self._continued(response, offset)
            opened = self.partial.resume()
        elif response.status == 200:
            offset, remote = 0, self._announced(response)
            opened = self.partial.begin(remote)
        elif response.status == 416 and offset:
            raise Restart("the server has no bytes beyond those that are here")
        else:
            raise self._refusal(response)
        with opened as file, byte_bar(remote.size, self.partial.final.name, done=offset) as bar:
            for block in _blocks(response):
                file.write(block)
                bar.update(len(block))
                if self.expected and file.tell() > self.expected.size:
                    break  # too long: verification will say so
                if self.largest is not None and file.tell() > self.largest:
                    raise DownloadError(self._too_large())
        wanted = self.expected.size if self.expected else remote.size
        if wanted is not None and self.partial.size < wanted:
            raise Again(f"the connection was closed after {self.partial.size} of {wanted} bytes")

    def _announced(self, response: urllib3.BaseHTTPResponse) -> RemoteFile:
        """Return what the server says of the whole file."""
        size = _count(response.headers.get("Content-Length", ""))
        if self.expected and size is not None and size != self.expected.size:
            kind = response.headers.get("Content-Type", "unknown type")
            raise WrongSize(
                f"the server announces {size} bytes ({kind}), {self.expected.size} were expected"
            )
        framed = response.headers.get("Transfer-Encoding", "").lower() == "chunked"
        if self.expected is None and size is None and not framed:
            raise DownloadError(
                f"{self.url}: the server does not say how long the file is and no checksum is "
                "known, so a cut file could not be told from a whole one. Give its checksum."
            )
        return self._remote(response, size)

    def _continued(self, response: urllib3.BaseHTTPResponse, offset: int) -> RemoteFile:
        """Check that an answer in part continues what is here."""
        header = response.headers.get("Content-Range", "")
        match = _CONTENT_RANGE.fullmatch(header)
        first, last, size = map(_count, match.groups()) if match else (None,) * 3
        if None in (first, last, size) or first != offset or last + 1 > size:
            raise Restart(f"bytes from {offset} were asked for, {shown(header)} was sent")
        remote = self._remote(response, size)
        if not remote.same_content(self.partial.origin()):
            raise Restart("the file on the server has changed")
        if self.expected and remote.size != self.expected.size:
            raise Restart(f"the server's file has {remote.size} bytes now")
        return remote

    def _remote(self, response: urllib3.BaseHTTPResponse, size: int | None) -> RemoteFile:
        headers = response.headers
        return RemoteFile(self.url, headers.get("ETag"), headers.get("Last-Modified"), size)

    def _nowhere(self, reason: Exception) -> str:
        return (
            f"{self.url}: the server sends on to an address that cannot be followed "
            f"({_one_line(str(reason))}). Open the address in a browser to see where the file is "
            "now."
        )

    def _too_large(self) -> str:
        return (
            f"{self.url} goes on after {self.largest} bytes, which is more than such a file has: "
            "the server sends something else. Open the address in a browser to see what it serves."
        )

    def _refusal(self, response: urllib3.BaseHTTPResponse) -> Exception:
        status = f"status {response.status} {_one_line(response.reason)}".rstrip()
        if response.status in _TEMPORARY:
            return Again(f"the server answered with {status}", _retry_after(response))
        if response.status in (404, 410):
            return MissingFileError(
                f"{self.url} does not exist on the server ({status}). Check the name of the "
                "simulation and the redshift (not every box reached it), and the base address; "
                "if the file is elsewhere, fetch it there and use it offline."
            )
        if response.status in (401, 403):
            return DownloadError(
                f"{self.url} may not be read ({status}): the server asks for a login or does not "
                "publish this file. Use another mirror, or transfer it (Globus, NERSC) and use "
                "it offline."
            )
        return DownloadError(
            f"{self.url}: the server answered with {status}, which trying again would not "
            "change. Open the address in a browser to see what it serves."
        )

    def _failure(self, error: HTTPError) -> Exception:
        reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
        if isinstance(reason, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(reason):
            return DownloadError(
                f"{self.url}: the server's certificate is not trusted here ({reason}). Update the "
                "system's certificates, or set SSL_CERT_FILE to those of your site."
            )
        if isinstance(reason, LocationValueError | ResponseError):
            return DownloadError(self._nowhere(reason))
        return Again(f"{type(reason).__name__}: {reason}")


def _retry_after(response: urllib3.BaseHTTPResponse) -> float | None:
    try:
        value = response.headers.get("Retry-After")
        return None if value is None else urllib3.Retry().parse_retry_after(value)
    except (InvalidHeader, ValueError, OverflowError):
        return None


def _blocks(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Yield what is sent."""
    try:
        yield from response.stream(_BLOCK, decode_content=False)
    except ValueError as error:  # urllib3 does not look at the sign of a part's length
        raise Again(f"the server sent a part without a sound length ({error})") from error


def _count(text: str) -> int | None:
    """Return a number of bytes, or None where a text is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _one_line(text: str | None) -> str:
    """Return what a server says so that it may stand in a message."""
    return "".join(c for c in (text or "")[:200] if c.isprintable())
