"""One portable file for a model: tensors in safetensors, everything else as JSON in its header.

Tensors
-------
networks.<i>.layers.<j>.weight, networks.<i>.layers.<j>.bias : float32
    Layer j of network i, (fan out, fan in) and (fan out,).
normalisation : float64, (number of networks,)
    f of network i is 10^y / normalisation[i].
input_matrix : float64, (d, 3n)
    From normalised features to the inputs of the networks.
smoothing_radii : float64, (n,)
    R_f [Mpc/h].
transfer.k : float64, (b,); transfer.average, (2, b); transfer.networks, (number of networks, 2, b)
    Transfer functions at the wavenumbers k [h/Mpc], if there are any.

The header's entry ``lagbias`` is JSON with the format's version, the definitions a reader in
another language needs, the seeds, and `lagbias.model.model.Model.about`.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from lagbias.bias.second_order_transfer import SecondOrderTransfer
from lagbias.grids.second_order import SQUARE_RADIUS
from lagbias.model.model import Model
from lagbias.runtime.atomic import ArtefactError, replacing
from lagbias.runtime.messages import first_line
from lagbias.schema.fields import not_finite
from lagbias.training.network import Network

__all__ = ["FORMAT", "KEY", "SUFFIX", "header_of", "read", "write"]

#: Version of the format; raised when older readers can no longer read new files.
FORMAT = 1
SUFFIX = ".safetensors"
#: Entry of the header that `header_of` fills.
KEY = "lagbias"
_TRANSFER = "transfer."
_DEFINITIONS = {
    "features": "Columns [delta, laplacian, G2] of each smoothing radius in turn, from a linear "
    "density contrast smoothed with exp(-k^2 R_f^2 / 2): delta; -k^2 delta; the sum over all nine "
    "components of [(k_i k_j / k^2 - delta_ij / 3) delta]^2, its mean removed. Each is divided by "
    "its standard deviation over the grid.",
    "inputs": "input_matrix @ features, in float64, then rounded to float32",
    "network": "layers of x -> weight @ x + bias with the exact GELU x Phi(x) after all but the "
    "last, whose output is y",
    "f": "mean over networks of 10^y / normalisation; the weight of a particle in the "
    "mass-weighted halo field, 1 + delta_h = sum of f / its mean",
    "transfer": "T_1(k) delta_h + T_2(k) delta_2, interpolated linearly in k, constant beyond the "
    "first and last; delta_2: delta_h smoothed with exp(-k^2 R^2 / 2), R = "
    f"{SQUARE_RADIUS:g} Mpc/h, squared, its mean removed. Rows of the tensors: T_1, T_2",
    "units": "smoothing_radii in Mpc/h, all else dimensionless",
}


def write(path: str | Path, model: Model) -> None:
    """Write a model; equal models give equal files.

    Parameters
    ----------
    path : str or Path
        The file; it is replaced atomically.
    model : Model

    Raises
    ------
    lagbias.runtime.atomic.ArtefactError
        If the file cannot be written.
    """
    tensors = {
        "input_matrix": np.ascontiguousarray(model.input_matrix, np.float64),
        "smoothing_radii": np.ascontiguousarray(model.smoothing_radii, np.float64),
        "normalisation": np.array([n.normalisation for n in model.networks], np.float64),
    }
    if model.transfer is not None:
        for each in fields(model.transfer):
            values = getattr(model.transfer, each.name)
            tensors[f"{_TRANSFER}{each.name}"] = np.ascontiguousarray(values, np.float64)
    for index, network in enumerate(model.networks):
        for name, values in network.weights.items():
            tensors[f"networks.{index}.{name}"] = np.ascontiguousarray(values, np.float32)
    content = save(tensors, metadata={KEY: header_of(model)})
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def header_of(model: Model) -> str:
    """Return as JSON text what a file says of a model besides its tensors.

    Parameters
    ----------
    model : Model

    Returns
    -------
    str
        An object with the keys format, definitions, feature_names, seeds and about.
    """
    header = {
        "format": FORMAT,
        "definitions": _DEFINITIONS,
        "feature_names": model.feature_names,
        "seeds": [network.seed for network in model.networks],
        "about": dict(model.about),
    }
    return json.dumps(header, sort_keys=True, ensure_ascii=False)


def read(path: str | Path) -> Model:
    """Read a model.

    Parameters
    ----------
    path : str or Path
        A file that `write` has made.

    Returns
    -------
    Model
        Equal bit for bit to the one that was written, but for the histories of the trainings.

    Raises
    ------
    lagbias.runtime.atomic.ArtefactError
        If the file is absent, damaged or something else.
    """
    path = Path(path)
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get(KEY, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except FileNotFoundError:
        raise ArtefactError(f"{path} does not exist. Correct the path of the model.") from None
    except (OSError, SafetensorError, ValueError) as error:
        raise ArtefactError(
            f"{path} is truncated, damaged or not a safetensors file ({first_line(error)}). Copy "
            "or fetch it again."
        ) from error
    if not isinstance(header, Mapping) or header.get("format") != FORMAT:
        found = header.get("format") if isinstance(header, Mapping) else "no format"
        raise ArtefactError(
            f"{path} is not a lagbias model of format {FORMAT} (it has {found}). Use a matching "
            "version of lagbias."
        )
    try:
        return _assemble(tensors, header)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ArtefactError(
            f"{path} does not hold a valid model ({_reason(error)}). Copy or fetch it again."
        ) from error


def _assemble(tensors: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> Model:
    """Make a model of tensors and header."""
    for name, values in tensors.items():
        if problem := not_finite(values):
            raise ValueError(f"{name}: {problem}")
    networks = []
    for index, (seed, scale) in enumerate(
        zip(header["seeds"], tensors["normalisation"], strict=True)
    ):
        prefix = f"networks.{index}."
        weights = {
            name.removeprefix(prefix): values
            for name, values in tensors.items()
            if name.startswith(prefix)
        }
        networks.append(Network(weights=weights, normalisation=float(scale), seed=int(seed)))
    transfer = {
        name.removeprefix(_TRANSFER): values
        for name, values in tensors.items()
        if name.startswith(_TRANSFER)
    }
    return Model(
        tuple(networks),
        tensors["input_matrix"],
        tensors["smoothing_radii"],
        header["about"],
        SecondOrderTransfer(**transfer) if transfer else None,
    )


def _reason(error: Exception) -> str:
    """Return an error's message for use in parentheses."""
    return f"{first_line(error)} is missing" if isinstance(error, KeyError) else first_line(error)
