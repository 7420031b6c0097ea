"""Files of AbacusSummit, damaged or made to deceive: a sound box, or an error that names a file."""

import re
import struct
from contextlib import contextmanager

import blosc
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from lagbias.sources.abacus.asdf_files import _COLUMNS, read_column, read_header
from lagbias.sources.abacus.paths import find_box
from lagbias.sources.abacus.read import read_box
from lagbias.sources.base import check_contract

pytestmark = [pytest.mark.timeout(6 * 3600), pytest.mark.usefixtures("bounded_memory")]
# to explain a failure, hypothesis would trace every line that runs
reusing_fixtures = settings(
    suppress_health_check=list(HealthCheck), phases=set(Phase) - {Phase.explain}
)

END_OF_HEADER = b"\n...\n"
#: Where a file's block index begins; without it, blocks are found one after the other.
INDEX = b"#ASDF BLOCK INDEX"

VALUES = [
    "0", "-1", "1", "1.5", ".nan", ".inf", "-.inf", "1e300", "-1e300", "5e-324", "1e400",
    "1" + 30 * "0", "null", "true", "text", "''", '"120"', "[]", "{}", "[1]", "{a: b}",
    "2023-05-01", "!!binary aGk=", "!!set {a}", "&a [*a]", "&b {c: *b}",
    "!core/complex-1.0.0 1+1j", "!core/ndarray-1.0.0 [1, 2]",
    "!unit/quantity-1.1.0 {value: 1, unit: m}", "!!python/object/apply:os.system ['true']",
    "!core/externalarray-1.0.0 {fileuri: /etc/passwd, target: 1, datatype: int8, shape: [1]}",
    "0x" + "f" * 5000, "'" + "x" * 5000 + "'",
]  # fmt: skip
SHAPES = [
    "[0]", "[1]", "[7]", "[1000000000000]", "[-1]", "['*']", "['*', 3]", "[]", "[10, 3, 1]",
    "[4, 4]", "[1.5]", "[true]", "[9223372036854775807, 3]", "[3, 3]", "null", "3",
]  # fmt: skip
TYPES = [
    "int8", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64",
    "bool8", "complex64", "[ascii, 4]", "[ucs4, 1000000000]", "[{name: a, datatype: int32}]",
    "object", "null",
]  # fmt: skip
SOURCES = [
    "-1", "1", "99", "1e3", "true", "null", "[1, 2]", "'other.asdf'", "''", "'#'",
    "'file:///etc/passwd'", "'http://127.0.0.1:9/x.asdf'",
]  # fmt: skip
EXTRAS = [
    "strides: [0]", "strides: [0, 0]", "strides: [-4, 4]", "offset: 4", "offset: -4", "mask: 0",
    "offset: 1000000000000", "mask: .nan", "data: [1, 2]",
]  # fmt: skip


@pytest.fixture(scope="module")
def tree(abacus_tree, tmp_path_factory):
    """A small box, read once so that all is compiled, and the content of its files."""
    root = tmp_path_factory.mktemp("abacus")
    made = abacus_tree.write_tree(root, ppd=12, n_ic=4, subsample=0.5, n_halos=10, cleaned=True)
    made.files = find_box(**made.find)
    made.content = {path: path.read_bytes() for path in made.files.all}
    check_contract(read_box(made.files, redshift=0.5, min_halo_particles=1))
    return made


@contextmanager
def replaced(path, content):
    """Put another content into a file for a while."""
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)


def column_of(path) -> str:
    """Return the name of a column that a file of the tree should have."""
    products = {"cleaned": "N_total", "halo_info": "N", "rv": "rvint", "pid": "packedpid"}
    return next((c for part, c in products.items() if part in path.name), "density")


def reads_or_names(path, watch) -> None:
    """Assert that a file is read as it should be, or refused by its name."""
    for column in [column_of(path)] if column_of(path) != "N" else ["N", "x_com", "v_com"]:
        try:
            with watch.nothing_touched():
                _, shape = read_header(path, column)
                values = read_column(path, column)
        except (OSError, ValueError) as error:
            assert str(path) in str(error)
            event(type(error).__name__)
        else:
            event("read")
            assert type(values) is np.ndarray and values.shape == shape
            assert values.dtype.isnative and str(values.dtype) in _COLUMNS[column][0]


def is_sound_or_names(tree, watch) -> None:
    """Assert that a box keeps the contract, or that a file of it is named."""
    try:
        with watch.nothing_touched():
            box = read_box(find_box(**tree.find), redshift=0.5, min_halo_particles=1)
            check_contract(box)
    except (OSError, ValueError) as error:
        message = str(error)
        assert str(tree.root) in message or "breaks the contract of BoxData" in message
        assert len(message) < 20_000
        event(type(error).__name__)
    else:
        event("sound")


