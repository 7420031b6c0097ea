"""Damaged artefacts: whatever happens to a file, it is read as it was written, or refused."""

import errno
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from lagbias.artefacts import blocks, hdf5, store
from lagbias.artefacts.store import ArtefactError, Dataset

#: Longest that one attempt to read a damaged file of some kB may take [s]; it takes 2 ms.
PATIENCE = 5.0
#: Length of text that HDF5 does not keep in a header, where it has checksums [characters].
TOO_LONG_FOR_A_HEADER = 70_000


def write_example(path: Path, text: str = "a text", **arrays) -> bytes:
    """Write every sort of dataset and attribute, and return the file's bytes."""
    rng = np.random.default_rng(0)
    values = {
        "grid": rng.normal(size=(2, 3, 4)).astype(np.float32),
        "counts": np.arange(7),
        "number": np.array(2.5),
        "empty": np.empty((0, 3)),
        "names": np.array([b"a/b.asdf", b"c"]),
        "flags": np.array([True, False]),
    } | arrays
    datasets = {
        name: Dataset(value, "Mpc/h", tuple("xyz"[: value.ndim]), "δ of the particles")
        for name, value in values.items()
    }
    attributes = {f"n{number}": number for number in range(6)} | {
        "text": text,
        "nothing": "",
        "radii": [2.83, 5.66],
        "names": ["δ", "g2"],
        "periodic": True,
    }
    provenance = {"artefact_id": "0123456789abcdef", "inputs": {"results/a.h5": "f"}}
    store.write(path, "example", datasets, attributes=attributes, provenance=provenance)
    return path.read_bytes()


def content(artefact: store.Artefact) -> tuple:
    """Return all that was read, for comparison bit for bit."""
    arrays = {
        name: (values.dtype.str, values.shape, values.tobytes())
        for name, values in artefact.arrays.items()
    }
    return artefact.kind, artefact.attributes, artefact.provenance, artefact.units, arrays


def outcome(path: Path, written: tuple) -> bool:
    """Return whether a file is refused; it must be read as it was written where it is not."""
    started = time.monotonic()
    try:
        found = content(store.read(path, "example"))
    except ArtefactError as error:
        assert str(path) in str(error) and "again" in str(error)
        found = None
    assert time.monotonic() - started < PATIENCE
    assert found is None or found == written
    return found is None


