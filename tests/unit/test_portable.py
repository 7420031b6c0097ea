"""Files of models: what is read equals what was written, in lagbias, ONNX and JAX."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save
from scipy.special import gamma

from lagbias.bias.second_order_transfer import SecondOrderTransfer
from lagbias.features.whitening import apply_map, decompose
from lagbias.model import portable
from lagbias.model.model import Model
from lagbias.runtime.atomic import ArtefactError
from lagbias.training.network import Network
from lagbias.training.torch_network import HaloToMassNet

#: Smoothing radii so near each other that the entries of the input matrix span four decades.
RADII = np.array([2.0, 2.05, 2.1])
ABOUT = {"name": "toy", "note": "ΛCDM, Muñoz", "halos": {"min_mass": 3.2e11}, "boxes": [0, 1]}
#: Networks in float32 against each other or float64: a dozen roundings of 6e-8 in y, times ln 10.
SINGLE = 5e-6  # measured: 2e-6
#: Rounding of the inputs to float32, which lagbias does, times the slope of ln f, about one.
ROUNDED_INPUTS = 1e-6  # measured: 7e-8
#: float64 in another order.
DOUBLE = 1e-12  # measured: 2e-15
#: float32 throughout: inputs are sums of terms up to 1e3, each with a rounding of 6e-8, times the
#: slope of ln f.
SINGLE_INPUTS = 2e-4  # measured: 8e-5
#: Gradients in float32, relative to the largest.
GRADIENT = 5e-6  # measured: 5e-7

#: Uses the reader as another code would: copied, without lagbias. It has a process of its own
#: because JAX makes every later fork of its process warn.
IN_JAX = """
import sys
import jax
import numpy as np
from jax_reader import load_f

f, theta = load_f("model.safetensors"), np.load("features.npy")
np.savez(
    "results.npz",
    plain=f(theta),
    compiled=jax.jit(f)(theta),
    mapped=jax.vmap(f)(theta),
    one=f(theta[0]),
    gradient=jax.jit(jax.vmap(jax.grad(f)))(theta),
    lagbias=[name for name in sys.modules if name.startswith("lagbias")],
)
"""


def feature_covariance():
    """Covariance of the features of a Gaussian field with power k^-1.5; G2's is a stand-in."""
    squared = (RADII[:, None] ** 2 + RADII**2) / 2
    moments = [gamma(0.75 + j) * squared ** -(0.75 + j) for j in range(3)]
    covariance = np.zeros((9, 9))
    covariance[0::3, 0::3], covariance[1::3, 1::3] = moments[0], moments[2]
    covariance[0::3, 1::3] = covariance[1::3, 0::3] = -moments[1]
    covariance[2::3, 2::3] = moments[0] ** 2
    scale = 1 / np.sqrt(np.diag(covariance))
    return scale[:, None] * covariance * scale


def network(seed, normalisation, n_inputs=7, hidden_layers=5, width=64):
    generator = torch.Generator().manual_seed(seed)
    weights = HaloToMassNet(n_inputs, hidden_layers, width, generator=generator).to_weights()
    steeper = {name: np.float32(2) * values for name, values in weights.items()}
    return Network(weights=steeper, history={}, normalisation=normalisation, seed=seed)


@pytest.fixture(scope="module")
def model():
    networks = tuple(network(seed, scale) for seed, scale in [(3, 1.3), (1, 1 / 3), (2, 0.9)])
    return Model(networks, decompose(feature_covariance(), RADII).matrix, RADII, ABOUT)


@pytest.fixture(scope="module")
def features():
    rng = np.random.default_rng(0)
    drawn = rng.multivariate_normal(np.zeros(9), feature_covariance(), 1000, method="eigh")
    return drawn.astype(np.float32)