@st.composite
def damage(draw, content: bytes):
    """Return bytes with some changed, cut out, put in, repeated, or the end cut off."""
    data = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        if draw(st.booleans()):  # where lengths are, of blocks and of pieces of blocks
            start = min(max(data.find(b"\xd3BLK"), 0) + draw(st.integers(0, 80)), len(data))
        stop = start + draw(st.sampled_from([1, 1, 2, 4, 8, 64]))
        deeds = ["flip", "flip", "flip", "write", "write", "cut", "insert", "repeat", "truncate"]
        deed = draw(st.sampled_from(deeds))
        if deed == "flip" and start < len(data):
            data[start] ^= 1 << draw(st.integers(0, 7))
        elif deed == "write":
            piece = draw(st.sampled_from([b"\0", b"\xff", b"\xff" * 8, b"\0" * 8, b"\x7f\xff"]))
            data[start : start + len(piece)] = piece
        elif deed == "cut":
            del data[start:stop]
        elif deed == "insert":
            data[start:start] = draw(st.binary(max_size=16))
        elif deed == "repeat":
            data[start:start] = data[start : min(stop, start + 1000)]
        else:
            del data[start:]
    return bytes(data)


def edited(content: bytes, *changes: tuple[str, str]) -> bytes:
    """Return a file with another header; each change is a pattern and what takes its place."""
    head, end, blocks = content.partition(END_OF_HEADER)
    text = head.decode()
    for pattern, new in changes:
        text = re.sub(pattern, lambda _, new=new: new, text, count=1, flags=re.MULTILINE)
    return text.encode("utf-8", "surrogatepass") + end + blocks.partition(INDEX)[0]


@st.composite
def lies(draw, content: bytes):
    """Return a file whose header says something else."""
    keys = re.findall(rb"^  ([A-Za-z_0-9]+): ", content.partition(b"\n...")[0], re.MULTILINE)
    keys = [key.decode() for key in keys if key not in (b"name", b"author", b"homepage")]
    changes = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["header", "header", "shape", "datatype", "source", "extra"]))
        if kind == "header":
            key = draw(st.sampled_from(keys))
            value = draw(st.sampled_from(VALUES) | st.floats().map(repr) | st.integers().map(str))
            line = draw(st.sampled_from([f"  {key}: {value}", "", f"  other: {value}"]))
            changes.append((rf"^  {key}: .*$", line))
        elif kind == "extra":
            changes.append((r"source: \d+", f"source: 0\n    {draw(st.sampled_from(EXTRAS))}"))
        else:
            old = {
                "shape": r"shape: \[.*?\]",
                "datatype": r"datatype: \w+",
                "source": r"source: \d+",
            }
            new = {"shape": SHAPES, "datatype": TYPES, "source": SOURCES}[kind]
            changes.append((old[kind], f"{kind}: {draw(st.sampled_from(new))}"))
    return edited(content, *changes)


@given(data=st.data())
@reusing_fixtures
def test_damaged_bytes(data, tree, watch):
    path = data.draw(st.sampled_from(tree.files.all))
    with replaced(path, data.draw(damage(tree.content[path]))):
        reads_or_names(path, watch)


@given(data=st.data())
@reusing_fixtures
def test_headers_that_deceive(data, tree, watch):
    path = data.draw(st.sampled_from(tree.files.all))
    with replaced(path, data.draw(lies(tree.content[path]))):
        reads_or_names(path, watch)


