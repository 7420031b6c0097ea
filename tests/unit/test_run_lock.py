"""Who holds the files of a run, and what a second run is told."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from lagbias import run_lock
from lagbias.run_lock import Owner, RunLocked

FILE, OTHER = "results/tiny/features/box0/rf2.83.h5", "results/other/features/box0/rf2.83.h5"


@pytest.fixture
def home(tmp_path):
    (tmp_path / "locks").mkdir()
    return tmp_path


@pytest.fixture
def sleeper():
    """A process that is alive."""
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield process
        process.stdin.close()


def lock(home, *files):
    """Lock files as Snakemake does."""
    (home / "locks" / "0.output.lock").write_text("\n".join(files) + "\n")


def record(home, name="other", **changes):
    owner = replace(Owner.this_process([FILE]), **changes)
    path = home / "lagbias_runs" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(asdict(owner)))
    return path


def of(process):
    return {"pid": process.pid, "birth": run_lock._birth(process.pid)}


DEAD = {"birth": "1"}  # the number is now another process's
ELSEWHERE = {"host": "node17"}


def test_what_is_taken_is_recorded_until_it_is_released(home):
    run_lock.take([FILE], home=home)
    (path,) = (home / "lagbias_runs").iterdir()
    owner = Owner(**json.loads(path.read_text()))
    assert owner.pid == os.getpid()
    assert owner.outputs == [FILE]
    assert owner.alive() is True
    run_lock.take([FILE], home=home)  # its own record is no obstacle
    run_lock.release(home=home)
    assert not path.exists()
    run_lock.release(home=home)


def test_files_of_a_living_process_are_refused(home, sleeper):
    path = record(home, **of(sleeper))
    with pytest.raises(RunLocked, match=f"process {sleeper.pid} on .*Nothing was changed"):
        run_lock.take([FILE, OTHER], home=home)
    assert list(path.parent.iterdir()) == [path]
    run_lock.take([OTHER], home=home)  # other files are free


def test_an_end_is_noticed_even_before_it_is_waited_for():
    process = subprocess.Popen([sys.executable, "-c", ""])
    owner = replace(Owner.this_process([]), pid=process.pid, birth=run_lock._birth(process.pid))
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert owner.alive() is False
    process.wait()
    assert owner.alive() is False


@pytest.mark.parametrize("changes", [DEAD, {"boot": "before"}, ELSEWHERE], ids=repr)
def test_records_of_others_are_forgotten_once_their_files_are_taken(home, changes):
    """Snakemake's lock is ours by then, so that they are not at work."""
    path = record(home, **changes)
    unrelated = record(home, "unrelated", outputs=[OTHER], **changes)
    run_lock.take([FILE], home=home)
    assert not path.exists()
    assert unrelated.exists()


def test_a_run_at_work_is_explained(home, sleeper):
    lock(home, FILE)
    record(home, **of(sleeper))
    text = run_lock.explain("results/tiny", home=home)
    assert text.startswith("Files in results/tiny are being made by another run: process ")
    assert f"process {sleeper.pid} on {socket.gethostname()}, begun " in text
    assert "Wait for its end" in text
    assert "unlock" not in text


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        (DEAD, "is no longer alive"),
        ({"boot": "before"}, "is no longer alive"),
        (ELSEWHERE, "on node17, begun "),
        ({"space": "pid:[1]"}, "cannot be seen whether that is still at work"),
    ],
)
def test_a_lock_that_stayed_behind_is_explained_with_the_remedy(home, changes, fragment):
    lock(home, FILE)
    record(home, **changes)
    text = run_lock.explain("results/tiny", home=home)
    assert fragment in text
    assert "snakemake --unlock" in text


def test_of_several_the_one_at_work_is_named(home, sleeper):
    lock(home, FILE)
    record(home, "a", **ELSEWHERE, since="2999-01-01 00:00:00")
    record(home, "b", **of(sleeper))
    assert f"process {sleeper.pid} on" in run_lock.explain("results/tiny", home=home)


def test_nothing_is_said_without_a_lock_or_a_record(home):
    assert run_lock.explain("results/tiny", home=home) == ""
    lock(home, FILE)
    assert run_lock.explain("results/tiny", home=home) == ""
    record(home, **DEAD)
    assert run_lock.explain("results/other", home=home) == ""
    lock(home, OTHER)
    assert run_lock.explain("results/tiny", home=home) == ""
    assert run_lock.explain("results/tiny", home=home / "absent") == ""


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}'])
def test_damaged_records_are_passed_over(home, content):
    lock(home, FILE)
    path = record(home)
    path.write_text(content)
    assert run_lock.explain("results/tiny", home=home) == ""
    run_lock.take([FILE], home=home)


def test_a_run_begins_where_no_record_can_be_written(home, caplog):
    (home / "lagbias_runs").write_text("in the way")
    run_lock.take([FILE], home=home)
    assert "Other runs cannot see who makes these files" in caplog.text
    run_lock.release(home=home)
