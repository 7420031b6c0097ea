"""Times that lie ahead, and what killed jobs have left."""

import os
import time

import pytest

from lagbias import housekeeping

HOUR = 3600


@pytest.fixture
def directories(tmp_path):
    results, scripts = tmp_path / "results" / "run", tmp_path / "scripts"
    for directory in (results / "boxes", scripts):
        directory.mkdir(parents=True)
    return results, scripts


def make(path, age):
    path.write_text("content")
    moment = time.time() - age
    os.utime(path, (moment, moment))
    return path


def times(paths):
    return [path.stat().st_mtime for path in paths]


def test_order_is_kept_and_nothing_is_ahead(directories):
    results, scripts = directories
    script = make(scripts / "make.py", -1 * HOUR)
    young = [make(results / "a.h5", -2 * HOUR), make(results / "boxes" / "b.h5", -3 * HOUR)]
    old = make(results / "old.h5", HOUR)
    before = old.stat().st_mtime
    text = housekeeping.bring_back(results, scripts)
    assert text.startswith("3 files in ")
    assert "up to 3 hours ahead" in text
    assert old.stat().st_mtime == before
    a, b = times(young)
    assert before < script.stat().st_mtime < a == b <= time.time()
    assert sorted(p.name for p in results.rglob("*") if p.is_file()) == ["a.h5", "b.h5", "old.h5"]
    assert housekeeping.bring_back(results, scripts) == ""


def test_small_differences_of_clocks_are_left_alone(directories):
    results, scripts = directories
    path = make(results / "a.h5", -0.5)
    before = path.stat().st_mtime
    assert housekeeping.bring_back(results, scripts) == ""
    assert path.stat().st_mtime == before


def test_where_one_file_is_ahead_by_much_none_is_left_ahead(directories):
    """Else a file made after another might end up before it."""
    results, scripts = directories
    paths = [make(results / "input.h5", -0.9), make(results / "output.h5", -HOUR)]
    housekeeping.bring_back(results, scripts)
    assert times(paths)[0] <= times(paths)[1]


def test_files_of_others_and_missing_directories_do_no_harm(directories, monkeypatch):
    results, scripts = directories
    make(results / "a.h5", -HOUR)
    (results / "gone.h5").symlink_to(results / "nowhere.h5")

    def refuse(*arguments):
        raise PermissionError

    monkeypatch.setattr(os, "utime", refuse)
    assert housekeeping.bring_back(results, scripts).startswith("0 files in ")
    assert housekeeping.bring_back(results / "absent", scripts) == ""
    assert housekeeping.remove_leftovers(results / "absent") == []


def test_only_old_temporary_files_are_removed(directories):
    results, _ = directories
    old = make(results / "boxes" / ".particles.h5.4711.tmp", 2 * HOUR)
    kept = [
        make(results / "boxes" / ".particles.h5.4712.tmp", HOUR / 2),  # perhaps at work
        make(results / "boxes" / ".particles.h5.tmp", 2 * HOUR),  # not ours
        make(results / "boxes" / "particles.h5.4711.tmp", 2 * HOUR),
        make(results / "boxes" / "particles.h5", 2 * HOUR),
    ]
    assert housekeeping.remove_leftovers(results) == [old]
    assert not old.exists()
    assert all(path.exists() for path in kept)