@given(data=st.data())
@settings(reusing_fixtures, max_examples=reusing_fixtures.max_examples // 4)
def test_boxes_with_headers_that_deceive(data, tree, watch):
    path = data.draw(st.sampled_from(tree.files.all))
    with replaced(path, data.draw(lies(tree.content[path]))):
        is_sound_or_names(tree, watch)


def bad_values(column, values, draw):
    """Spoil some values of a column."""
    values = np.array(values)
    extremes = [0, -1, 1e9] if values.dtype.kind in "iu" else [np.nan, np.inf, -1e30, 3e38, 0.5]
    if values.dtype.kind in "iu":
        info = np.iinfo(values.dtype)
        extremes = [info.min, info.max, 0, 1 << 30, 0x7FFF7FFF7FFF & info.max]
    rows = draw(st.lists(st.integers(0, values.size - 1), min_size=1, max_size=3))
    for row in rows:
        values.flat[row] = draw(st.sampled_from(extremes))
    return values


@given(data=st.data())
@settings(reusing_fixtures, max_examples=reusing_fixtures.max_examples // 10)
def test_boxes_with_values_that_cannot_be(data, tree, abacus_tree, watch):
    """Values out of all ranges, columns of other lengths and types, in files that are sound."""
    path = data.draw(st.sampled_from(tree.files.all))
    column = column_of(path)
    if column == "N":
        column = data.draw(st.sampled_from(["N", "x_com", "v_com"]))
    values = bad_values(column, read_column(path, column), data.draw)
    change = data.draw(st.sampled_from([None, "shorter", "longer", "type", "order", "empty"]))
    if change == "shorter":
        values = values[:-1]
    elif change == "longer":
        values = np.concatenate([values, values])
    elif change == "type":
        kind = data.draw(st.sampled_from(["i1", "u8", "f8", "?"]))
        with np.errstate(all="ignore"):
            values = values.astype(kind)
    elif change == "order":
        values = values.astype(values.dtype.newbyteorder(">"))
    elif change == "empty":
        values = values[:0]
    with replaced(path, tree.content[path]):
        abacus_tree.edit(path, columns={column: values})
        is_sound_or_names(tree, watch)


def test_the_header_alone_can_be_edited(tree):
    """Otherwise all lies would be refused for another reason than they should be."""
    path = tree.files.ic_density
    expected = read_column(path, "density")
    for content in (edited(tree.content[path]), edited(tree.content[path], ("ppd", "other_ppd"))):
        with replaced(path, content):
            np.testing.assert_array_equal(read_column(path, "density"), expected)
            assert ("other_ppd" in read_header(path, "density")[0]) == (b"other" in content)


def test_numbers_in_the_other_order_of_bytes_are_read(tree, abacus_tree):
    path = tree.files.ic_density
    expected = read_column(path, "density")
    with replaced(path, tree.content[path]):
        abacus_tree.edit(path, columns={"density": expected.astype(">f4")})
        found = read_column(path, "density")
    assert found.dtype == np.float32 and found.dtype.isnative
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("source", ["'other.asdf'", "'http://127.0.0.1:9/x.asdf'", "[1, 2]"])
def test_a_column_in_another_place_is_refused(tree, watch, source):
    path = tree.files.ic_density
    (path.parent / "other.asdf").write_bytes(tree.content[path])
    content = edited(tree.content[path], (r"source: \d+", f"source: {source}"))
    with replaced(path, content), watch.nothing_touched():
        with pytest.raises(ValueError, match=rf"{path.name} does not hold its column density"):
            read_column(path, "density")
        with pytest.raises(ValueError, match=rf"{path.name} does not hold its column density"):
            read_header(path, "density")


@pytest.mark.parametrize("extra", ["strides: [0, 0, 0]", "mask: 0", "offset: 4"])
def test_a_column_that_shows_a_part_of_a_block_is_refused(tree, extra):
    path = tree.files.ic_density
    content = edited(tree.content[path], (r"source: \d+", f"source: 0\n    {extra}"))
    with replaced(path, content), pytest.raises(ValueError, match="as one block of its own"):
        read_column(path, "density")


def test_a_claim_of_more_than_the_file_can_hold_is_refused(tree):
    path = tree.files.ic_density
    content = edited(tree.content[path], (r"shape: \[.*\]", "shape: [10000, 10000, 10000]"))
    with replaced(path, content), pytest.raises(OSError, match=r"said to have 4000000000000 bytes"):
        read_header(path, "density")


@pytest.mark.parametrize("excess", [1, 1000, 200_000_000])
def test_a_piece_that_unpacks_to_more_than_its_block_is_refused(tree, excess):
    """The decoder of abacusutils writes past the end of its memory there."""
    path = tree.files.ic_density
    content = tree.content[path]
    size = read_column(path, "density").nbytes
    packed = blosc.compress(bytes(size + excess), typesize=4)
    piece = struct.pack("!I", len(packed)) + packed
    start = content.index(b"\xd3BLK")
    length = struct.unpack(">I4sQQQ", content[start + 6 : start + 38])[:2]
    header = struct.pack(">I4sQQQ", *length, len(piece), len(piece), size) + bytes(16)
    spoiled = content[: start + 6] + header + piece
    with replaced(path, spoiled), pytest.raises(OSError, match="more than its size"):
        read_column(path, "density")


def test_a_block_that_claims_to_be_endless_is_refused(tree):
    """Nothing but its size says so; asdf alone would read on at the end of the file for years."""
    path = tree.files.ic_density
    content = bytearray(tree.content[path])
    start = content.index(b"\xd3BLK") + 14
    content[start + 8 : start + 16] = struct.pack(">Q", 1 << 60)  # bytes used
    with replaced(path, bytes(content)), pytest.raises(OSError, match="ends within a block"):
        read_column(path, "density")


def test_a_header_of_aliases_of_aliases_is_refused(tree):
    path = tree.files.ic_density
    lines = ["  a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)]
    content = edited(tree.content[path], ("^header:.*$", "\n".join(["header:", *lines])))
    with replaced(path, content), pytest.raises(OSError, match="over 100000 values"):
        read_header(path, "density")


def test_a_file_with_a_huge_number_does_not_make_a_huge_list(tree):
    far = tree.files.halo_rv[0].with_name("halo_rv_A_999999999999.asdf")
    far.touch()
    try:
        with pytest.raises(FileNotFoundError, match=r"and 99999999997[0-9] more"):
            find_box(**tree.find)
    finally:
        far.unlink()
