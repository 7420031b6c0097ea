"""Artefacts: round trip, atomic writing, and an error with a remedy for every bad file."""

import errno
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any, ClassVar

import h5py
import numpy as np
import pytest

from lagbias.artefacts import store
from lagbias.artefacts.store import ArtefactError
from lagbias.runtime import atomic
from lagbias.schema import fields
from lagbias.sources.base import Particles

GRID = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
POSITION = np.arange(15.0).reshape(5, 3)


@dataclass(frozen=True, kw_only=True)
class Example:
    """One field of every sort."""

    KIND: ClassVar[str] = "example"
    delta: Any = fields.array("1", "x y z", "overdensity")
    position: Any = fields.array("Mpc/h", "particle 3", "position")
    site: Any = fields.array("1", "particle", "site", code="i")
    weights: Any = fields.arrays("1", "weights")
    rf: Any = fields.number("Mpc/h", "smoothing radius", default=2.83)
    box: str = fields.label("box")
    attributes: Any = fields.attributes("of the box")


@dataclass(frozen=True, kw_only=True)
class Other:
    """Another kind."""

    KIND: ClassVar[str] = "other"


def example(**changes):
    base = {"delta": GRID, "position": POSITION, "site": np.arange(5, dtype=np.int32)}
    return Example(**{**base, "weights": {"a.b": np.ones(2), "c": np.ones((1, 2))}, **changes})


def write(path, provenance=None, **changes):
    store.write(path, example(**changes), provenance=provenance)
    return path


def test_round_trip_keeps_values_types_units_and_attributes(tmp_path):
    about = {"seed": 3, "radii": [1.0, 2.83], "source": "embedded δ", "periodic": True}
    path = tmp_path / "deep" / "down" / "file.h5"
    write(path, {"artefact_id": "abc"}, box="box0", attributes=about)
    found, header = store.read(path, Example), store.header(path)
    for name, values, _ in fields.datasets(example()):
        stored = {n: v for n, v, _ in fields.datasets(found)}[name]
        assert stored.dtype == values.dtype
        np.testing.assert_array_equal(stored, values)
    assert (found.rf, found.box, found.attributes) == (2.83, "box0", about)
    assert (header.kind, header.provenance) == ("example", {"artefact_id": "abc"})
    assert header.attributes == {"rf": 2.83, "box": "box0", **about}
    about_position = header.datasets["position"]
    assert (about_position["units"], about_position["axes"]) == ("Mpc/h", "particle, 3")
    assert about_position["shape"] == (5, 3)


def test_equal_content_gives_equal_bytes(tmp_path):
    write(tmp_path / "a.h5")
    time.sleep(1.1)  # HDF5 stores times, if any, in seconds
    write(tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_arrays_with_a_default_need_not_be_read(tmp_path, box):
    store.write(tmp_path / "particles.h5", box.particles)
    found = store.read(tmp_path / "particles.h5", Particles, without=("velocity",))
    assert found.velocity.shape == (0, 3)
    np.testing.assert_array_equal(found.position, box.particles.position)
    whole = store.read(tmp_path / "particles.h5", Particles)
    np.testing.assert_array_equal(whole.velocity, box.particles.velocity)


def test_rows_of_one_array_can_be_read(tmp_path):
    path = write(tmp_path / "a.h5")
    rows = store.read_array(path, Example, "position", rows=slice(1, 3))
    np.testing.assert_array_equal(rows, POSITION[1:3])
    np.testing.assert_array_equal(store.read_array(path, Example, "delta"), GRID)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"delta": GRID[0]}, r"delta is float32 of shape \(3, 4\)"),
        ({"position": np.ones((5, 2))}, "position"),
        ({"site": np.arange(4)}, "particle = 5"),
        ({"site": np.ones(5)}, "integers is needed"),
        (
            {"delta": np.where(GRID == 3, np.nan, GRID)},
            r"1 of 24 values is not finite.*\[0, 0, 3\]",
        ),
        ({"rf": float("inf")}, "a finite number is needed"),
        ({"box": 3}, "text is needed"),
    ],
)
def test_an_object_that_does_not_fit_its_declaration_is_not_written(tmp_path, changes, words):
    with pytest.raises(ArtefactError, match=rf"a\.h5 was not written: .*{words}"):
        write(tmp_path / "a.h5", **changes)
    assert list(tmp_path.iterdir()) == []


