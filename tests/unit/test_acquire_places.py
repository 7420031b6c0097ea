"""Names that stay inside a directory, room on disks, sizes in words."""

from collections import namedtuple
from pathlib import PurePosixPath

import pytest

from lagbias.sources.abacus.acquire import places
from lagbias.sources.abacus.acquire.errors import AcquisitionError, NotEnoughSpaceError

GB = 10**9


@pytest.mark.parametrize(
    "name",
    ["", ".", "/etc/passwd", "../a", "a/../../b", "a/..", "a\\..\\b", "a\0b", "a\nb", "//host/a"],
)
def test_names_that_leave_the_directory_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="stay inside"):
        places.place(tmp_path, name)


def test_names_inside_are_placed(tmp_path):
    assert places.place(tmp_path, "a/b.asdf") == tmp_path / "a" / "b.asdf"
    assert places.safe_relative("./a//b") == PurePosixPath("a/b")
    assert places.place(tmp_path, "a/..b") == tmp_path / "a" / "..b"


def test_room_is_checked_where_the_directory_does_not_exist_yet(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    asked = []

    def disk_usage(path):
        asked.append(path)
        return usage(10_000, 9_000, 1_000)

    monkeypatch.setattr(places.shutil, "disk_usage", disk_usage)
    places.check_space({tmp_path / "not" / "yet": 1_000})
    assert asked == [tmp_path]
    with pytest.raises(NotEnoughSpaceError, match=r"needs 3 kB .* 1 kB free. Free 2 kB"):
        places.check_space({tmp_path / "not" / "yet": 3_000})
    assert not (tmp_path / "not").exists()
    assert issubclass(NotEnoughSpaceError, AcquisitionError)


def test_directories_on_one_disk_share_its_room(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "free_space", lambda path: 10 * GB)
    places.check_space({tmp_path / "data": 4 * GB, tmp_path / "results": 6 * GB})
    with pytest.raises(NotEnoughSpaceError) as caught:
        places.check_space({tmp_path / "data": 4 * GB, tmp_path / "results": 7 * GB})
    text = str(caught.value)
    assert "4 GB in" in text and "7 GB in" in text and "10 GB free" in text and "Free 1 GB" in text


def test_directories_on_two_disks_do_not(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "free_space", lambda path: 10 * GB)
    monkeypatch.setattr(places, "_disk", lambda path: path.name)
    places.check_space({tmp_path / "data": 9 * GB, tmp_path / "results": 9 * GB})
    with pytest.raises(NotEnoughSpaceError, match=r"11 GB in .*results"):
        places.check_space({tmp_path / "data": 9 * GB, tmp_path / "results": 11 * GB})


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (999_600, "1 MB"),
        (1_210_900_000, "1.21 GB"),
        (2_950_000_000_000, "2.95 TB"),
        (5_000_000_000_000_000, "5000 TB"),
    ],
)
def test_sizes_in_words(count, text):
    assert places.format_bytes(count) == text


def test_a_bar_that_goes_on_counts_what_was_there():
    with places.byte_bar(100, "x", done=40) as bar:
        assert bar.n == 40 and bar.initial == 40 and bar.total == 100
