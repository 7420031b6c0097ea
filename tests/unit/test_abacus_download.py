"""Checksums, and downloads from a local server that fails as real ones do."""

import errno
import http.server
import os
import re
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import urllib3

from lagbias.sources.abacus import download as module
from lagbias.sources.abacus.checksum import (
    CHECKSUM_FILE,
    AcquisitionError,
    Checksum,
    cksum,
    mismatch,
    read_checksums,
)
from lagbias.sources.abacus.download import MissingFileError, download, open_pool

DATA = np.random.default_rng(1).bytes(200_000)
BAD = bytes([DATA[0] ^ 1]) + DATA[1:]


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "data"
    path.write_bytes(DATA)
    return cksum(path)


# --- checksums ---


@pytest.mark.parametrize(
    ("data", "crc"),  # what GNU cksum 9.1 prints
    [
        (b"", 4294967295),
        (b"123456789", 930766865),
        (b"\x00", 4215202376),
        (bytes(256), 4215202376),  # as one zero: its length is written 0, 1
        (bytes(range(256)), 1313719201),
    ],
)
def test_recorded_checksums(tmp_path, data, crc):
    (tmp_path / "data").write_bytes(data)
    assert cksum(tmp_path / "data") == Checksum(crc, len(data))


def test_checksums_shipped_with_real_data_are_right(repository):
    default = repository.parent / "shared" / "data" / "abacus_mini"
    mini = Path(os.environ.get("LAGBIAS_ABACUS_MINI", default))
    if not mini.is_dir():
        pytest.skip("no real data: set LAGBIAS_ABACUS_MINI to the directory of Mini_N64_L32")
    listings = sorted(mini.rglob(CHECKSUM_FILE))
    assert len(listings) == 11  # nine products of halos and particles, two of cleaning
    for listing in listings:
        sums = read_checksums(listing)
        assert len(sums) == 3
        assert not any(mismatch(listing.parent / name, one) for name, one in sums.items())


def test_differences_are_described(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"123456789")
    assert mismatch(path, Checksum(930766865, 9)) == ""
    assert mismatch(path, Checksum(1, 9)) == "its checksum is 930766865 instead of 1"
    assert mismatch(path, Checksum(1, 9), size_only=True) == ""
    assert mismatch(path, Checksum(930766865, 10)) == "it has 9 bytes instead of 10"
    path.write_bytes(b"\n<!DOCTYPE html><html>log in</html>")
    assert "web page" in mismatch(path, Checksum(930766865, 9))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("\n \n", "is empty"),
        ("<html><body>Not found</body></html>", "line 1 is not '<crc> <bytes> <filename>'"),
        ("1 2 a\n3 4", "line 2 is not"),
        ("deadbeef 2 a", "line 1 is not"),
        (b"\xff\xfe\x00", "line 1 is not"),
    ],
)
def test_damaged_checksum_files_are_refused(tmp_path, text, complaint):
    path = tmp_path / CHECKSUM_FILE
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(AcquisitionError, match=rf"{CHECKSUM_FILE}.*{complaint}"):
        read_checksums(path)


# --- downloads ---


