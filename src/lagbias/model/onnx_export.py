"""A model as an ONNX graph, for inference in C, C++, Julia and whatever else runs ONNX.

The graph takes normalised features, as `lagbias.model.model.Model.features` returns them, and does
what `lagbias.model.model.Model.f` does: the linear map to the inputs of the networks in float64,
everything else in float32. Weights, biases and the input matrix are initialisers with the names and
shapes of `lagbias.model.portable`; the metadata's entry ``lagbias`` is the same JSON text.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lagbias import __version__
from lagbias.model import portable
from lagbias.model.model import Model
from lagbias.runtime.atomic import replacing
from lagbias.training.network import Network

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

__all__ = ["IR_VERSION", "OPSET", "write"]

#: The first operator set with Gelu, and the format of files of its time: onnxruntime 1.17 and later
#: read them.
OPSET, IR_VERSION = 20, 9


def write(path: str | Path, model: Model) -> None:
    """Write a model as an ONNX graph; equal models give equal files.

    Its input is ``features``, float32, shape (P, 3n). Its outputs are ``f``, float32, shape (P,),
    the mean over the networks, and ``f_of_networks``, float32, shape (number of networks, P). All
    are dimensionless.

    Parameters
    ----------
    path : str or Path
        The file, which should end in ``.onnx``; it is replaced atomically.
    model : Model

    Raises
    ------
    ImportError
        If the package onnx is not installed.
    lagbias.runtime.atomic.ArtefactError
        If the file cannot be written.
    """
    proto = _model_proto(model)
    with replacing(path) as temporary:
        temporary.write_bytes(proto.SerializeToString(deterministic=True))


def _model_proto(model: Model) -> "ModelProto":
    """Return the file's content."""
    try:
        from onnx import helper
    except ImportError as error:
        raise ImportError(
            "The package onnx is missing, without which no ONNX file can be written. Install it "
            "with `pip install lagbias[onnx]`."
        ) from error
    proto = helper.make_model(
        _graph(model),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="lagbias",
        producer_version=__version__,
        doc_string="Halo-to-mass weight f of particles from features of the linear density.",
    )
    radii = [float(radius) for radius in model.smoothing_radii]
    helper.set_model_props(
        proto,
        {portable.KEY: portable.header_of(model), "smoothing_radii [Mpc/h]": json.dumps(radii)},
    )
    return proto


def _graph(model: Model) -> "GraphProto":
    """Return the graph from features to f."""
    from onnx import TensorProto, helper, numpy_helper

    count = len(model.networks)
    scales = np.array([[network.normalisation] for network in model.networks], np.float32)
    constants: dict[str, np.ndarray] = {
        "input_matrix": np.asarray(model.input_matrix, np.float64),
        "ten": np.array(10, np.float32),
        "normalisation": scales,
        "axis_of_networks": np.array([0], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["features"], ["features_float64"], to=TensorProto.DOUBLE),
        helper.make_node(
            "Gemm", ["features_float64", "input_matrix"], ["inputs_float64"], transB=1
        ),
        helper.make_node("Cast", ["inputs_float64"], ["inputs"], to=TensorProto.FLOAT),
    ]
    for index, network in enumerate(model.networks):
        prefix = f"networks.{index}."
        constants |= {
            prefix + name: np.asarray(values, np.float32)
            for name, values in sorted(network.weights.items())
        }
        nodes += _layers(prefix, network)
    nodes += [
        helper.make_node("Concat", [f"networks.{i}.y" for i in range(count)], ["columns"], axis=1),
        helper.make_node("Transpose", ["columns"], ["y"]),
        helper.make_node("Pow", ["ten", "y"], ["ten_to_y"]),
        helper.make_node("Div", ["ten_to_y", "normalisation"], ["f_of_networks"]),
        helper.make_node("ReduceMean", ["f_of_networks", "axis_of_networks"], ["f"], keepdims=0),
    ]
    described = helper.make_tensor_value_info
    features = described(
        "features",
        TensorProto.FLOAT,
        ["particles", 3 * model.n_radii],
        f"Normalised features of particles, dimensionless: {', '.join(model.feature_names)}.",
    )
    f = described(
        "f",
        TensorProto.FLOAT,
        ["particles"],
        "Halo-to-mass weight, dimensionless: the mean over the networks.",
    )
    each = described(
        "f_of_networks",
        TensorProto.FLOAT,
        [count, "particles"],
        "Halo-to-mass weight by each network, dimensionless.",
    )
    initialisers = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    return helper.make_graph(nodes, "lagbias", [features], [f, each], initialisers)


def _layers(prefix: str, network: Network) -> list["NodeProto"]:
    """Return the nodes of one network, from ``inputs`` to its y, shape (P, 1)."""
    from onnx import helper

    nodes, values, count = [], "inputs", len(network.weights) // 2
    for layer in range(count):
        names = [f"{prefix}layers.{layer}.{kind}" for kind in ("weight", "bias")]
        linear = f"{prefix}y" if layer == count - 1 else f"{prefix}linear.{layer}"
        nodes.append(helper.make_node("Gemm", [values, *names], [linear], transB=1))
        if layer < count - 1:
            values = f"{prefix}hidden.{layer}"
            nodes.append(helper.make_node("Gelu", [linear], [values]))  # the exact one, with erf
    return nodes
