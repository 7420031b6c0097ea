"""What servers, lists and directories may do to us: nothing is written where it should not be.

A download ends with the right file or with an error of acquisition that says why; whatever stood
beside it before, links above all, leads nowhere else.
"""

import json
import os
import shlex
import socket
import tempfile
import threading
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import pytest
import urllib3
from hypothesis import HealthCheck, Phase, event, example, given, settings
from hypothesis import strategies as st

from lagbias.sources.abacus.acquire import tree
from lagbias.sources.abacus.acquire.checksum import (
    CHECKSUM_FILE,
    Checksum,
    Cksum,
    parse_checksums,
    read_checksums,
)
from lagbias.sources.abacus.acquire.download import fetch, file_url
from lagbias.sources.abacus.acquire.errors import AcquisitionError, CorruptFileError, DownloadError
from lagbias.sources.abacus.acquire.inventory import FileStatus, Inventory, State, take_inventory
from lagbias.sources.abacus.acquire.local_tree import link_files
from lagbias.sources.abacus.acquire.partial import PartialFile
from lagbias.sources.abacus.acquire.places import format_bytes, place, safe_relative
from lagbias.sources.abacus.acquire.products import product_files
from lagbias.sources.abacus.acquire.report import as_json, as_table
from lagbias.sources.abacus.acquisition import globus_batch

pytestmark = [pytest.mark.timeout(6 * 3600), pytest.mark.usefixtures("bounded_memory")]
reusing_fixtures = settings(
    suppress_health_check=list(HealthCheck), phases=set(Phase) - {Phase.explain}
)

DATA = bytes(range(256)) * 40
EXPECTED = Cksum(DATA).result()
VICTIM = b"what must stay as it is"
NAMES = [
    "..", ".", "", "/", "/etc/passwd", "../up", "a/../b", "a/..", "~", "~/x", "a\0b", "a\nb",
    "a\\b", "C:\\x", "a b", "-rf", "a\u2028b", "a\x85b", "a\u202eb", "\ud800", "a" * 5000, "a//b",
    "./a", "a.asdf", "sub/a.asdf", "é.asdf", "checksums.crc32", "*.asdf", "$(id).asdf",
    "a;b.asdf", "#a",
]  # fmt: skip
WORDS = [
    "0",
    "1",
    "-1",
    "4294967295",
    "4294967296",
    "1e3",
    "9" * 30,
    "9" * 5000,
    "٣",
    "²",
    "0x1",
    "+1",
]
LINES = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(WORDS), st.sampled_from([" ", "\t", "  ", "\u00a0", "\x0b"]),
    st.sampled_from(WORDS), st.sampled_from([" ", "  ", ""]), st.sampled_from(NAMES),
)  # fmt: skip


GOOD_LINES = st.builds(
    "{} {} {}".format,
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**63 - 1),
    st.sampled_from(["a.asdf", "b.asdf", "sub/c.asdf", "é.asdf", "a b.asdf"]),
)


def is_below(path: Path, root: Path) -> bool:
    return (
        Path(os.path.normpath(path)).is_relative_to(root) and Path(os.path.normpath(path)) != root
    )


@given(
    name=st.sampled_from(NAMES)
    | st.text(max_size=40)
    | st.lists(st.sampled_from(NAMES)).map("/".join)
)
@reusing_fixtures
def test_a_name_stays_below_its_directory(name):
    root = Path("/some/where")
    try:
        path = place(root, name)
    except ValueError as error:
        assert "does not stay inside" in str(error) and str(error).isprintable()
        return
    assert is_below(path, root) and str(path).isprintable()
    assert file_url("https://host/base", name).startswith("https://host/base/")
    status = FileStatus("box", str(safe_relative(name)), State.MISSING, 0, 1, False, False)
    line = globus_batch(Inventory(str(root), (status,), 0)).splitlines()[-1]
    assert len(shlex.split(line)) == 2