@pytest.fixture(scope="module")
def content(model, tmp_path_factory):
    """The bytes of the model's file."""
    path = tmp_path_factory.mktemp("content") / "model.safetensors"
    model.save(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def session(model, tmp_path_factory):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    model.to_onnx(path)
    return runtime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def in_jax(content, features, repository, tmp_path_factory):
    """Return a function that runs `IN_JAX` beside copies of the reader and of a model's file."""
    if not find_spec("jax"):
        pytest.skip("JAX is not installed")
    directory = tmp_path_factory.mktemp("jax")
    shutil.copy(repository / "src/lagbias/model/jax_reader.py", directory)
    np.save(directory / "features.npy", features)

    def run(x64, content=content):
        (directory / "model.safetensors").write_bytes(content)
        subprocess.run(
            [sys.executable, "-W", "error", "-c", IN_JAX],
            cwd=directory,
            env={**os.environ, "JAX_ENABLE_X64": str(x64), "JAX_PLATFORMS": "cpu"},
            check=True,
            capture_output=True,
            text=True,
        )
        return dict(np.load(directory / "results.npz"))

    return run


@pytest.fixture(scope="module")
def jax_single(in_jax):
    return in_jax(x64=0)


@pytest.fixture(scope="module")
def jax_double(in_jax):
    return in_jax(x64=1)


def f_in_double(model, features, rounding=np.float64):
    """F by PyTorch in float64, its inputs rounded as told."""
    inputs = features.astype(np.float64) @ model.input_matrix.T
    inputs = torch.from_numpy(inputs.astype(rounding).astype(np.float64))
    with torch.no_grad():
        each = [
            10 ** HaloToMassNet.from_weights(one.weights).double()(inputs) / one.normalisation
            for one in model.networks
        ]
    return torch.stack(each).mean(dim=0).numpy()


def save_as(path, content):
    path.write_bytes(content)
    return path


def assert_same(one, other):
    """Models are equal bit for bit, but for the histories of the trainings."""
    np.testing.assert_array_equal(one.input_matrix, other.input_matrix, strict=True)
    np.testing.assert_array_equal(one.smoothing_radii, other.smoothing_radii, strict=True)
    assert one.about == other.about
    for a, b in zip(one.networks, other.networks, strict=True):
        assert (a.seed, a.normalisation) == (b.seed, b.normalisation)
        assert a.weights.keys() == b.weights.keys()
        for name, values in a.weights.items():
            np.testing.assert_array_equal(values, b.weights[name], strict=True)


def test_toys_are_demanding(model, features):
    entries = np.abs(model.input_matrix[model.input_matrix != 0])
    assert entries.max() > 5e3 * entries.min()
    f = f_in_double(model, features)
    assert f.max() > 4 * f.min()
    single = (features @ model.input_matrix.T.astype(np.float32)).astype(np.float32)
    # the tolerances tell a map in float64 from one in float32
    assert np.abs(model._ensemble.evaluate(single).mean(axis=0) / f - 1).max() > 5 * SINGLE


def test_models_are_read_as_written_bit_for_bit(model, features, tmp_path):
    model.save(tmp_path / "new" / "model.safetensors")
    read = portable.read(tmp_path / "new" / "model.safetensors")
    assert_same(read, model)
    np.testing.assert_array_equal(read.f(features), model.f(features), strict=True)


def test_transfer_functions_are_read_as_written(model, tmp_path):
    count, generator = len(model.networks), np.random.default_rng(0)
    shapes = {"k": (9,), "average": (2, 9), "networks": (count, 2, 9)}
    transfer = SecondOrderTransfer(**{name: generator.random(n) for name, n in shapes.items()})
    replace(model, transfer=transfer).save(tmp_path / "model.safetensors")
    read = portable.read(tmp_path / "model.safetensors")
    assert_same(read, model)
    for name in shapes:
        np.testing.assert_array_equal(getattr(read.transfer, name), getattr(transfer, name))


def test_networks_keep_their_order_beyond_ten(tmp_path):
    networks = tuple(network(seed, 1 + seed, 2, 1, 3) for seed in range(12))
    many = Model(networks, np.eye(2, 3), RADII[:1])
    many.save(tmp_path / "many.safetensors")
    assert_same(portable.read(tmp_path / "many.safetensors"), many)


def test_equal_models_give_equal_files(model, content, tmp_path):
    path = tmp_path / "model.safetensors"
    reordered = replace(model, about=dict(reversed(ABOUT.items())))
    for equal in (model, reordered, portable.read(save_as(path, content))):
        equal.save(path)
        assert path.read_bytes() == content
    replace(model, about={**ABOUT, "name": "other"}).save(path)
    assert path.read_bytes() != content


def test_headers_say_what_tensors_are(content):
    length = int.from_bytes(content[:8], "little")
    entries = json.loads(content[8 : 8 + length])
    header = json.loads(entries.pop("__metadata__")["lagbias"])
    assert header["format"] == portable.FORMAT
    assert header["seeds"] == [3, 1, 2] and header["about"] == ABOUT
    assert header["feature_names"][1] == "laplacian(R_f=2 Mpc/h)"
    assert {"features", "inputs", "network", "f", "transfer", "units"} == set(header["definitions"])
    assert entries["input_matrix"]["dtype"] == "F64" and entries["input_matrix"]["shape"] == [7, 9]
    assert entries["networks.2.layers.0.weight"]["shape"] == [64, 7]


@pytest.mark.parametrize("length", [0, 7, 100, 5000, -1])
def test_truncated_files_are_named(content, tmp_path, length):
    path = save_as(tmp_path / "cut.safetensors", content[:length])
    with pytest.raises(ArtefactError, match=r"cut\.safetensors is truncated.*Copy or fetch"):
        portable.read(path)


@pytest.mark.parametrize("content", [b"\x89HDF\r\n\x1a\n" * 9, b"f = 1\n", b"\xff" * 64])
def test_other_kinds_of_files_are_named(content, tmp_path):
    path = save_as(tmp_path / "other.safetensors", content)
    with pytest.raises(ArtefactError, match=r"other\.safetensors is .*not a safetensors file"):
        portable.read(path)


def test_absent_files_and_directories_are_named(tmp_path):
    with pytest.raises(ArtefactError, match=r"none\.safetensors does not exist\. Correct"):
        portable.read(tmp_path / "none.safetensors")
    with pytest.raises(ArtefactError, match=str(tmp_path)):
        portable.read(tmp_path)


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        (None, "no format"),
        ({"lagbias": "[1]"}, "no format"),
        ({"lagbias": "{}"}, "None"),
        ({"lagbias": '{"format": 2}'}, "2"),
    ],
)
def test_files_of_other_codes_and_formats_are_named(content, tmp_path, metadata, found):
    path = save_as(tmp_path / "m.safetensors", save(load(content), metadata))
    with pytest.raises(ArtefactError, match=rf"m\.safetensors is not .*\(it has {found}\)\. Use"):
        portable.read(path)