def flip(path: Path, whole: bytes, position: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        file.write(bytes([whole[position] ^ 1 << bit]))


def mend(path: Path, whole: bytes, position: int) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        file.write(whole[position : position + 1])


@pytest.mark.parametrize(
    ("text", "stride"), [("a text", 2), ("x" * TOO_LONG_FOR_A_HEADER, 97)], ids=["short", "long"]
)
def test_no_flipped_bit_changes_what_is_read(tmp_path, nightly, text, stride):
    path = tmp_path / "a.h5"
    whole = write_example(path, text)
    written = content(store.read(path, "example"))
    rng = np.random.default_rng(0)
    refused = 0
    places = range(0, len(whole), 1 if nightly and stride == 2 else stride)
    for position in places:
        for bit in range(8) if nightly else [rng.integers(8)]:
            flip(path, whole, position, int(bit))
            refused += outcome(path, written) / (8 if nightly else 1)
            mend(path, whole, position)
    assert path.read_bytes() == whole
    assert refused > 0.6 * len(places)  # the rest are gaps, in which nothing is


def test_no_run_of_changed_bytes_changes_what_is_read(tmp_path, nightly):
    path = tmp_path / "a.h5"
    whole = write_example(path)
    written = content(store.read(path, "example"))
    rng = np.random.default_rng(0)
    for _ in range(20_000 if nightly else 400):
        start, length = rng.integers(len(whole)), rng.integers(1, 600)
        damaged = bytearray(whole)
        kind = rng.integers(3)
        if kind == 0:  # zeros, as a file system leaves where it lost a block
            damaged[start : start + length] = bytes(len(damaged[start : start + length]))
        elif kind == 1:
            damaged[start : start + length] = rng.bytes(len(damaged[start : start + length]))
        else:  # a part of the file that stands in another place of it
            source = rng.integers(len(whole) - length)
            damaged[start : start + length] = whole[source : source + length]
            damaged = damaged[: len(whole)]
        path.write_bytes(damaged)
        outcome(path, written)


def test_no_truncated_file_is_read(tmp_path, nightly):
    path = tmp_path / "a.h5"
    whole = write_example(path)
    written = content(store.read(path, "example"))
    for length in range(0, len(whole), 1 if nightly else 5):
        path.write_bytes(whole[:length])
        assert outcome(path, written), length


def test_bytes_after_the_end_do_no_harm(tmp_path):
    path = tmp_path / "a.h5"
    whole = write_example(path)
    written = content(store.read(path, "example"))
    path.write_bytes(whole + b"\0" * 1000)
    outcome(path, written)


@pytest.mark.parametrize("start", [0, 40, 80_000, 299_000])
def test_rows_are_checked_where_they_are_read_and_only_there(tmp_path, start):
    """Four blocks; the damage is in row 100 000, in the second."""
    path = tmp_path / "a.h5"
    position = np.random.default_rng(0).random((300_000, 3), dtype=np.float32)
    write_example(path, position=position)
    row = 100_000
    damaged = position.copy()
    damaged[row, 1] = np.nextafter(damaged[row, 1], np.float32(2), dtype=np.float32)
    whole = path.read_bytes()
    place = whole.index(position[row].tobytes())
    path.write_bytes(whole[:place] + damaged[row].tobytes() + whole[place + 12 :])
    rows = slice(start, start + 1000)
    height = blocks.rows_per_block(position.shape, 4)
    if start // height == row // height or (rows.stop - 1) // height == row // height:
        with pytest.raises(
            ArtefactError, match=r"'position' does not hold what was written.*Delete"
        ):
            store.read(path, names=["position"], rows=rows)
    else:
        found = store.read(path, names=["position"], rows=rows)["position"]
        np.testing.assert_array_equal(found, position[rows])
    with pytest.raises(ArtefactError, match=f"rows {height} to {2 * height - 1}"):
        store.read(path, "example")
    assert store.length(path, "example", "position") == 300_000
    assert store.identifier(path) == "0123456789abcdef"


@given(
    values=nps.arrays(
        st.sampled_from(["f4", "f8", "i2", "i8", "u1", "?", "S3", "c8"]),
        nps.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
        elements={"allow_nan": False, "allow_infinity": False},
    ),
    rows=st.slices(6).filter(lambda rows: rows.step in (None, 1)),
)
def test_what_is_read_is_what_was_written(tmp_path_factory, values, rows):
    path = tmp_path_factory.getbasetemp() / "round_trip.h5"
    axes = tuple("abcd"[: values.ndim])
    store.write(path, "example", {"values": Dataset(values, "1", axes)})
    found = store.read(path, "example")["values"]
    assert found.dtype == values.dtype and found.shape == values.shape
    assert found.tobytes() == values.tobytes()
    if values.ndim:
        part = store.read(path, names=["values"], rows=rows)["values"]
        np.testing.assert_array_equal(part, values[rows])


@given(
    attributes=st.dictionaries(
        st.text("abcδ_", min_size=1, max_size=5),
        st.one_of(
            st.integers(-(2**63), 2**63 - 1),
            st.floats(allow_nan=False),
            st.booleans(),
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
            st.lists(st.floats(allow_nan=False), max_size=4),
            st.lists(st.text("aδ b"), min_size=1, max_size=4),
        ),
        max_size=12,
    )
)
def test_attributes_come_back_as_they_were(tmp_path_factory, attributes):
    path = tmp_path_factory.getbasetemp() / "attributes.h5"
    store.write(path, "example", {}, attributes=attributes)
    assert store.read(path).attributes == attributes


def test_rows_must_be_consecutive(tmp_path):
    write_example(tmp_path / "a.h5")
    with pytest.raises(ValueError, match="not consecutive"):
        store.read(tmp_path / "a.h5", names=["grid"], rows=slice(0, 2, 2))


def test_an_edited_file_is_refused(tmp_path):
    path = tmp_path / "a.h5"
    for edit in (
        lambda file: file.attrs.__setitem__("n0", 7),
        lambda file: file.attrs.__delitem__("n0"),
        lambda file: file.attrs.__delitem__("seal"),
        lambda file: file.__delitem__("counts"),
        lambda file: file.move("counts", "numbers"),
        lambda file: file["counts"].attrs.__setitem__("units", "kpc"),
        lambda file: file["counts"].attrs.__delitem__("checksums"),
        lambda file: file["counts"].__setitem__(0, 1),
    ):
        write_example(path)
        with h5py.File(path, "a") as file:
            edit(file)
        with pytest.raises(ArtefactError, match="damaged"):
            store.read(path)


def test_hdf5_guards_all_that_it_keeps_itself(tmp_path):
    """No attribute is in a heap, and no text of variable length, for which it has no checksums."""
    path = tmp_path / "a.h5"
    write_example(path)
    with h5py.File(path) as file:
        assert file.id.get_create_plist().get_version()[0] >= 2  # of the superblock
        for holder in (file, *file.values()):
            for name in holder.attrs:
                assert h5py.h5a.open(holder.id, name.encode()).dtype.kind != "O", name
        assert all(item.chunks is None for item in file.values())
    assert b"FRHP" not in path.read_bytes()  # the mark of a heap


def test_python_objects_are_refused_before_anything_is_written(tmp_path):
    values = np.array(["a", "bc"], dtype=object)
    with pytest.raises(ValueError, match="'names' holds Python objects"):
        store.write(tmp_path / "a.h5", "example", {"names": Dataset(values, "1", ("i",))})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "complaint"),
    [
        (KeyError("can't open attribute"), r"damaged .*\(can't open attribute\)"),
        (RuntimeError("unable to iterate"), "damaged"),
        (ValueError("not a location"), "damaged"),
        (TypeError("no mapping"), "damaged"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "damaged"),
        (OSError(errno.EIO, "Input/output error"), "damaged .*Input/output error"),
        (MemoryError(), "not enough memory"),
        (PermissionError(errno.EACCES, "denied"), "may not be read"),
    ],
)
def test_whatever_goes_wrong_in_reading_is_one_kind_of_error(
    tmp_path, monkeypatch, error, complaint
):
    path = tmp_path / "a.h5"
    write_example(path)

    def fail(*_):
        raise error

    monkeypatch.setattr(hdf5, "open_dataset", fail)
    for read in (
        lambda: store.read(path),
        lambda: store.length(path, "example", "grid"),
    ):
        with pytest.raises(ArtefactError, match=rf"a\.h5 .*{complaint}"):
            read()
    monkeypatch.setattr(hdf5, "root_attributes", fail)
    with pytest.raises(ArtefactError, match=rf"a\.h5 .*{complaint}"):
        store.identifier(path)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (np.array([[1.0, np.nan], [np.inf, 0.0]]), r"2 of 4 values are .*\(nan\) at \[0, 1\]"),
        (np.array(-np.inf, np.float32), r"1 of 1 values is .*\(-inf\) at \[\]"),
    ],
)
def test_values_that_are_no_numbers_are_not_written(tmp_path, values, complaint):
    path = tmp_path / "a.h5"
    whole = write_example(path)
    axes = ("x", "y")[: values.ndim]
    with pytest.raises(ArtefactError, match=rf"a\.h5 was not written: .*'f', {complaint}.*again"):
        store.write(path, "example", {"f": Dataset(values, "1", axes)})
    assert path.read_bytes() == whole
    store.write(path, "example", {"f": Dataset(values, "1", axes, finite=False)})
    np.testing.assert_array_equal(store.read(path)["f"], values)


