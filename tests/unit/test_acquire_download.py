"""Downloads from a server on this machine that behaves as badly as real ones do."""

import errno
import http.server
import json
import logging
import re
import socket
import threading
import time

import numpy as np
import pytest
import urllib3
from urllib3.exceptions import MaxRetryError, SSLError

from lagbias.sources.abacus.acquire.checksum import Checksum, Cksum
from lagbias.sources.abacus.acquire.download import fetch, file_url
from lagbias.sources.abacus.acquire.errors import (
    AcquisitionError,
    CorruptFileError,
    DownloadError,
    MissingFileError,
)
from lagbias.sources.abacus.acquire.partial import PartialFile, RemoteFile
from lagbias.sources.abacus.acquire.transfer import open_session

DATA = np.random.default_rng(1).bytes(200_000)
NEWER = np.random.default_rng(2).bytes(200_000)
BAD = bytes([DATA[0] ^ 1]) + DATA[1:]
EXPECTED = Cksum(DATA).result()
PATIENCE = 0.2
"""Silence that the client bears in tests of slow servers [s]."""


class Server(http.server.ThreadingHTTPServer):
    """Serves one file; `script` holds one set of misdeeds per request, then it behaves."""

    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.requests, self.data = [], [], DATA
        self.etag = '"one"'
        self.ranges, self.framing = True, "length"

    def handle_error(self, request, client_address):
        """Keep quiet about clients that hang up."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        server = self.server
        server.requests.append(dict(self.headers))
        deed = server.script.pop(0) if server.script else {}
        time.sleep(deed.get("silence", 0.0))
        if "status" in deed:
            return self.answer(deed["status"], b"", deed.get("headers", {}))
        data, start = deed.get("data", server.data), 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        unchanged = self.headers.get("If-Range") in (None, server.etag)
        if wanted and server.ranges and (unchanged or deed.get("careless")):
            start = int(wanted[1])
            if start >= len(data):
                return self.answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        headers = {"ETag": server.etag} if server.etag else {}
        if start:
            first = start + deed.get("shift", 0)
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        return self.answer(206 if start else 200, data[start:], headers, deed.get("cut"))

    def answer(self, status, body, headers, cut=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        framing = self.server.framing if status < 300 else "length"
        if framing == "length":
            self.send_header("Content-Length", str(len(body)))
        elif framing == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])
        if cut is not None or framing == "none":
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def get(server, tmp_path):
    """Fetch from the server, without waiting; `get.waits` are the seconds it would have waited."""

    def run(**options):
        options = {"expected": EXPECTED, "retries": 2, "timeout": 5.0, **options}
        with urllib3.PoolManager() as session:
            return fetch(run.url, run.path, session=session, sleep=run.waits.append, **options)

    run.waits, run.path = [], tmp_path / "sub" / "file.asdf"
    run.url = f"http://127.0.0.1:{server.server_port}/small/file.asdf"
    return run


def left_over(get):
    return sorted(path.name for path in get.path.parent.iterdir())


def asked_for(server):
    return [headers.get("Range") for headers in server.requests]


def test_a_file_comes_whole_and_once(server, get):
    assert get() == get.path
    assert get.path.read_bytes() == DATA
    assert left_over(get) == ["file.asdf"] and get.waits == []
    get()
    assert len(server.requests) == 1
    assert server.requests[0]["Accept-Encoding"] == "identity"


def test_cut_connections_are_resumed(server, get):
    server.script = [{"cut": 50_000}, {"cut": 30_000}]
    get(backoff=0.5)
    assert get.path.read_bytes() == DATA
    assert asked_for(server) == [None, "bytes=50000-", "bytes=80000-"]
    assert server.requests[1]["If-Range"] == '"one"'
    assert get.waits == [0.5, 1.0]
    assert left_over(get) == ["file.asdf"]


def test_a_partial_file_never_has_the_final_name(server, get):
    server.script = [{"cut": 50_000}, {"cut": 0}, {"cut": 0}]
    with pytest.raises(DownloadError, match=r"3 attempts in a row.*50 kB are kept"):
        get()
    assert left_over(get) == ["file.asdf.part", "file.asdf.part.json"]
    get()  # a later run goes on
    assert asked_for(server)[3] == "bytes=50000-"
    assert get.path.read_bytes() == DATA and left_over(get) == ["file.asdf"]


def test_a_whole_part_is_verified_without_asking(server, get):
    server.script = [{"cut": 50_000}]
    with pytest.raises(DownloadError):
        get(retries=0)
    PartialFile(get.path).path.write_bytes(DATA)
    get()
    assert len(server.requests) == 1 and get.path.read_bytes() == DATA


def test_a_server_that_ignores_range_sends_all_again(server, get):
    server.ranges = False
    server.script = [{"cut": 50_000}, {"cut": 120_000}]
    get()
    assert asked_for(server) == [None, "bytes=50000-", "bytes=120000-"]
    assert get.path.read_bytes() == DATA


def test_a_server_that_ignores_range_and_always_cuts_is_given_up(server, get):
    server.ranges, server.data = False, bytes(3 << 20)
    server.script = [{"cut": 2 << 20}] * 20
    with pytest.raises(DownloadError, match="attempts in a row"):
        get(expected=Cksum(server.data).result())
    assert len(server.requests) <= 4


def test_progress_renews_the_number_of_attempts(server, get):
    server.data = np.random.default_rng(3).bytes(6 << 20)
    server.script = [{"cut": (1 << 20) + 1000}] * 5
    get(expected=Cksum(server.data).result(), retries=1)
    assert get.path.read_bytes() == server.data
    assert get.waits == [1.0] * 5


def test_a_file_that_changed_is_fetched_from_the_start(server, get):
    server.script = [{"cut": 50_000}]
    with pytest.raises(DownloadError):
        get(retries=0, expected=None)
    server.data, server.etag = NEWER, '"two"'
    get(expected=None)
    assert get.path.read_bytes() == NEWER


def test_a_careless_server_cannot_join_two_versions(server, get):
    server.script = [{"cut": 50_000}]
    with pytest.raises(DownloadError):
        get(retries=0, expected=None)
    server.data, server.etag = NEWER, '"two"'
    server.script = [{"careless": True}]  # sends the rest of the new one in spite of If-Range
    get(expected=None)
    assert get.path.read_bytes() == NEWER
    assert asked_for(server) == [None, "bytes=50000-", None]


def test_the_rest_of_another_range_is_not_appended(server, get):
    server.script = [{"cut": 50_000}, {"shift": 7}]
    get()
    assert get.path.read_bytes() == DATA
    assert asked_for(server) == [None, "bytes=50000-", None]


def test_parts_longer_than_the_file_are_thrown_away(server, get):
    server.script = [{"cut": 50_000}]
    with pytest.raises(DownloadError):
        get(retries=0)
    PartialFile(get.path).path.write_bytes(DATA + b"more")
    get()
    assert asked_for(server) == [None, None] and get.path.read_bytes() == DATA


def test_parts_of_which_nothing_is_known_are_not_continued(server, get):
    get.path.parent.mkdir()
    PartialFile(get.path).path.write_bytes(BAD[:1000])
    get()
    assert asked_for(server) == [None] and get.path.read_bytes() == DATA


def test_without_checksum_and_validator_nothing_is_continued(server, get):
    server.etag = None
    server.script = [{"cut": 50_000}]
    get(expected=None)
    assert asked_for(server) == [None, None] and get.path.read_bytes() == DATA
    get.path.unlink()
    server.script = [{"cut": 50_000}]
    get()  # with a checksum the result is guarded
    assert asked_for(server)[2:] == [None, "bytes=50000-"] and get.path.read_bytes() == DATA


def test_nothing_beyond_the_part_means_to_start_again(server, get):
    server.script = [{"cut": 50_000}]
    with pytest.raises(DownloadError):
        get(retries=0, expected=None)
    server.script = [{"status": 416}]
    get(expected=None)
    assert asked_for(server)[1:] == ["bytes=50000-", None] and get.path.read_bytes() == DATA


def test_a_file_corrupt_once_is_fetched_again(server, get, caplog):
    server.script = [{"data": BAD}]
    with caplog.at_level(logging.WARNING):
        get()
    assert get.path.read_bytes() == DATA and asked_for(server) == [None, None]
    assert "its checksum is" in caplog.text


def test_a_resumed_part_that_was_bad_is_fetched_again(server, get):
    server.script = [{"data": BAD, "cut": 50_000}]
    get()
    assert get.path.read_bytes() == DATA
    assert asked_for(server) == [None, "bytes=50000-", None]


def test_a_file_that_stays_corrupt_is_refused(server, get):
    server.data = BAD
    with pytest.raises(CorruptFileError, match=r"was expected\. It was fetched twice"):
        get()
    assert left_over(get) == [] and len(server.requests) == 2


def test_a_wrong_announced_length_is_not_even_fetched(server, get):
    server.data = b"<html>log in</html>"
    with pytest.raises(CorruptFileError, match=r"announces 19 bytes .* 200000 were expected"):
        get()
    assert left_over(get) == []


@pytest.mark.parametrize("status", [404, 410])
def test_missing_files_are_an_error_at_once(server, get, status):
    server.script = [{"status": status}]
    with pytest.raises(MissingFileError, match=r"small/file\.asdf does not exist .*redshift"):
        get()
    assert len(server.requests) == 1 and get.waits == [] and left_over(get) == []


@pytest.mark.parametrize(
    ("status", "remedy"), [(403, "another mirror"), (401, "login"), (400, "browser")]
)
def test_refusals_are_an_error_at_once(server, get, status, remedy):
    server.script = [{"status": status}]
    with pytest.raises(DownloadError, match=remedy):
        get()
    assert len(server.requests) == 1


def test_busy_servers_are_asked_again_when_they_say(server, get):
    server.script = [
        {"status": 503, "headers": {"Retry-After": "7"}},
        {"status": 429},
        {"status": 500, "headers": {"Retry-After": "nonsense"}},
    ]
    get(retries=3, backoff=0.5)
    assert get.waits == [7.0, 1.0, 2.0]  # asked for; then back-off that has doubled
    assert get.path.read_bytes() == DATA


def test_a_date_to_come_back_is_understood(server, get):
    when = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100))
    server.script = [{"status": 503, "headers": {"Retry-After": when}}]
    get()
    assert 90 < get.waits[0] <= 100


def test_a_server_that_wants_hours_is_left_alone(server, get):
    server.script = [{"status": 503, "headers": {"Retry-After": "7200"}}]
    with pytest.raises(DownloadError, match="asks to wait 7200 s"):
        get()
    assert get.waits == []


def test_back_off_doubles_and_ends(server, get):
    server.script = [{"status": 502}] * 20
    with pytest.raises(DownloadError, match=r"status 502 .*\(11 attempts"):
        get(retries=10)
    assert get.waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 120.0, 120.0, 120.0]


def test_silent_servers_time_out_and_are_asked_again(server, get):
    server.script = [{"silence": 3 * PATIENCE}]
    get(timeout=PATIENCE, retries=8)  # a busy machine may be silent by itself now and then
    assert get.path.read_bytes() == DATA and get.waits[0] == 1.0


def test_servers_that_are_not_there(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        with pytest.raises(DownloadError, match=r"Connection.*2 attempts in a row"):
            options = {"timeout": 1.0, "session": urllib3.PoolManager(), "sleep": lambda s: None}
            fetch(url, tmp_path / "x", retries=1, **options)
    assert list(tmp_path.iterdir()) == []


def test_redirects_are_followed(server, get):
    server.script = [{"status": 302, "headers": {"Location": "/elsewhere/file.asdf"}}]
    get()
    assert get.path.read_bytes() == DATA
    get.path.unlink()
    server.script = [{"status": 302, "headers": {"Location": "ftp://example.org/file"}}]
    with pytest.raises(DownloadError, match="cannot be followed"):
        get()


def test_chunked_files_are_whole_or_refused(server, get):
    server.framing = "chunked"
    get(expected=None)
    assert get.path.read_bytes() == DATA
    get.path.unlink()
    server.script = [{"cut": 50_000}]
    get(expected=None)
    assert get.path.read_bytes() == DATA and get.waits == [1.0]


def test_files_without_a_length_need_a_checksum(server, get):
    server.framing = "none"
    with pytest.raises(DownloadError, match="does not say how long"):
        get(expected=None)
    assert left_over(get) == []
    server.script = [{"cut": 50_000}]
    get()
    assert get.path.read_bytes() == DATA and asked_for(server)[1:] == [None, "bytes=50000-"]


def test_endless_answers_are_cut_off(server, get):
    server.framing, server.data = "none", DATA + bytes(4_000_000)
    with pytest.raises(CorruptFileError, match="200000 were expected") as caught:
        get()
    assert int(re.search(r"it has (\d+) bytes", str(caught.value))[1]) < 1_000_000
    assert left_over(get) == []


def test_a_full_disk_is_said_and_what_came_is_kept(server, get, monkeypatch):
    server.script = [{"cut": 50_000}]
    with pytest.raises(DownloadError):
        get(retries=0)

    def full(partial):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(AcquisitionError, match="No space left"):
        patch.setattr(PartialFile, "resume", full)
        get()
    assert PartialFile(get.path).size == 50_000 and not get.path.exists()
    get()
    assert get.path.read_bytes() == DATA


def test_certificates_that_are_not_trusted_are_an_error_at_once(get):
    class Session:
        def request(self, method, url, **options):
            reason = SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate")
            raise MaxRetryError(None, url, reason)

    with pytest.raises(DownloadError, match="SSL_CERT_FILE"):
        fetch("https://host/x", get.path, session=Session(), sleep=get.waits.append)
    assert get.waits == []


def test_proxies_of_the_environment_are_used(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://me:secret@proxy.example.org:3128")
    monkeypatch.setenv("no_proxy", "near.example.org")
    with open_session("https://far.example.org/x") as session:
        assert session.proxy.host == "proxy.example.org" and session.proxy.port == 3128
        assert "proxy-authorization" in session.proxy_headers
    with open_session("https://near.example.org/x") as session:
        assert session.proxy is None


def test_a_damaged_file_that_is_there_is_replaced(server, get, caplog):
    get.path.parent.mkdir()
    get.path.write_bytes(BAD)
    with caplog.at_level(logging.WARNING):
        get()
    assert get.path.read_bytes() == DATA and "fetching it again" in caplog.text
    get.path.write_bytes(BAD)
    server.script = [{"status": 404}]
    with pytest.raises(MissingFileError):
        get()
    assert get.path.read_bytes() == BAD  # nothing better came


def test_two_processes_do_not_write_one_file(server, get):
    get.path.parent.mkdir()
    with (
        PartialFile(get.path).locked(),
        pytest.raises(AcquisitionError, match="another process"),
    ):
        get()
    get()
    assert left_over(get) == ["file.asdf"]


def test_places_that_cannot_be_written_are_named(server, get):
    get.path.parent.write_text("a file where the directory should be")
    with pytest.raises(AcquisitionError, match=r"file\.asdf could not be written"):
        get()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "host/x", "http:///x"])
def test_only_web_addresses_are_fetched(tmp_path, url):
    with pytest.raises(ValueError, match="https://"):
        fetch(url, tmp_path / "x")


def test_addresses_of_files():
    assert file_url("https://host/base/", "a/b c.asdf") == "https://host/base/a/b%20c.asdf"
    with pytest.raises(ValueError, match="stay inside"):
        file_url("https://host/base/", "../secret")


def test_notes_that_cannot_be_read_are_as_good_as_none(tmp_path):
    partial = PartialFile(tmp_path / "x")
    with partial.begin(RemoteFile("http://host/x", etag='W/"weak"', size=9)) as file:
        file.write(b"1234")
    assert partial.resumable("http://host/x", Checksum(1, 9)) == 4
    assert partial.resumable("http://other/x", Checksum(1, 9)) == 0
    assert partial.resumable("http://host/x", None) == 0  # a weak ETag does not hold for bytes
    note = tmp_path / "x.part.json"
    for text in ("{", "[]", json.dumps({"unknown": 1})):
        note.write_text(text)
        assert partial.origin() is None and partial.resumable("http://host/x", None) == 0
