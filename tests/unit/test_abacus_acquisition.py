"""Boxes of AbacusSummit on disk: linked, downloaded, listed, and the room that they need."""

import functools
import http.server
import shutil
import threading
from collections import namedtuple
from types import SimpleNamespace

import pytest

from lagbias.artefacts import store
from lagbias.sources.abacus.acquisition import acquire_box, check_space, results_bytes
from lagbias.sources.abacus.checksum import CHECKSUM_FILE, AcquisitionError, cksum
from lagbias.sources.abacus.inventory import (
    format_bytes,
    format_table,
    globus_batch,
    summary,
    take_inventory,
)
from lagbias.sources.abacus.paths import AcquiredFiles
from lagbias.stages.inventory import inventory
from lagbias.stages.plan_acquisition import plan_acquisition
from lagbias.stages.read_box import read_box

GB = 10**9
HALOS = "small/AbacusSummit_small_c000_ph3000/halos/z0.500"


@pytest.fixture
def tree(abacus_tree, tmp_path):
    made = abacus_tree.write_tree(tmp_path / "tree", ppd=12, n_ic=4, n_halos=10, n_files=2)
    abacus_tree.write_checksums(made.root)
    return made


@pytest.fixture
def settings(tree, tmp_path):
    """The section of the configuration, which links from the tree."""
    return SimpleNamespace(
        directory=str(tmp_path / "data"),
        base_url="http://127.0.0.1:9",
        link_from=str(tree.root),
        globus_collection="",
        redshift=0.5,
        density_grid=4,
        cleaned=False,
        small=True,
        verify=True,
        boxes={"a": tree.find["simulation"], "b": tree.find["simulation"]},
    )


