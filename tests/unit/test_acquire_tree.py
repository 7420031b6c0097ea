"""Trees of files: fetched from a server, or linked from another tree."""

import functools
import http.server
import os
import threading
from pathlib import Path, PurePosixPath

import pytest

from lagbias.sources.abacus.acquire import places
from lagbias.sources.abacus.acquire.checksum import CHECKSUM_FILE, Cksum
from lagbias.sources.abacus.acquire.errors import (
    AcquisitionError,
    CorruptFileError,
    MissingFileError,
    NotEnoughSpaceError,
)
from lagbias.sources.abacus.acquire.local_tree import link, link_files
from lagbias.sources.abacus.acquire.products import fetch_products, product_files
from lagbias.sources.abacus.acquire.tree import fetch_files

CONTENT = {
    "small/box/halos/z0.500/halo_info/halo_info_000.asdf": b"halos" * 100,
    "small/box/halos/z0.500/halo_rv_A/halo_rv_A_000.asdf": b"particles" * 100,
    "ic/small/box/ic_dens_N576.asdf": b"density" * 100,
    "small/box/halos/z0.500/header": b"text without a checksum",
}
FILES = [PurePosixPath(name) for name in CONTENT]


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "collection"
    for name, content in CONTENT.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if path.name != "header":
            found = Cksum(content).result()
            (path.parent / CHECKSUM_FILE).write_text(f"{found.crc} {found.size} {path.name}\n")
    return root