def test_a_file_in_the_place_of_the_directory(tmp_path):
    (tmp_path / "results").write_text("not a directory")
    for path in (tmp_path / "results/a.h5", tmp_path / "results/boxes/a.h5"):
        with pytest.raises(
            ArtefactError, match=r"a\.h5 could not .* a file is in the place of .*Move"
        ):
            write_example(path)
        with pytest.raises(ArtefactError, match=r"a\.h5 "):
            store.read(path)
    assert (tmp_path / "results").read_text() == "not a directory"


def test_a_read_only_file_system_is_named(tmp_path, read_only):
    directory = tmp_path / "results"
    write_example(directory / "a.h5")
    program = (
        "import sys, numpy as np\n"
        "from lagbias import store\n"
        "for name in ('a.h5', 'new.h5', 'deep/new.h5'):\n"
        "    try:\n"
        "        store.write(f'{sys.argv[1]}/{name}', 'example', {})\n"
        "    except store.ArtefactError as error:\n"
        "        print(error)\n"
    )
    words = [*read_only(directory), sys.executable, "-c", program, str(directory)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stdout + done.stderr
    for line, name in zip(lines, ("a.h5", "new.h5", "deep/new.h5"), strict=True):
        assert line.startswith(f"{directory}/{name} could not be written: the file system may be")
    assert [path.name for path in directory.iterdir()] == ["a.h5"]
    assert store.read(directory / "a.h5").kind == "example"
