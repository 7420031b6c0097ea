"""Artefacts: round trip, atomicity, and an error with a remedy for every way a file can be bad."""

import errno
import resource
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from lagbias.artefacts import store
from lagbias.artefacts.store import ArtefactError, Dataset
from lagbias.runtime import atomic

GRID = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def write_example(path, **attributes):
    datasets = {
        "delta": Dataset(GRID, "1", ("x", "y", "z"), "overdensity"),
        "position": Dataset(np.ones((5, 3)), "Mpc/h", ("particle", "dimension")),
    }
    store.write(path, "example", datasets, attributes=attributes, provenance={"artefact_id": "abc"})


def test_round_trip_keeps_values_types_units_and_attributes(tmp_path):
    path = tmp_path / "deep" / "down" / "file.h5"
    write_example(path, box_size=200.0, source="embedded", seed=3, radii=[1.0, 2.83])
    artefact = store.read(path, "example")
    assert artefact["delta"].dtype == np.float32
    np.testing.assert_array_equal(artefact["delta"], GRID)
    assert artefact.units == {"delta": "1", "position": "Mpc/h"}
    assert artefact.attributes == {
        "box_size": 200.0,
        "source": "embedded",
        "seed": 3,
        "radii": [1.0, 2.83],
    }
    assert store.identifier(path) == "abc"


def test_equal_content_gives_equal_bytes(tmp_path):
    write_example(tmp_path / "a.h5", seed=1)
    time.sleep(1.1)  # HDF5 counts seconds, where it keeps times
    write_example(tmp_path / "b.h5", seed=1)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_rows_of_the_first_axis_can_be_read_and_counted(tmp_path):
    write_example(tmp_path / "a.h5")
    artefact = store.read(tmp_path / "a.h5", names=["delta"], rows=slice(1, 2))
    np.testing.assert_array_equal(artefact["delta"], GRID[1:])
    assert store.length(tmp_path / "a.h5", "example", "position") == 5
    with pytest.raises(ArtefactError, match=r"lacks the dataset\(s\) speed"):
        store.length(tmp_path / "a.h5", "example", "speed")
    with pytest.raises(ArtefactError, match="holds 'example', but 'other' was expected"):
        store.length(tmp_path / "a.h5", "other", "position")


def test_only_the_named_datasets_are_read(tmp_path):
    write_example(tmp_path / "a.h5")
    artefact = store.read(tmp_path / "a.h5", names=["position"])
    assert list(artefact.arrays) == ["position"]
    with pytest.raises(ArtefactError, match="'delta' was not read"):
        artefact["delta"]


def test_axes_must_match_dimensions():
    with pytest.raises(ValueError, match="name each axis once"):
        Dataset(GRID, "1", ("x",))


def test_reserved_attribute_is_refused(tmp_path):
    with pytest.raises(ValueError, match="reserved"):
        write_example(tmp_path / "a.h5", kind="other")


def test_missing_file(tmp_path):
    with pytest.raises(ArtefactError, match=r"gone\.h5 does not exist.*Run the workflow"):
        store.read(tmp_path / "gone.h5")


@pytest.mark.parametrize("keep", [0.9, 0.5, 0.01, 0.0])
def test_truncated_file(tmp_path, keep):
    path = tmp_path / "cut.h5"
    write_example(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(ArtefactError, match=r"cut\.h5 .*(truncated|damaged).*Delete it"):
        store.read(path)


def test_text_in_the_place_of_hdf5(tmp_path):
    path = tmp_path / "text.h5"
    path.write_text("not HDF5 at all\n" * 100)
    with pytest.raises(ArtefactError, match="not an HDF5 file"):
        store.read(path)


def test_foreign_hdf5(tmp_path):
    path = tmp_path / "foreign.h5"
    with h5py.File(path, "w") as file:
        file["delta"] = GRID
    with pytest.raises(ArtefactError, match="not a lagbias artefact"):
        store.read(path)


def test_artefact_of_another_kind(tmp_path):
    write_example(tmp_path / "a.h5")
    with pytest.raises(ArtefactError, match="holds 'example', but 'network' was expected"):
        store.read(tmp_path / "a.h5", "network")


def test_artefact_of_another_layout(tmp_path):
    write_example(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file.attrs["schema"] = store.SCHEMA + 1
    with pytest.raises(ArtefactError, match="layout"):
        store.read(tmp_path / "a.h5")


def test_missing_dataset(tmp_path):
    write_example(tmp_path / "a.h5")
    with pytest.raises(ArtefactError, match=r"lacks the dataset\(s\) g2 \(it has: delta, position"):
        store.read(tmp_path / "a.h5", "example", ["g2"])


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EACCES, "may not be written"),
        (errno.EROFS, "read only"),
        (errno.EIO, "disk on fire"),
    ],
)
def test_failed_write_names_cause_and_leaves_the_old_file(tmp_path, monkeypatch, number, text):
    path = tmp_path / "a.h5"
    write_example(path, seed=1)

    def fail(*_):
        raise OSError(number, "disk on fire")

    monkeypatch.setattr(atomic, "_synchronise", fail)
    with pytest.raises(ArtefactError, match=text):
        write_example(path, seed=2)
    assert store.read(path).attributes["seed"] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_file_size_limit_stands_for_a_full_disk(tmp_path):
    """A write that the system cuts short, in a process of its own because limits stick."""
    path = tmp_path / "big.h5"
    program = f"""
import numpy as np
from lagbias.runtime import atomic
from lagbias.artefacts import store
values = np.zeros((1 << 20,), np.float32)
try:
    store.write({str(path)!r}, "example", {{"a": store.Dataset(values, "1", ("x",))}})
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
    assert "run the workflow again" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_text_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "claims.md"
    store.write_text(path, "f ≥ 0\n")
    with pytest.raises(KeyError), store.replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert path.read_text(encoding="utf-8") == "f ≥ 0\n"
    assert [p.name for p in path.parent.iterdir()] == ["claims.md"]
