"""HDF5 files that are no artefacts, or lead elsewhere: an error that names the file, no more."""

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from lagbias.artefacts import store
from lagbias.artefacts.store import ArtefactError, Dataset

pytestmark = [pytest.mark.timeout(6 * 3600), pytest.mark.usefixtures("bounded_memory")]
reusing_fixtures = settings(
    max_examples=settings().max_examples // 2,  # each is read in five ways
    suppress_health_check=list(HealthCheck),
    phases=set(Phase) - {Phase.explain},
)

SECRET = 7.25
SHAPES = [(), (0,), (8,), (2, 4), (1, 1, 1, 1), (10**12,), (2**31, 2**31)]
TYPES = ["f8", "f4", "f2", "i8", "u1", "c16", "?", "S4", ">f8", "M8[s]", "V4", "f8,i4"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with another artefact, and a file of bytes that nobody is to read."""
    root = tmp_path_factory.mktemp("store")
    write(root / "other.h5", np.full(8, SECRET))
    (root / "secret.bin").write_bytes(np.full(8, SECRET).tobytes())
    return root


def write(path, values):
    datasets = {"delta": Dataset(values, "1", ("x",)), "mean": Dataset(values[:2], "1", ("x",))}
    store.write(path, "example", datasets, attributes={"seed": 1})


def all_readings(path):
    """Return what each way to read gives, the reason where it is refused."""
    ways = {
        "all": lambda: store.read(path).arrays,
        "one": lambda: store.read(path, "example", ["delta"]).arrays,
        "rows": lambda: store.read(path, "example", ["delta"], rows=slice(1, 3)).arrays,
        "length": lambda: store.length(path, "example", "delta"),
        "identifier": lambda: store.identifier(path),
    }
    for name, way in ways.items():
        try:
            yield name, way(), ""
        except ArtefactError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            yield name, None, str(error)


def external_link(file, place):
    file["delta"] = h5py.ExternalLink("other.h5", "/delta")


def absolute_external_link(file, place):
    file["delta"] = h5py.ExternalLink(str(place / "other.h5"), "/delta")


def soft_link(file, place):
    file["delta"] = h5py.SoftLink("/mean")


def soft_link_to_itself(file, place):
    file["delta"] = h5py.SoftLink("/delta")


def soft_link_by_an_external_one(file, place):
    file["out"] = h5py.ExternalLink("other.h5", "/")
    file["delta"] = h5py.SoftLink("/out/delta")


def bytes_of_another_file(file, place):
    file.create_dataset("delta", (8,), "f8", external=[(str(place / "secret.bin"), 0, 64)])


def virtual(file, place):
    layout = h5py.VirtualLayout((8,), "f8")
    layout[:] = h5py.VirtualSource(str(place / "other.h5"), "delta", (8,))
    file.create_virtual_dataset("delta", layout)


def far_too_large(file, place):
    file.create_dataset("delta", (10**12,), "f8", chunks=(1000,))


def bomb(file, place):
    file.create_dataset("delta", data=np.zeros(10**7), compression="gzip", compression_opts=9)


def text_of_any_length(file, place):
    file.create_dataset("delta", data=["a", "b"], dtype=h5py.string_dtype())


def references(file, place):
    file.create_dataset("delta", (2,), h5py.ref_dtype)


def group(file, place):
    file.create_group("delta")


def named_type(file, place):
    file["delta"] = np.dtype("f8")


def nothing(file, place):
    file["delta"] = h5py.Empty("f8")


def table(file, place):
    file["delta"] = np.zeros(3, [("a", "f8")])


ATTACKS = [
    external_link, absolute_external_link, soft_link_to_itself, soft_link_by_an_external_one,
    bytes_of_another_file, virtual, far_too_large, bomb, text_of_any_length, references, group,
    named_type, nothing, table,
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_no_array_of_the_file_itself_is_refused(place, attack):
    path = place / f"{attack.__name__}.h5"
    write(path, np.ones(8))
    with h5py.File(path, "a") as file:
        del file["delta"]
        attack(file, place)
    for way, _, why in all_readings(path):
        assert why or way == "identifier"


@pytest.mark.parametrize("name", ["format", "schema", "kind", "provenance"])
@pytest.mark.parametrize("value", ["", "x", 7, np.arange(3), h5py.Empty("f8"), b"\xff", np.nan])
def test_attributes_of_another_type_are_refused(place, name, value):
    path = place / "attributes.h5"
    write(path, np.ones(8))
    with h5py.File(path, "a") as file:
        file.attrs[name] = value
    for way, _, why in all_readings(path):
        # without a text that may be one, only what is not asked for may be wrong
        assert why or (name == "provenance" and not len(str(value))) or way in ("all", "identifier")


@st.composite
def structures(draw):
    """Return what to do to a file: a list of functions of the file."""
    deeds = []
    for _ in range(draw(st.integers(1, 4))):
        name = draw(st.sampled_from(["delta", "mean", "more", "a/b", "…", "x" * 300]))
        kind = draw(st.sampled_from(["array", "array", "attack", "attribute", "remove", "values"]))
        if kind == "array":
            shape, dtype = draw(st.sampled_from(SHAPES)), draw(st.sampled_from(TYPES))
            chunks = draw(st.booleans()) if shape and all(shape) else False
            deeds.append(("array", name, shape, dtype, chunks))
        elif kind == "attack":
            deeds.append(("attack", draw(st.sampled_from(ATTACKS))))
        elif kind == "attribute":
            key = draw(st.sampled_from(["kind", "schema", "format", "provenance", "seed", "new"]))
            values = ["", "example", "{}", "[]", 1, 2, 1.5, [1, 2], [], b"a", np.nan, 10**18]
            deeds.append(
                (kind, draw(st.sampled_from(["/", name])), key, draw(st.sampled_from(values)))
            )
        else:
            deeds.append((kind, name))
    return deeds


def apply(file, place, deed, name, *arguments) -> None:
    """Do one thing to a file."""
    if deed == "attack":
        file.pop("delta", None)
        file.pop("out", None)
        name(file, place)
    elif deed == "attribute":
        if name in file:
            file[name].attrs[arguments[0]] = arguments[1]
    elif deed == "remove":
        file.pop(name, None)
    elif deed == "values" and isinstance(file.get(name), h5py.Dataset):
        if file[name].size and file[name].size < 100 and file[name].dtype.kind == "f":
            file[name][...] = np.nan
    elif deed == "array":
        shape, dtype, chunks = arguments
        file.pop(name, None)
        file.create_dataset(name, shape, dtype, chunks=chunks or None)


@given(deeds=structures())
@reusing_fixtures
def test_any_structure_is_read_or_refused(deeds, place):
    path = place / "structure.h5"
    write(path, np.ones(8))
    with h5py.File(path, "a") as file:
        for deed in deeds:
            try:
                apply(file, place, *deed)
            except (ValueError, TypeError, KeyError, OSError, RuntimeError):
                event("HDF5 has no such thing")
    for _, found, _ in all_readings(path):
        event("refused" if found is None else "read")
        for values in found.values() if isinstance(found, dict) else ():
            assert type(values) is np.ndarray and not values.dtype.hasobject
            assert values.nbytes <= path.stat().st_size
            assert not (values.dtype.kind == "f" and (values == SECRET).any())


@given(data=st.data())
@reusing_fixtures
def test_any_bytes_are_read_or_refused(data, place):
    path = place / "bytes.h5"
    write(path, np.ones(8))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        piece = data.draw(st.binary(min_size=1, max_size=8) | st.sampled_from([b"\xff" * 8]))
        content[at : at + len(piece)] = piece
    path.write_bytes(bytes(content))
    for _, found, _ in all_readings(path):
        event("refused" if found is None else "read")