def without(tensors, name):
    del tensors[name]


def shortened(tensors, name):
    tensors[name] = tensors[name][:-1].copy()


def not_finite(tensors, name):
    tensors[name][-1] = np.nan


@pytest.mark.parametrize("change", [without, shortened, not_finite])
@pytest.mark.parametrize(
    "name",
    [
        "input_matrix",
        "smoothing_radii",
        "normalisation",
        "networks.0.layers.0.weight",
        "networks.1.layers.5.bias",
        "networks.2.layers.3.weight",
    ],
)
def test_damaged_models_are_named(model, content, tmp_path, change, name):
    tensors = load(content)
    change(tensors, name)
    metadata = {portable.KEY: portable.header_of(model)}
    path = save_as(tmp_path / "m.safetensors", save(tensors, metadata))
    with pytest.raises(ArtefactError, match=r"m\.safetensors does not hold a valid model \(.*Copy"):
        portable.read(path)


def test_failed_writes_are_named_and_leave_nothing(model, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ArtefactError, match=r"m\.safetensors could not be written"):
        model.save(tmp_path / "file" / "m.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_onnx_gives_the_same_f(model, features, session):
    assert [(i.name, i.type, i.shape) for i in session.get_inputs()] == [
        ("features", "tensor(float)", ["particles", 9])
    ]
    f, each = session.run(["f", "f_of_networks"], {"features": features})
    assert f.dtype == each.dtype == np.float32
    assert f.shape == (1000,) and each.shape == (3, 1000)
    np.testing.assert_allclose(each, model.f(features, each=True), rtol=SINGLE)
    np.testing.assert_allclose(f, model.f(features), rtol=SINGLE)
    np.testing.assert_allclose(f, f_in_double(model, features), rtol=SINGLE)


@pytest.mark.parametrize("count", [0, 1])
def test_onnx_takes_any_number_of_particles(features, session, count):
    (f,) = session.run(["f"], {"features": features[:count]})
    assert f.shape == (count,)


def test_onnx_has_the_metadata_and_tensors_of_the_file(model, content, session, tmp_path):
    onnx = pytest.importorskip("onnx")
    model.to_onnx(tmp_path / "model.onnx")
    onnx.checker.check_model(tmp_path / "model.onnx", full_check=True)
    found = session.get_modelmeta().custom_metadata_map
    assert found[portable.KEY] == portable.header_of(model)
    assert json.loads(found["smoothing_radii [Mpc/h]"]) == RADII.tolist()
    graph = onnx.load(tmp_path / "model.onnx").graph
    assert all("dimensionless" in value.doc_string for value in [*graph.input, *graph.output])
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    for name, values in load(content).items():
        if name not in ("smoothing_radii", "normalisation"):
            np.testing.assert_array_equal(constants[name], values, strict=True)


def test_equal_models_give_equal_onnx_files(model, content, tmp_path):
    pytest.importorskip("onnx")
    read = portable.read(save_as(tmp_path / "model.safetensors", content))
    for name, one in {"a": model, "b": read}.items():
        one.to_onnx(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_missing_onnx_is_named(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"onnx is missing.*pip install lagbias\[onnx\]"):
        model.to_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_jax_gives_the_same_f_in_double(model, features, jax_double):
    found = jax_double["plain"]
    assert found.dtype == np.float64 and found.shape == (1000,)
    np.testing.assert_allclose(found, f_in_double(model, features), rtol=DOUBLE)
    rounded = f_in_double(model, features, rounding=np.float32)
    np.testing.assert_allclose(found, rounded, rtol=ROUNDED_INPUTS)
    np.testing.assert_allclose(found, model.f(features), rtol=SINGLE)


def test_jax_gives_nearly_the_same_f_in_single(model, features, jax_single):
    assert jax_single["plain"].dtype == np.float32
    np.testing.assert_allclose(
        jax_single["plain"], f_in_double(model, features), rtol=SINGLE_INPUTS
    )


@pytest.mark.parametrize(
    ("results", "rtol"), [("jax_single", SINGLE_INPUTS), ("jax_double", DOUBLE)]
)
def test_jax_compiles_and_maps(results, rtol, request):
    found = request.getfixturevalue(results)
    for way in ("compiled", "mapped"):
        np.testing.assert_allclose(found[way], found["plain"], rtol=rtol)
    assert found["one"].shape == ()
    np.testing.assert_allclose(found["one"], found["plain"][0], rtol=rtol)


@pytest.mark.parametrize(
    ("results", "tolerance"), [("jax_single", SINGLE_INPUTS), ("jax_double", GRADIENT)]
)
def test_jax_gives_the_same_gradient(model, features, results, tolerance, request):
    found = request.getfixturevalue(results)["gradient"]
    inputs = apply_map(features, model.input_matrix)
    _, gradient = model._ensemble.average_f_and_gradient(inputs)
    expected = gradient @ model.input_matrix
    assert found.shape == features.shape and np.isfinite(found).all()
    assert np.abs(found - expected).max() < tolerance * np.abs(expected).max()


def test_the_reader_in_jax_stands_alone(jax_single):
    assert not jax_single["lagbias"].size


@pytest.mark.parametrize("metadata", [None, {"lagbias": '{"format": 2}'}])
def test_the_reader_in_jax_names_files_of_other_formats(in_jax, content, metadata):
    with pytest.raises(subprocess.CalledProcessError) as caught:
        in_jax(x64=0, content=save(load(content), metadata))
    assert "model.safetensors is not a lagbias model of format 1" in caught.value.stderr