class Server(http.server.ThreadingHTTPServer):
    """Serves one file; `script` holds one set of faults per request, then it behaves."""

    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.requests, self.data, self.ranges = [], [], DATA, True

    def handle_error(self, request, client_address):
        """Do not report clients that hang up."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        server = self.server
        server.requests.append(self.headers.get("Range"))
        fault = server.script.pop(0) if server.script else {}
        time.sleep(fault.get("silence", 0.0))
        if "status" in fault:
            return self.answer(fault["status"], b"", fault.get("headers", {}))
        data, start = fault.get("data", server.data), 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and server.ranges:
            start = int(wanted[1])
        headers = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        return self.answer(206 if start else 200, data[start:], headers, fault.get("cut"))

    def answer(self, status, body, headers, cut=None):
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
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
def get(server, tmp_path, monkeypatch, expected):
    """Download from the server with two retries; `get.waits` are the pauses, not waited [s]."""

    def run(checksum=expected):
        with urllib3.PoolManager() as pool:
            download(run.url, run.path, checksum, pool=pool)

    run.waits, run.path = [], tmp_path / "sub" / "file.asdf"
    run.url = f"http://127.0.0.1:{server.server_port}/small/file.asdf"
    monkeypatch.setattr(module, "RETRIES", module.RETRIES.new(total=2))
    clock = SimpleNamespace(sleep=run.waits.append, time=time.time)
    monkeypatch.setattr("urllib3.util.retry.time", clock)
    return run


def left_over(get):
    return sorted(path.name for path in get.path.parent.iterdir())


def test_a_file_is_downloaded_once_and_resumed(server, get):
    server.script = [{"cut": 50_000}, {"cut": 30_000}]
    for _ in range(2):
        get()
        assert get.path.read_bytes() == DATA
        assert server.requests == [None, "bytes=50000-", "bytes=80000-"]
        assert left_over(get) == ["file.asdf"]


def test_a_later_run_resumes_what_an_earlier_one_left(server, get):
    server.script = [{"cut": 50_000}, {"cut": 0}, {"cut": 0}]
    with pytest.raises(AcquisitionError, match=r"could not be downloaded: .*which resumes"):
        get()
    assert left_over(get) == ["file.asdf.part"]  # never the final name
    get()
    assert server.requests[3:] == ["bytes=50000-"]
    assert get.path.read_bytes() == DATA and left_over(get) == ["file.asdf"]


def test_what_cannot_be_resumed_is_sent_again(server, get):
    server.script = [{"cut": 50_000}]
    get(None)  # without a checksum
    assert server.requests == [None, None] and get.path.read_bytes() == DATA
    get.path.unlink()
    server.ranges = False  # the server ignores the header
    server.script = [{"cut": 50_000}, {"cut": 120_000}]
    get()
    assert server.requests[2:] == [None, "bytes=50000-", "bytes=120000-"]
    assert get.path.read_bytes() == DATA


def test_retries_are_counted_anew_after_progress_only(server, get, tmp_path):
    server.data = np.random.default_rng(3).bytes(6 << 20)
    (tmp_path / "copy").write_bytes(server.data)
    server.script = [{"cut": (1 << 20) + 1000}] * 5
    get(cksum(tmp_path / "copy"))
    assert get.path.read_bytes() == server.data
    get.path.unlink()
    server.ranges, server.script = False, [{"cut": 2 << 20}] * 20  # gets no further
    with pytest.raises(AcquisitionError, match="could not be downloaded"):
        get(cksum(tmp_path / "copy"))
    assert len(server.requests) < 12


def test_a_part_that_is_too_long_is_discarded(server, get):
    get.path.parent.mkdir()
    part = get.path.with_name("file.asdf.part")
    part.write_bytes(DATA + b"more")
    get()
    assert get.path.read_bytes() == DATA
    get.path.unlink()
    part.write_bytes(DATA[:100])
    server.script = [{"status": 416}]
    get()
    assert server.requests[-2:] == ["bytes=100-", None] and get.path.read_bytes() == DATA


@pytest.mark.parametrize("script", [[{"data": BAD}], [{"data": BAD, "cut": 50_000}]])
def test_a_corrupt_download_is_repeated_once(server, get, caplog, script):
    server.script = script
    get()
    assert get.path.read_bytes() == DATA and server.requests[-1] is None
    assert "its checksum is" in caplog.text
    get.path.unlink()
    server.requests.clear()
    server.data = BAD
    with pytest.raises(AcquisitionError, match=r"is corrupt: .*It was downloaded twice"):
        get()
    assert left_over(get) == [] and len(server.requests) == 2


def test_a_file_of_the_wrong_size_is_not_downloaded(server, get):
    server.data = b"<html>log in</html>"
    with pytest.raises(AcquisitionError, match=r"has 19 bytes .* instead of the 200000"):
        get()
    assert left_over(get) == []


@pytest.mark.parametrize(
    ("status", "error", "remedy"),
    [
        (404, MissingFileError, r"file\.asdf does not exist .*redshift"),
        (403, AcquisitionError, "link_from"),
        (400, AcquisitionError, "browser"),
    ],
)
def test_refusals_are_not_retried(server, get, status, error, remedy):
    server.script = [{"status": status}]
    with pytest.raises(error, match=remedy):
        get()
    assert len(server.requests) == 1 and get.waits == [] and left_over(get) == []


def test_busy_servers_are_asked_again_after_the_time_they_name(server, get):
    server.script = [{"status": 503, "headers": {"Retry-After": "7"}}, {"status": 429}]
    get()
    assert get.waits[0] == 7.0 and get.path.read_bytes() == DATA
    get.path.unlink()
    server.script = [{"status": 502}] * 20
    with pytest.raises(AcquisitionError, match="status 502"):
        get()


def test_silent_servers_time_out_and_are_asked_again(server, get, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", 0.5)
    server.script = [{"silence": 1.0}]
    get()
    assert get.path.read_bytes() == DATA and len(server.requests) == 2


def test_a_server_that_is_not_there_is_named(get):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        get.url = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        with pytest.raises(AcquisitionError, match=r"/x could not be downloaded: .*refused"):
            get()
    assert left_over(get) == []


def test_redirects_are_followed(server, get):
    server.script = [{"status": 302, "headers": {"Location": "/elsewhere/file.asdf"}}]
    get()
    assert get.path.read_bytes() == DATA


def test_proxies_of_the_environment_are_used(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://me:secret@proxy.example.org:3128")
    monkeypatch.setenv("no_proxy", "near.example.org")
    with open_pool("https://far.example.org/x") as pool:
        assert pool.proxy.host == "proxy.example.org" and pool.proxy.port == 3128
        assert "proxy-authorization" in pool.proxy_headers
    with open_pool("https://near.example.org/x") as pool:
        assert pool.proxy is None


def test_a_damaged_file_is_replaced_once_a_better_one_is_there(server, get, caplog):
    get.path.parent.mkdir()
    get.path.write_bytes(BAD)
    server.script = [{"status": 404}]
    with pytest.raises(MissingFileError):
        get()
    assert get.path.read_bytes() == BAD
    get()
    assert get.path.read_bytes() == DATA and "downloading it again" in caplog.text


def test_two_processes_do_not_write_one_file(get):
    get.path.parent.mkdir()
    with get.path.with_name("file.asdf.part").open("ab") as file:
        module._lock(file, get.path)
        with pytest.raises(AcquisitionError, match="another process"):
            get()
    get()
    assert left_over(get) == ["file.asdf"]


def test_a_full_disk_and_a_blocked_directory_are_explained(server, get, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_receive", full)
        with pytest.raises(AcquisitionError, match=r"file\.asdf could not be written: No space"):
            get()
    get.path.parent.rmdir()
    get.path.parent.write_text("a file instead of the directory")
    with pytest.raises(AcquisitionError, match=r"file\.asdf could not be written"):
        get()
