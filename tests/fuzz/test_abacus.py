"""Damaged files of AbacusSummit, and servers that drop connections."""

import http.server
import re
import socket
import threading

import numpy as np
import pytest
import urllib3
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from lagbias.sources.abacus import download as module
from lagbias.sources.abacus.asdf_files import read_column, read_header
from lagbias.sources.abacus.checksum import AcquisitionError, cksum
from lagbias.sources.abacus.paths import find_box

pytestmark = [
    pytest.mark.timeout(6 * 3600),
    pytest.mark.filterwarnings("ignore::asdf.exceptions.AsdfWarning"),
]
# to explain a failure, hypothesis would trace every line that runs
reusing_fixtures = settings(
    suppress_health_check=list(HealthCheck), phases=set(Phase) - {Phase.explain}
)
DATA = np.random.default_rng(1).bytes(20_000)
#: Bytes of a block in an ASDF file that hold its uncompressed size.
DATA_SIZE = range(30, 38)


@pytest.fixture(scope="module")
def files(abacus_tree, tmp_path_factory):
    """The files of a small box with their content."""
    root = tmp_path_factory.mktemp("abacus")
    made = abacus_tree.write_tree(root, ppd=12, n_ic=4, subsample=0.5, n_halos=10)
    return {path: path.read_bytes() for path in find_box(**made.find).all}


@given(data=st.data())
@reusing_fixtures
def test_flipped_bits_and_lost_ends_are_read_or_named(data, files):
    path = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[path])
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[place:]
    else:
        # abacusutils writes beyond the end of an array that a block header says is too small
        blocks = [found.start() for found in re.finditer(b"\xd3BLK", content)]
        if not any(place - start in DATA_SIZE for start in blocks):
            content[place] ^= 1 << data.draw(st.integers(0, 7))
    columns = {"ic_dens": "density", "halo_info": "x_com"}
    column = next((c for name, c in columns.items() if name in path.name), None)
    column = column or ("rvint" if "rv" in path.name else "packedpid")
    path.write_bytes(content)
    try:
        header, shape = read_header(path, column)
        assert read_column(path, column).shape == shape and header
    except (OSError, ValueError) as error:
        assert str(path) in str(error)
        event(type(error).__name__)
    else:
        event("read")
    finally:
        path.write_bytes(files[path])


class Handler(http.server.BaseHTTPRequestHandler):
    """Sends DATA from where it is asked for; each connection ends after so many bytes."""

    def log_message(self, *_):
        """Do not log."""

    def do_GET(self):
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(DATA) - start))
        self.end_headers()
        limit = self.server.limits.pop(0) if self.server.limits else len(DATA)
        self.wfile.write(DATA[start : start + limit])
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@given(limits=st.lists(st.integers(0, len(DATA) // 3), max_size=8), listed=st.booleans())
@reusing_fixtures
def test_dropped_connections_give_the_file_or_a_part(limits, listed, server, tmp_path_factory):
    path = tmp_path_factory.mktemp("drops") / "file.asdf"
    (path.parent / "whole").write_bytes(DATA)
    expected = cksum(path.parent / "whole") if listed else None
    url, server.limits = f"http://127.0.0.1:{server.server_port}/file.asdf", list(limits)
    with pytest.MonkeyPatch.context() as patch, urllib3.PoolManager() as pool:
        patch.setattr(module, "RETRIES", module.RETRIES.new(total=3, backoff_factor=0))
        try:
            module.download(url, path, expected, pool=pool)
        except AcquisitionError as error:
            assert "file.asdf could not be downloaded" in str(error) and not path.exists()
            event("given up")
            server.limits.clear()
            module.download(url, path, expected, pool=pool)
        else:
            event("whole")
    assert path.read_bytes() == DATA
    assert sorted(one.name for one in path.parent.iterdir()) == ["file.asdf", "whole"]