@pytest.fixture
def served(tree, settings, monkeypatch):
    """The same, which downloads from a local server; `served.requests` are the paths asked for."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            settings.requests.append(self.path)

    settings.requests, settings.link_from = [], None
    handler = functools.partial(Handler, directory=str(tree.root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        settings.base_url = f"http://127.0.0.1:{running.server_port}/"
        yield settings
        running.shutdown()
        thread.join()


def acquire(settings):
    return acquire_box(settings, settings.boxes["a"])


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_linked_files_are_recorded_with_their_checksums(settings, tree, tmp_path):
    found = acquire(settings)
    assert len(found.path) == 1 + 2 * 5
    for name, held in found.identity.items():
        link, one = tmp_path / "data" / name, cksum(tree.root / name)
        assert link.readlink() == tree.root / name
        assert held == [one.crc, one.size]
    store.write(tmp_path / "files.h5", found)
    again = store.read(tmp_path / "files.h5", AcquiredFiles)
    assert again.identity == found.identity
    assert (again.directory, again.simulation) == (settings.directory, settings.boxes["a"])


@pytest.mark.parametrize("way", ["settings", "served"])
def test_unlisted_files_are_accepted_with_a_warning(way, request, tree, caplog):
    chosen = request.getfixturevalue(way)
    for listing in tree.root.rglob(CHECKSUM_FILE):
        listing.unlink()
    if way == "served":  # nothing says that there is a second file
        for path in tree.root.rglob("*_001.asdf"):
            path.unlink()
    found = acquire(chosen)
    assert caplog.text.count("its content was not verified") == len(found.path) >= 6
    name, held = next(iter(found.identity.items()))
    assert held == [cksum(tree.root / name).crc, cksum(tree.root / name).size]


def test_corrupt_files_are_refused_when_linked(settings, tree):
    path = tree.root / HALOS / "halo_info" / "halo_info_001.asdf"
    damage(path)
    with pytest.raises(AcquisitionError, match=rf"{path} is corrupt: its checksum.*Transfer it"):
        acquire(settings)
    settings.verify = False  # only sizes
    acquire(settings)
    path.write_bytes(b"short")
    with pytest.raises(AcquisitionError, match="it has 5 bytes instead of"):
        acquire(settings)


def test_existing_links_and_files_in_the_way(settings, tree, tmp_path):
    acquire(settings)
    path = tmp_path / "data" / HALOS / "halo_info" / "halo_info_000.asdf"
    path.unlink()
    path.symlink_to(tmp_path / "gone")
    acquire(settings)
    assert path.readlink() == tree.root / path.relative_to(tmp_path / "data")
    path.unlink()
    path.write_bytes(b"mine")
    with pytest.raises(AcquisitionError, match="is a file, not a link"):
        acquire(settings)
    assert path.read_bytes() == b"mine"
    settings.directory = settings.link_from  # the tree itself
    acquire(settings)
    assert not any(path.is_symlink() for path in tree.root.rglob("*"))


def test_files_that_the_tree_lacks_are_all_named(settings, tree, tmp_path):
    for name in ("halo_info_001.asdf", "ic_dens_N4.asdf"):
        next(tree.root.rglob(name)).unlink()
    with pytest.raises(AcquisitionError, match=r"(?s)2 of 11 .*ic_dens_N4.*halo_info_001\.asdf"):
        acquire(settings)
    assert not (tmp_path / "data").exists()


def test_products_are_downloaded_with_all_listed_files_once(served, tree, tmp_path):
    found = acquire(served)
    assert len(found.path) == 11
    for path in (path for path in tree.root.rglob("*") if path.is_file()):
        copy = tmp_path / "data" / path.relative_to(tree.root)
        assert copy.read_bytes() == path.read_bytes() and not copy.is_symlink()
    served.requests.clear()
    assert acquire(served).identity == found.identity
    assert served.requests == []


def test_corrupt_and_missing_downloads_are_named_and_the_rest_is_kept(served, tree, tmp_path):
    path = tree.root / HALOS / "field_pid_A" / "field_pid_A_001.asdf"
    damage(path)
    with pytest.raises(AcquisitionError, match=r"field_pid_A_001\.asdf is corrupt"):
        acquire(served)
    path.unlink()
    with pytest.raises(AcquisitionError, match=r"field_pid_A_001\.asdf does not exist"):
        acquire(served)
    copy = tmp_path / "data" / path.relative_to(tree.root)
    assert not copy.exists() and copy.with_name("field_pid_A_000.asdf").exists()


def test_a_web_page_instead_of_checksums_is_refused(served, tree):
    (tree.root / HALOS / "halo_info" / CHECKSUM_FILE).write_text("<html>log in</html>")
    with pytest.raises(AcquisitionError, match=r"checksums\.crc32, line 1"):
        acquire(served)


def test_an_acquired_box_is_read_and_its_sizes_are_checked(settings, abacus_tree, tmp_path):
    made = abacus_tree.write_tree(tmp_path / "larger")
    settings.link_from, settings.density_grid = str(made.root), 16
    settings.box_size, settings.particles_per_side, settings.min_halo_particles = 120.0, 48, 50
    settings.kept_fraction = 1.0
    store.write(tmp_path / "files.h5", acquire(settings))
    box = read_box(tmp_path / "files.h5", settings, threads=1)
    assert len(box.particles.position) == len(made.positions)
    settings.kept_fraction = 0.5
    kept = read_box(tmp_path / "files.h5", settings, threads=1)
    assert len(kept.particles.position) == pytest.approx(0.5 * len(made.positions), rel=0.03)
    settings.box_size, settings.particles_per_side = 132.0, 64
    with pytest.raises(ValueError, match=r"box_size is 132, .* 120; .*per_side is 64, .* 48\."):
        read_box(tmp_path / "files.h5", settings, threads=1)


usage = namedtuple("usage", "total used free")


def test_a_full_disk_stops_the_download_before_data_come(served, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 1000))
    with pytest.raises(AcquisitionError, match=r"needs .* but that disk has 1 kB free"):
        acquire(served)
    assert {path.rpartition("/")[2] for path in served.requests} == {CHECKSUM_FILE}


def test_directories_on_one_disk_share_its_room(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 10 * GB))
    data, results = tmp_path / "not" / "yet", tmp_path / "results"
    check_space({data: 4 * GB, results: 6 * GB})
    with pytest.raises(AcquisitionError, match=r"4 GB in .*7 GB in .*10 GB free. Free 1 GB"):
        check_space({data: 4 * GB, results: 7 * GB})


# --- inventories ---


@pytest.fixture
def mixed(settings, tree):
    """Settings for a tree with files in every state."""
    halos = tree.root / HALOS
    damage(halos / "halo_rv_A" / "halo_rv_A_000.asdf")
    with (halos / "halo_info" / "halo_info_000.asdf").open("ab") as file:
        file.write(b"more")
    part = halos / "field_rv_A" / "field_rv_A_001.asdf"
    part.with_name(f"{part.name}.part").write_bytes(part.read_bytes()[:100])
    part.unlink()
    (halos / "halo_pid_A" / "halo_pid_A_001.asdf").unlink()
    return settings


def test_every_state_is_found_and_nothing_changed(mixed, tree):
    before = {path: path.read_bytes() for path in tree.root.rglob("*") if path.is_file()}
    found = take_inventory(mixed, mixed.boxes, verify=True)
    assert before == {path: path.read_bytes() for path in tree.root.rglob("*") if path.is_file()}
    files = {file.path.name: file for file in found}
    assert len(files) == len(found) == 11  # shared by two boxes
    whole = files["field_rv_A_001.asdf"].expected_size
    for name, state, fetch in (
        ("halo_rv_A_000.asdf", "corrupt", files["halo_rv_A_000.asdf"].expected_size),
        ("halo_info_000.asdf", "wrong size", files["halo_info_000.asdf"].expected_size),
        ("field_rv_A_001.asdf", "partial", whole - 100),
        ("halo_pid_A_001.asdf", "missing", files["halo_pid_A_001.asdf"].expected_size),
        ("ic_dens_N4.asdf", "present", 0),
    ):
        assert (files[name].state, files[name].bytes_to_fetch) == (state, fetch)
        assert files[name].verified == (state == "present")
    quick = {file.path.name: file for file in take_inventory(mixed, mixed.boxes)}
    assert quick["halo_rv_A_000.asdf"].state == "present"  # only verification reads content
    assert quick["halo_info_000.asdf"].state == "wrong size"


def test_the_report_names_everything(mixed, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 5))
    mixed.link_from, mixed.directory = None, mixed.link_from
    batch = tmp_path / "batch.txt"
    text = inventory(mixed, mixed.boxes, batch=batch, results_bytes=3 * GB)
    lines = text.splitlines()
    assert lines[0].split() == ["box", "file", "state", "on", "disk", "whole", "plan"]
    (row,) = (line for line in lines if "field_rv_A_001" in line)
    assert row.startswith("a, b") and "partial" in row and row.endswith("resume")
    assert "halo_rv_A_000.asdf: its checksum is" in text
    assert "11 files (7 present, 1 missing, 1 partial, 1 wrong size, 1 corrupt)" in text
    assert "to download: 4 files" in text and "NOT ENOUGH" in text and "about 3 GB" in text
    wanted = batch.read_text().splitlines()
    name = f"{HALOS}/halo_pid_A/halo_pid_A_001.asdf"
    assert len(wanted) == 8 and f"{name} {name}" in wanted
    assert f"{HALOS}/halo_pid_A/{CHECKSUM_FILE}" in wanted[4]


def test_a_small_box_is_estimated_before_anything_is_there(settings):
    settings.link_from = None
    found = take_inventory(settings, settings.boxes)
    # manifest of ph3000 without the density, whose size is known for 576 nodes only
    assert sum(file.bytes_to_fetch for file in found) == pytest.approx(2.95e9, rel=0.01)
    text = summary(settings, found)
    assert "6 files (6 missing), 0 B in" in text
    assert "to download: 6 files, about 2.95 GB and 1 file(s) of unknown size, from http" in text
    assert "~1.21 GB" in format_table(found)


def test_unlisted_files_broken_links_and_bad_lists_are_noted(settings, tree):
    next(tree.root.rglob("halo_info")).joinpath(CHECKSUM_FILE).write_text("<html>")
    density = next(tree.root.rglob("ic_dens_N4.asdf"))
    density.with_name(CHECKSUM_FILE).unlink()
    link = next(tree.root.rglob("halo_rv_A_000.asdf"))
    link.unlink()
    link.symlink_to("nowhere")
    files = {file.path.name: file for file in take_inventory(settings, settings.boxes)}
    assert "line 1 is not" in files["halo_info_000.asdf"].note
    assert "no checksums.crc32 lists it" in files["ic_dens_N4.asdf"].note
    assert files["halo_rv_A_000.asdf"].state == "missing"
    assert "broken link to nowhere" in files["halo_rv_A_000.asdf"].note


def test_the_plan_checks_the_room_for_what_is_not_there_yet(settings, tmp_path, monkeypatch):
    results = tmp_path / "results"
    text = plan_acquisition(settings, settings.boxes, results=results, results_bytes=10)
    assert "11 files (11 present)" in text and "to be linked in" in text
    assert globus_batch(take_inventory(settings, settings.boxes)) == ""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 1000))
    results.mkdir()
    (results / "old.h5").write_bytes(bytes(500))
    plan_acquisition(settings, settings.boxes, results=results, results_bytes=1500)
    with pytest.raises(AcquisitionError, match="Free 1 B"):
        plan_acquisition(settings, settings.boxes, results=results, results_bytes=1501)


def test_results_of_the_paper_are_as_large_as_their_arrays():
    paper = SimpleNamespace(density_grid=576, kept_fraction=1.0)
    found = results_bytes(paper, 1728, {"ph3100": 8, "ph3000": 3})
    density, particles, features = (576**3 * 4, 0.03 * 1728**3 * 28, 0.03 * 1728**3 * 12)
    assert found == pytest.approx(2 * (density + particles) + 11 * features, rel=1e-9)
    paper.kept_fraction = 0.1
    found = results_bytes(paper, 1728, {"ph3100": 8, "ph3000": 3})
    assert found == pytest.approx(2 * density + 0.1 * (2 * particles + 11 * features), rel=1e-9)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (999_600, "1 MB"), (1_210_900_000, "1.21 GB"), (5e15, "5000 TB")],
)
def test_sizes_in_words(count, text):
    assert format_bytes(count) == text