def test_reserved_attributes_and_python_objects_are_refused(tmp_path):
    with pytest.raises(ValueError, match="reserved"):
        write(tmp_path / "a.h5", attributes={"kind": "other"})
    with pytest.raises(ArtefactError):
        write(tmp_path / "a.h5", site=np.array(["a"] * 5, dtype=object))


def spoil_attribute(name, value):
    def spoil(path):
        with h5py.File(path, "a") as file:
            file.attrs[name] = value

    return spoil


def without_position(path):
    with h5py.File(path, "a") as file:
        del file["position"]


def shorter_site(path):
    with h5py.File(path, "a") as file:
        del file["site"]
        file["site"] = np.arange(4)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "does not exist. Run the workflow"),
        (lambda path: path.write_text("not HDF5\n" * 100), "not an HDF5 file"),
        (lambda path: h5py.File(path, "w").close(), "not a lagbias artefact"),
        (lambda path: store.write(path, Other()), "holds 'other' instead of 'example'"),
        (spoil_attribute("schema", store.SCHEMA + 1), "has layout"),
        (spoil_attribute("rf", "wide"), "does not hold a valid 'example'.*rf"),
        (without_position, "lacks position"),
        (shorter_site, r"does not hold a valid 'example'.*site.*Delete it"),
        *(
            (lambda path, keep=keep: path.write_bytes(path.read_bytes()[:keep]), "truncated")
            for keep in (0, 30, 2000)
        ),
    ],
)
def test_a_bad_file_is_named_with_a_remedy(tmp_path, spoil, words):
    path = write(tmp_path / "a.h5")
    spoil(path)
    with pytest.raises(ArtefactError, match=rf"a\.h5 .*{words}"):
        store.read(path, Example)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("can't open attribute"), "damaged"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "damaged"),
        (OSError(errno.EIO, "Input/output error"), "damaged .*Input/output error"),
        (MemoryError(), "out of memory"),
        (PermissionError(errno.EACCES, "denied"), "permission denied"),
    ],
)
def test_any_failure_in_reading_is_an_artefact_error(tmp_path, monkeypatch, error, words):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(h5py, "File", fail)
    with pytest.raises(ArtefactError, match=rf"a\.h5 .*{words}"):
        store.header(tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EACCES, "permission"),
        (errno.EROFS, "read.only"),
        (errno.EIO, "disk on fire"),
    ],
)
def test_failed_write_names_cause_and_keeps_the_old_file(tmp_path, monkeypatch, number, text):
    path = write(tmp_path / "a.h5", rf=1.0)

    def fail(*_):
        raise OSError(number, "disk on fire")

    monkeypatch.setattr(atomic, "_synchronise", fail)
    with pytest.raises(ArtefactError, match=f"(?i){text}"):
        write(path, rf=2.0)
    assert store.read(path, Example).rf == 1.0
    assert list(tmp_path.iterdir()) == [path]


def test_file_size_limit_stands_for_a_full_disk(tmp_path):
    """A write that the system cuts short, in a process of its own because limits stick."""
    path = tmp_path / "big.h5"
    program = f"""
import numpy as np
from lagbias.artefacts import store
from lagbias.sources.base import LinearDensity
try:
    store.write({str(path)!r}, LinearDensity(delta=np.zeros((80, 80, 80), np.float32)))
except store.ArtefactError as error:
    print(error)
"""
    limit = 1 << 20

    def restrict():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [sys.executable, "-c", program], preexec_fn=restrict, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "big.h5 could not be written: the file size limit is reached" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_text_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "claims.md"
    atomic.write_text(path, "f ≥ 0\n")
    with pytest.raises(KeyError), atomic.replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert path.read_text(encoding="utf-8") == "f ≥ 0\n"
    assert [p.name for p in path.parent.iterdir()] == ["claims.md"]
