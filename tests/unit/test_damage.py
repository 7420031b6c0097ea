"""Damaged artefacts: a file is read as it was written, or refused."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
import pytest

from lagbias.artefacts import store
from lagbias.artefacts.store import ArtefactError
from lagbias.schema import fields

#: Longest that one attempt to read a damaged file of some kB may take [s]; it takes 2 ms.
PATIENCE = 5.0
#: Characters of a text that no object header can hold.
TOO_LONG_FOR_A_HEADER = 60_000


@dataclass(frozen=True, kw_only=True)
class Example:
    """Every sort of dataset and attribute."""

    KIND: ClassVar[str] = "example"
    grid: Any = fields.array("1", "x y z", "δ of the particles")
    position: Any = fields.array("Mpc/h", "particle 3", "position")
    counts: Any = fields.array("1", "bin", "counts", code="i")
    empty: Any = fields.array("1", "none 3", "nothing")
    names: Any = fields.array("1", "file", "names", code="S")
    rf: float = fields.number("Mpc/h", "smoothing radius", default=2.83)
    box: str = fields.label("box")
    attributes: Any = fields.attributes("others")


def write_example(path: Path, position=None, text: str = "a text") -> bytes:
    """Write an example and return the file's bytes."""
    rng = np.random.default_rng(0)
    example = Example(
        grid=rng.normal(size=(2, 3, 4)).astype(np.float32),
        position=rng.random((4, 3)) if position is None else position,
        counts=np.arange(7),
        empty=np.empty((0, 3)),
        names=np.array([b"a/b.asdf", b"c"]),
        box="box0",
        attributes={f"n{i}": i for i in range(6)} | {"text": text, "radii": [2.83, 5.66]},
    )
    provenance = {"artefact_id": "0123456789abcdef", "inputs": {"results/a.h5": "f"}}
    store.write(path, example, provenance=provenance)
    return path.read_bytes()


def content(path: Path) -> tuple:
    """Return all that is read, for comparison bit for bit."""
    found, header = store.read(path, Example), store.header(path)
    arrays = {
        name: (values.dtype.str, values.shape, values.tobytes())
        for name, values, _ in fields.datasets(found)
    }
    return header.kind, header.attributes, header.provenance, header.datasets, arrays


def is_refused(path: Path, written: tuple) -> bool:
    """Whether a file is refused; otherwise it must be read as it was written."""
    started = time.monotonic()
    try:
        found = content(path)
    except ArtefactError as error:
        assert str(path) in str(error)
        found = None
    assert time.monotonic() - started < PATIENCE
    assert found is None or found == written
    return found is None


@pytest.mark.parametrize(
    ("text", "stride"), [("a text", 2), ("x" * TOO_LONG_FOR_A_HEADER, 97)], ids=["short", "long"]
)
def test_no_flipped_bit_changes_what_is_read(tmp_path, nightly, text, stride):
    path = tmp_path / "a.h5"
    whole = write_example(path, text=text)
    written = content(path)
    rng = np.random.default_rng(0)
    refused, places = 0, range(0, len(whole), 1 if nightly and stride == 2 else stride)
    for position in places:
        for bit in range(8) if nightly else [rng.integers(8)]:
            damaged = bytearray(whole)
            damaged[position] ^= 1 << int(bit)
            path.write_bytes(damaged)
            refused += is_refused(path, written) / (8 if nightly else 1)
    assert refused > 0.5 * len(places)  # the rest are gaps


def test_no_run_of_changed_bytes_changes_what_is_read(tmp_path, nightly):
    path = tmp_path / "a.h5"
    whole = write_example(path)
    written = content(path)
    rng = np.random.default_rng(0)
    for _ in range(20_000 if nightly else 400):
        start, length = rng.integers(len(whole)), rng.integers(1, 600)
        damaged = bytearray(whole)
        length = len(damaged[start : start + length])
        if rng.integers(2):  # zeros, as a file system leaves where it lost a block
            damaged[start : start + length] = bytes(length)
        else:
            damaged[start : start + length] = rng.bytes(length)
        path.write_bytes(damaged)
        is_refused(path, written)


def test_no_truncated_file_is_read(tmp_path, nightly):
    path = tmp_path / "a.h5"
    whole = write_example(path)
    written = content(path)
    for length in range(0, len(whole), 1 if nightly else 11):
        path.write_bytes(whole[:length])
        assert is_refused(path, written), length


def test_rows_are_verified_where_they_are_read(tmp_path):
    path, row = tmp_path / "a.h5", 100_000
    position = np.random.default_rng(0).random((300_000, 3), dtype=np.float32)
    whole = write_example(path, position)
    damaged = position.copy()
    damaged[row, 1] = np.nextafter(damaged[row, 1], np.float32(2), dtype=np.float32)
    place = whole.index(position[row].tobytes())
    path.write_bytes(whole[:place] + damaged[row].tobytes() + whole[place + 12 :])
    for start in (0, 299_000):
        rows = slice(start, start + 1000)
        found = store.read_array(path, Example, "position", rows=rows)
        np.testing.assert_array_equal(found, position[rows])
    with pytest.raises(ArtefactError, match=r"damaged.*Delete it"):
        store.read_array(path, Example, "position", rows=slice(row, row + 10))
    with pytest.raises(ArtefactError, match="damaged"):
        store.read(path, Example)
    assert store.header(path).provenance["artefact_id"] == "0123456789abcdef"


def test_everything_in_a_file_has_a_checksum(tmp_path):
    """No attribute is in a heap, no text has variable length, and all values are filtered."""
    path = tmp_path / "a.h5"
    whole = write_example(path)
    with h5py.File(path) as file:
        assert file.id.get_create_plist().get_version()[0] >= 2  # of the superblock
        for holder in (file, *file.values()):
            for name in holder.attrs:
                assert h5py.h5a.open(holder.id, name.encode()).dtype.kind != "O", name
        assert all(item.fletcher32 for item in file.values() if item.size)
    assert b"FRHP" not in whole  # signature of a fractal heap