@pytest.fixture
def site(tree, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            requests.append(self.path)

    requests = []
    handler = functools.partial(Handler, directory=str(tree))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/", requests
        running.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "data"


def test_a_tree_is_fetched_and_verified(site, target, caplog):
    url, _ = site
    paths = fetch_files(url, target, FILES)
    assert paths == [target / name for name in FILES]
    assert [path.read_bytes() for path in paths] == list(CONTENT.values())
    assert "z0.500 has no checksums.crc32: only lengths are checked" in caplog.text
    assert not list(target.rglob("*.part*"))


def test_a_tree_that_is_there_is_not_fetched_again(site, target):
    url, requests = site
    fetch_files(url, target, FILES[:3])
    del requests[:]
    fetch_files(url, target, FILES[:3])
    assert requests == []


def test_a_file_that_differs_from_its_checksum_is_refused(site, tree, target):
    (tree / FILES[0]).write_bytes(b"HALOS" * 100)
    with pytest.raises(CorruptFileError, match=r"halo_info_000\.asdf is corrupt"):
        fetch_files(site[0], target, FILES)
    assert not (target / FILES[0]).exists()


def test_files_that_the_collection_does_not_list_are_named(site, target):
    with pytest.raises(MissingFileError, match=r"halo_info_007\.asdf is not listed"):
        fetch_files(site[0], target, [FILES[0].with_name("halo_info_007.asdf")])


def test_what_is_no_checksum_file_is_not_kept(site, tree, target):
    listing = FILES[0].parent / CHECKSUM_FILE
    (tree / listing).write_text("<html>log in</html>")
    with pytest.raises(CorruptFileError, match=r"checksums\.crc32, line 1"):
        fetch_files(site[0], target, FILES)
    assert not (target / listing).exists()


def test_a_full_disk_stops_it_before_data_are_fetched(site, target, monkeypatch):
    url, requests = site
    needed = sum(len(CONTENT[str(name)]) for name in FILES[:3])
    monkeypatch.setattr(places, "free_space", lambda path: needed - 1)
    with pytest.raises(NotEnoughSpaceError, match=r"Free 1 B"):
        fetch_files(url, target, FILES[:3])
    assert {path.rpartition("/")[2] for path in requests} == {CHECKSUM_FILE}
    monkeypatch.setattr(places, "free_space", lambda path: needed)
    fetch_files(url, target, FILES[:3])
    monkeypatch.setattr(places, "free_space", lambda path: 0)
    fetch_files(url, target, FILES[:3])  # nothing is needed now


def test_escapes_are_refused_before_anything_is_fetched(site, target):
    url, requests = site
    with pytest.raises(ValueError, match="stay inside"):
        fetch_files(url, target, [FILES[0], "../../secret"])
    with pytest.raises(ValueError, match="https://"):
        fetch_files("file:///somewhere", target, FILES)
    assert requests == [] and not target.exists()


PRODUCT = FILES[0].parent


def test_products_are_fetched_with_all_files_that_they_list(site, tree, target):
    url, _ = site
    sums = [(f"halo_info_{n:03d}.asdf", bytes([n]) * 50) for n in range(3)]
    lines = []
    for name, content in sums:
        (tree / PRODUCT / name).write_bytes(content)
        lines.append(f"{Cksum(content).result().crc} 50 {name}\n")
    (tree / PRODUCT / CHECKSUM_FILE).write_text("".join(lines))
    paths = fetch_products(url, target, [PRODUCT, FILES[2]])
    assert paths == [*(target / PRODUCT / name for name, _ in sums), target / FILES[2]]
    assert [path.read_bytes() for path in paths[:3]] == [content for _, content in sums]


def test_products_without_a_list_are_what_is_on_disk_or_one_file(site, tree, target):
    (tree / PRODUCT / CHECKSUM_FILE).unlink()
    assert product_files(target, [PRODUCT]) == [FILES[0]]
    assert fetch_products(site[0], target, [PRODUCT]) == [target / FILES[0]]
    (target / PRODUCT / "halo_info_001.asdf.part").write_bytes(b"begun")
    (target / PRODUCT / "halo_info_001.asdf.part.json").write_text("{}")
    expected = [FILES[0], PRODUCT / "halo_info_001.asdf"]
    assert product_files(target, [PRODUCT]) == expected
    (target / PRODUCT / CHECKSUM_FILE).write_text("<html>")
    assert product_files(target, [PRODUCT, FILES[0]]) == expected


def test_products_that_do_not_exist_are_named(site, target):
    with pytest.raises(MissingFileError, match=r"z0\.800/halo_info/halo_info_000\.asdf"):
        fetch_products(site[0], target, ["small/box/halos/z0.800/halo_info"])


def test_links_point_into_the_tree(tree, target):
    path = link(tree, FILES[0], target)
    assert path == target / FILES[0] and path.is_symlink()
    assert path.readlink() == tree / FILES[0]
    assert link(tree, FILES[0], target) == path  # again is no error
    assert sorted(p.name for p in path.parent.iterdir()) == ["halo_info_000.asdf"]


def test_hard_links_are_made_and_kept(tree, target):
    path = link(tree, FILES[0], target, hard=True)
    assert not path.is_symlink() and path.samefile(tree / FILES[0])
    assert link(tree, FILES[0], target, hard=True) == path
    assert link(tree, FILES[0], target) == path  # a symbolic one would be no better


def test_a_tree_given_relative_to_here_can_be_followed_from_anywhere(tree, target, monkeypatch):
    monkeypatch.chdir(tree.parent)
    link(Path("collection"), FILES[0], target)
    monkeypatch.chdir("/")
    assert (target / FILES[0]).read_bytes() == CONTENT[str(FILES[0])]


def test_hard_links_between_disks_are_explained(tree, target, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(AcquisitionError, match=r"different disks\. Use symbolic links"):
        link(tree, FILES[0], target, hard=True)
    assert list((target / FILES[0]).parent.iterdir()) == []


def test_a_link_elsewhere_is_replaced_and_a_file_is_not(tree, target, tmp_path):
    path = target / FILES[0]
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "gone")
    assert link(tree, FILES[0], target).readlink() == tree / FILES[0]
    path.unlink()
    path.write_bytes(b"mine")
    with pytest.raises(AcquisitionError, match="a file of its own"):
        link(tree, FILES[0], target)
    assert path.read_bytes() == b"mine"


def test_the_tree_itself_needs_no_links(tree):
    assert link_files(tree, FILES, tree) == [tree / name for name in FILES]
    assert not any(path.is_symlink() for path in tree.rglob("*"))


def test_missing_files_are_named_with_both_places(tree, target):
    with pytest.raises(MissingFileError) as caught:
        link(tree, "small/box/halos/z0.800/x.asdf", target)
    for text in ("z0.800/x.asdf", str(tree), str(target), "exists up to", "halos;"):
        assert text in str(caught.value)
    (tree / "dangling").symlink_to("nowhere")
    with pytest.raises(MissingFileError, match="a link to nowhere"):
        link(tree, "dangling", target)
    with pytest.raises(MissingFileError, match="is a directory"):
        link(tree, "small", target)
    assert not target.exists()


def test_all_missing_files_are_named_at_once(tree, target):
    with pytest.raises(MissingFileError, match=r"(?s)2 of 6 files.*a\.asdf.*b\.asdf"):
        link_files(tree, [*FILES, "a.asdf", "b.asdf"], target)
    assert not target.exists()


def test_checksum_files_are_linked_too(tree, target):
    assert link_files(tree, FILES, target, verify=False) == [target / name for name in FILES]
    assert len(list(target.rglob(CHECKSUM_FILE))) == 3


def test_links_are_verified_when_asked(tree, target):
    link_files(tree, FILES[:3], target, verify=True)
    with pytest.raises(MissingFileError, match=r"header, .* cannot be verified"):
        link(tree, FILES[3], target, verify=True)
    (tree / FILES[0]).write_bytes(b"HALOS" * 100)
    with pytest.raises(CorruptFileError) as caught:
        link(tree, FILES[0], target, verify=True)
    assert str(tree / FILES[0]) in str(caught.value)
    assert str(target / FILES[0]) in str(caught.value)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", ""])
def test_names_that_leave_the_tree_are_refused(tree, target, name):
    with pytest.raises(ValueError, match="stay inside"):
        link(tree, name, target)
    with pytest.raises(ValueError, match="stay inside"):
        link_files(tree, [name], target)
