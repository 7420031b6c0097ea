"""Inventories: what is on disk, what is missing, and the plan."""

import json
from pathlib import PurePosixPath

import pytest

from lagbias.sources.abacus.acquire.checksum import CHECKSUM_FILE, Checksum, Cksum
from lagbias.sources.abacus.acquire.inventory import State, take_inventory
from lagbias.sources.abacus.acquire.report import as_json, as_table

SIMULATION = "AbacusSummit_small_c000_ph3000"
GOOD, CORRUPT, SHORT, PART, ABSENT = (f"box/{name}.asdf" for name in "abcde")
CONTENT = b"0123456789" * 100


@pytest.fixture
def place(tmp_path):
    box = tmp_path / "box"
    box.mkdir()
    (box / "a.asdf").write_bytes(CONTENT)
    (box / "b.asdf").write_bytes(b"X" + CONTENT[1:])
    (box / "c.asdf").write_bytes(CONTENT[:-1])
    (box / "d.asdf.part").write_bytes(CONTENT[:400])
    crc = Cksum(CONTENT).result().crc
    lines = [f"{crc} {len(CONTENT)} {name}.asdf\n" for name in "abcde"]
    (box / CHECKSUM_FILE).write_text("".join(lines))
    return tmp_path


@pytest.fixture
def boxes():
    return {"first": [GOOD, CORRUPT, SHORT, PART, PurePosixPath(ABSENT)], "second": [GOOD, ABSENT]}


def by_path(inventory):
    return {file.path: file for file in inventory.files}


def test_every_state_is_told(place, boxes):
    files = by_path(take_inventory(boxes, place, verify=True))
    assert {path: (file.state, file.plan, file.bytes_to_fetch) for path, file in files.items()} == {
        GOOD: (State.PRESENT, "keep", 0),
        CORRUPT: (State.CORRUPT, "fetch again", 1000),
        SHORT: (State.WRONG_SIZE, "fetch again", 1000),
        PART: (State.PARTIAL, "go on", 600),
        ABSENT: (State.MISSING, "fetch", 1000),
    }
    assert [file.verified for file in files.values()] == [True, False, False, False, False]
    assert "its checksum is" in files[CORRUPT].note and "999 bytes" in files[SHORT].note


def test_only_verification_reads_content(place, boxes):
    files = by_path(take_inventory(boxes, place))
    assert files[CORRUPT].state is State.PRESENT and not files[GOOD].verified
    assert files[SHORT].state is State.WRONG_SIZE


def test_totals_count_shared_files_once(place, boxes):
    inventory = take_inventory(boxes, place, verify=True)
    assert len(inventory.files) == 7 and len(inventory.distinct) == 5
    assert inventory.bytes_present == 1000
    assert inventory.bytes_to_fetch == 3600
    assert inventory.unknown_sizes == 0 and not inventory.complete
    assert take_inventory({"x": [GOOD]}, place).complete


def test_nothing_is_changed(place, boxes):
    before = sorted(place.rglob("*"))
    take_inventory(boxes, place, verify=True)
    take_inventory(boxes, place / "not" / "there")
    assert sorted(place.rglob("*")) == before


def test_what_is_known_otherwise_is_used_where_nothing_is_on_disk(tmp_path):
    relative = PurePosixPath("box/a.asdf")
    inventory = take_inventory({"x": [relative]}, tmp_path, checksums={relative: Checksum(1, 77)})
    assert inventory.files[0].bytes_to_fetch == 77 and not inventory.files[0].estimated
    (tmp_path / "box").mkdir()
    (tmp_path / relative).write_bytes(bytes(77))
    verified = take_inventory(
        {"x": [relative]}, tmp_path, checksums={relative: Checksum(1, 77)}, verify=True
    )
    assert verified.files[0].state is State.CORRUPT


def test_small_boxes_are_estimated_before_anything_is_fetched(tmp_path):
    halos = f"small/{SIMULATION}/halos/z0.500"
    products = ("halo_info", "halo_rv_A", "halo_pid_A", "field_rv_A", "field_pid_A")
    files = [f"{halos}/{name}/{name}_000.asdf" for name in products]
    inventory = take_inventory({SIMULATION: files}, tmp_path)
    assert all(file.estimated for file in inventory.files)
    assert inventory.bytes_to_fetch == pytest.approx(2.95e9, rel=0.01)  # manifest of ph3000
    assert "to fetch: about 2.95 GB" in as_table(inventory)
    unknown = take_inventory({"x": [f"{halos}/header", "box/z.asdf"]}, tmp_path)
    assert unknown.unknown_sizes == 2 and unknown.bytes_to_fetch == 0
    assert "2 file(s) of unknown size" in as_table(unknown)


def test_files_without_checksum_are_present_but_said_to_be_unchecked(tmp_path):
    (tmp_path / "header").write_text("text")
    file = take_inventory({"x": ["header"]}, tmp_path, verify=True).files[0]
    assert file.state is State.PRESENT and not file.verified and "no checksums.crc32" in file.note


def test_checksum_files_are_judged_by_their_lines(place):
    listing = f"box/{CHECKSUM_FILE}"
    assert take_inventory({"x": [listing]}, place).complete
    (place / listing).write_text("<html>")
    inventory = take_inventory({"x": [listing, GOOD, ABSENT]}, place)
    assert [file.state for file in inventory.files] == ["corrupt", "present", "missing"]
    assert "line 1 is not" in inventory.files[1].note


def test_links_to_nowhere_and_directories_are_missing_files(tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "directory").mkdir()
    files = take_inventory({"x": ["link", "directory"]}, tmp_path).files
    assert [file.state for file in files] == [State.MISSING] * 2
    assert "link to nowhere" in files[0].note and "directory is in its place" in files[1].note


def test_names_that_leave_the_place_are_refused(tmp_path):
    with pytest.raises(ValueError, match="stay inside"):
        take_inventory({"x": ["../secret"]}, tmp_path)


def test_the_table_names_everything(place, boxes):
    table = as_table(take_inventory(boxes, place, verify=True))
    lines = table.splitlines()
    assert lines[0].split() == ["box", "file", "state", "on", "disk", "whole", "plan"]
    assert lines[2].split() == [
        "first",
        GOOD,
        "present",
        "(verified)",
        "1",
        "kB",
        "1",
        "kB",
        "keep",
    ]
    assert lines[5].split() == ["first", PART, "partial", "400", "B", "1", "kB", "go", "on"]
    assert "5 files (1 present, 1 missing, 1 partial, 1 wrong size, 1 corrupt)" in table
    assert "NOT ENOUGH" not in table and f"{CORRUPT}: its checksum is" in table
    assert "nothing to fetch" in as_table(take_inventory({"x": [GOOD]}, place))


def test_too_small_a_disk_is_shown(place, boxes, monkeypatch):
    monkeypatch.setattr("lagbias.sources.abacus.acquire.inventory.free_space", lambda path: 5)
    assert "NOT ENOUGH" in as_table(take_inventory(boxes, place))


def test_json_says_the_same(place, boxes):
    inventory = take_inventory(boxes, place)
    document = json.loads(as_json(inventory))
    assert document["bytes_to_fetch"] == inventory.bytes_to_fetch
    assert document["bytes_free"] > 0 and document["complete"] is False
    assert document["files"][3] == {
        "box": "first",
        "path": PART,
        "state": "partial",
        "size": 400,
        "expected_size": 1000,
        "estimated": False,
        "verified": False,
        "note": "",
        "plan": "go on",
        "bytes_to_fetch": 600,
    }