@given(
    text=st.lists(LINES | st.text(max_size=30), max_size=6).map("\n".join)
    | st.lists(GOOD_LINES, min_size=1, max_size=4).map("\n".join)
)
@reusing_fixtures
def test_a_list_of_checksums_is_sound_or_refused(text, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / CHECKSUM_FILE
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    for read in (lambda: parse_checksums(text), lambda: read_checksums(path)):
        try:
            sums = read()
        except CorruptFileError:
            event("refused")
            continue
        event("used")
        for name, found in sums.items():
            assert is_below(place("/some/where", name), Path("/some/where"))
            assert 0 <= found.crc < 1 << 32 and 0 <= found.size < 1 << 63
            assert format_bytes(sum(one.size for one in sums.values()))


@pytest.mark.parametrize("kind", ["pipe", "directory", "large"])
def test_what_is_no_list_is_refused(tmp_path, kind):
    path = tmp_path / CHECKSUM_FILE
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)  # takes no room on the disk
    with pytest.raises(CorruptFileError, match="is no list of checksums"):
        read_checksums(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
NOTES = st.binary(max_size=50) | st.one_of(
    JSON,
    st.fixed_dictionaries(
        {"url": st.just("https://host/a") | JSON},
        optional={
            "etag": JSON | st.sampled_from(['"a"', "a\r\nX: y", "é", "W/x"]),
            "last_modified": JSON,
            "size": JSON | st.sampled_from([-1, 10**400, 5]),
        },
    ),
).map(lambda value: json.dumps(value).encode())  # fmt: skip


@given(note=NOTES)
@reusing_fixtures
def test_any_note_beside_a_partial_file_is_harmless(note, tmp_path_factory):
    partial = PartialFile(tmp_path_factory.getbasetemp() / "file.asdf")
    partial.path.write_bytes(DATA)
    partial.path.with_name("file.asdf.part.json").write_bytes(note)
    for expected in (None, EXPECTED, Checksum(1, 5)):
        assert partial.resumable("https://host/a", expected) in (0, len(DATA))
    if origin := partial.origin():
        assert "\n" not in (origin.validator or "")


class Server:
    """Sends the same bytes to whoever connects, and hangs up."""

    def __init__(self):
        self.answer = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    request = b""
                    while b"\r\n\r\n" not in request and (more := connection.recv(65536)):
                        request += more
                    for piece in [self.answer] if isinstance(self.answer, bytes) else self.answer():
                        connection.sendall(piece)
                except OSError:
                    pass  # the client has had enough

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture(scope="module")
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A directory to download to, and a file beside it that must stay as it is."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    victim = tmp_path / "home" / ".profile"
    victim.parent.mkdir()
    victim.write_bytes(VICTIM)
    (tmp_path / "data").mkdir()
    return SimpleNamespace(root=tmp_path, data=tmp_path / "data", victim=victim)


def get(server, path, **options):
    """Fetch from the server, without waiting and hardly ever twice."""
    options = {"expected": EXPECTED, "retries": 1, "timeout": 5.0, **options}
    with urllib3.PoolManager() as session:
        url = f"http://127.0.0.1:{server.port}/file.asdf"
        return fetch(url, path, session=session, sleep=lambda _: None, **options)


def whole(data: bytes = DATA, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(data)}", 'ETag: "one"', *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + data


PLACES = ["file.asdf", "file.asdf.part", "file.asdf.part.json", "file.asdf.part.lock"]
OBSTACLES = ["symbolic", "dangling", "hard", "pipe", "directory", "to a directory", "to itself"]


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_nothing_is_written_through_what_is_in_the_way(there, server, name, obstacle):
    path = there.data / name
    if obstacle == "symbolic":
        path.symlink_to(there.victim)
    elif obstacle == "dangling":
        path.symlink_to(there.root / "home" / "new")
    elif obstacle == "hard":
        path.hardlink_to(there.victim)
    elif obstacle == "pipe":
        os.mkfifo(path)
    elif obstacle == "directory":
        path.mkdir()
    elif obstacle == "to a directory":
        path.symlink_to(there.victim.parent)
    else:
        path.symlink_to(path.name)
    server.answer = whole()
    try:
        get(server, there.data / "file.asdf")
    except AcquisitionError as error:
        assert str(there.data / "file.asdf") in str(error)
    else:
        assert (there.data / "file.asdf").read_bytes() == DATA
        assert not (there.data / "file.asdf").is_symlink()
    assert there.victim.read_bytes() == VICTIM
    assert sorted(p.name for p in there.victim.parent.iterdir()) == [".profile"]


@pytest.mark.parametrize("name", PLACES[1:])
def test_a_download_is_not_continued_in_another_file(there, server, name):
    """What has come so far is a link to another file, with a note that fits."""
    partial = PartialFile(there.data / "file.asdf")
    url = f"http://127.0.0.1:{server.port}/file.asdf"
    note = {"url": url, "etag": '"one"', "last_modified": None, "size": len(DATA)}
    (there.data / PLACES[2]).write_text(json.dumps(note))
    partial.path.write_bytes(DATA[:100])
    (there.data / name).unlink(missing_ok=True)
    (there.data / name).symlink_to(there.victim)
    server.answer = whole()
    try:
        get(server, there.data / "file.asdf")
    except AcquisitionError as error:
        assert "no file of its own" in str(error) or "symbolic links" in str(error)
    assert there.victim.read_bytes() == VICTIM


REDIRECTS = [
    "file:///etc/passwd", "file://localhost/etc/passwd", "ftp://127.0.0.1/x", "gopher://x",
    "data:,x", "javascript:1", "//", "http://", "http://[::1", "http://a b/", "\\\\host\\x",
    "http://\x01/", "", "http://127.0.0.1:99999/", "?" * 70000,
]  # fmt: skip


@pytest.mark.parametrize("target", REDIRECTS)
@pytest.mark.parametrize("expected", [EXPECTED, None])
def test_redirects_to_anything_but_the_web_are_refused(there, server, target, expected):
    lines = ["HTTP/1.1 302 Found", f"Location: {target}", "Content-Length: 0", "", ""]
    server.answer = "\r\n".join(lines).encode("latin-1")
    with pytest.raises(AcquisitionError):
        get(server, there.data / "file.asdf", expected=expected)
    assert not (there.data / "file.asdf").exists()


STATUS = [
    "200 OK",
    "206 Partial",
    "302 Found",
    "416 No",
    "429 Wait",
    "503",
    "999 ?",
    "abc",
    "",
    "100 C",
]
HEADERS = [
    "Content-Length", "Content-Range", "Transfer-Encoding", "Retry-After", "ETag",
    "Last-Modified", "Location", "Content-Encoding", "Content-Type", "Connection", "X", "",
]  # fmt: skip
CONTENTS = [
    "-1", "0", "5", str(len(DATA)), "9" * 18, "9" * 30, "9" * 5000, "1, 2", "²", "chunked",
    "gzip", "gzip, chunked", "bytes 0-1/2", "bytes 100-10239/10240", "bytes 100-99999999/5",
    "bytes */5", f"bytes {'9' * 5000}-{'9' * 5000}/{'9' * 5000}", "inf", "1e9", "-5", '"one"',
    'W/"a"', "\r\n x", "Wed, 21 Oct 9999 07:28:00 GMT", "Wed, 99 Foo", "http://127.0.0.1:9/", "é",
    "close", "\x00",
]  # fmt: skip
BODIES = [
    DATA, DATA[:100], DATA[100:], DATA + b"x", b"", b"5\r\nabcde\r\n0\r\n\r\n", b"zz\r\n",
    b"ffffffffffffffff\r\nabc", b"-5\r\nabc\r\n", b"\0" * 300,
]  # fmt: skip


@st.composite
def answers(draw):
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    version = draw(st.sampled_from(["HTTP/1.1 ", "HTTP/1.0 ", "HTTP/9 ", ""]))
    lines = [version + draw(st.sampled_from(STATUS))]
    for _ in range(draw(st.integers(0, 4))):
        lines.append(f"{draw(st.sampled_from(HEADERS))}: {draw(st.sampled_from(CONTENTS))}")
    if draw(st.booleans()):  # no more than a strange header or two in a good answer
        lines = [lines[0] if draw(st.booleans()) else "HTTP/1.1 200 OK", *lines[1:2]]
        lines.append(f"Content-Length: {len(DATA)}")
    head = "\r\n".join([*lines, "", ""]).encode("utf-8")
    return head + draw(st.sampled_from(BODIES))


#: urllib3 passes on the length of a part as it is.
NEGATIVE = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n"


@given(answer=answers(), expected=st.sampled_from([EXPECTED, None]), begun=st.booleans())
@example(answer=NEGATIVE, expected=EXPECTED, begun=False)
@reusing_fixtures
def test_any_answer_gives_the_file_or_an_error(answer, expected, begun, server, tmp_path_factory):
    data = tmp_path_factory.getbasetemp() / "answers"
    data.mkdir(exist_ok=True)
    for left in data.iterdir():
        left.unlink()
    path = data / "file.asdf"
    if begun:
        (data / "file.asdf.part").write_bytes(DATA[:100])
        url = f"http://127.0.0.1:{server.port}/file.asdf"
        note = {"url": url, "etag": '"one"', "last_modified": None, "size": len(DATA)}
        (data / "file.asdf.part.json").write_text(json.dumps(note))
    server.answer = answer
    try:
        get(server, path, expected=expected, largest=20_000)
    except AcquisitionError as error:
        event(type(error).__name__)
        assert not path.exists()
        assert "file.asdf" in str(error)
    else:
        event("fetched")
        assert path.is_file() and (expected is None or path.read_bytes() == DATA)
    assert {p.name for p in data.iterdir()} <= {*PLACES}


def test_an_endless_list_of_checksums_is_cut_off(there, server, monkeypatch):
    monkeypatch.setattr(tree, "LARGEST_LISTING", 100_000)

    def endless():
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        while True:
            yield b"2000\r\n" + b"1 1 a.asdf\n" * 744 + b"12345678" + b"\r\n"

    server.answer = endless
    with (
        urllib3.PoolManager() as session,
        pytest.raises(DownloadError, match="goes on after 100000"),
    ):
        tree.fetch_listing(f"http://127.0.0.1:{server.port}", there.data, "small", session=session)
    assert sum(p.stat().st_size for p in there.data.rglob("*")) < 1_000_000


KINDS = ["file", "list", "pipe", "directory", "loop", "dangling", "outside", "part"]
FILES = [
    "x_000.asdf", "halo_info_000.asdf", CHECKSUM_FILE, "a\nb.asdf", "-rf.asdf", "é.asdf",
    "a b.asdf", "a\u202eb.asdf", "ic.asdf", "ic.asdf.part",
]  # fmt: skip
GOOD_LIST = "1 3 x_000.asdf\n1 3 halo_info_000.asdf"
ENTRY = st.tuples(
    st.sampled_from(["a", "a/halo_info", "ic", "a/field"]),
    st.sampled_from(FILES),
    st.sampled_from(KINDS),
    st.lists(LINES, max_size=3).map("\n".join) | st.just(GOOD_LIST),
)
ENTRIES = st.lists(ENTRY, max_size=8)


def plant(path: Path, kind: str, text: str, victim: Path) -> None:
    """Put something into a tree, unless something is there already."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() or path.is_symlink():
            return
        if kind in ("file", "list", "part"):
            path.write_bytes(text.encode("utf-8", "surrogatepass") if kind == "list" else b"abc")
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "directory":
            path.mkdir()
        else:
            path.symlink_to({"loop": path, "dangling": "nowhere", "outside": victim}[kind])
    except (FileExistsError, NotADirectoryError):
        pass


def everything(root: Path) -> dict[str, tuple]:
    """Return what is below a directory, links unfollowed."""
    found = {}
    for path in sorted(root.rglob("*")):
        about = path.lstat()
        found[str(path)] = (about.st_mode, about.st_size, about.st_mtime_ns)
    return found


WANTED = [("a/halo_info", "halo_info_000.asdf"), ("a/field", "field_000.asdf"), ("ic", "ic.asdf")]


@given(source=ENTRIES, target=ENTRIES, complete=st.booleans())
@reusing_fixtures
def test_any_tree_is_looked_at_and_linked_or_refused(source, target, complete):
    with tempfile.TemporaryDirectory() as base:
        look_and_link(Path(base), source, target, complete)


def look_and_link(base, source, target, complete):
    """Plant two trees, take stock of both, and link one in the other."""
    victim = base / "victim"
    victim.write_bytes(VICTIM)
    for name, entries in (("source", source), ("target", target)):
        (base / name).mkdir()
        for directory, file, kind, text in entries:
            plant(base / name / directory / file, kind, text, victim)
    for directory, file in WANTED if complete else []:
        plant(base / "source" / directory / file, "file", "", victim)
    before = everything(base / "source")
    paths = [PurePosixPath(p) for p in ("a/halo_info", "a/field", "ic/ic.asdf")]
    for root in (base / "source", base / "target"):
        try:
            files = product_files(root, paths)
            found = take_inventory({"box": files}, root, verify=True)
            assert as_table(found) and json.loads(as_json(found))
            link_files(base / "source", files, base / "target")
        except (AcquisitionError, ValueError) as error:
            event(type(error).__name__)
        else:
            event("linked")
    assert everything(base / "source") == before
    assert victim.read_bytes() == VICTIM
    assert sorted(p.name for p in base.iterdir()) == ["source", "target", "victim"]


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://a:b", "http://a\nb/", "file:///x", "", "http://", "http://a:0"]
)
def test_addresses_that_are_none_are_refused(url):
    with pytest.raises(ValueError, match="cannot be fetched"):
        file_url(url, "a.asdf")
