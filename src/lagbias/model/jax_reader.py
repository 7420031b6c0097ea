# SPDX-License-Identifier: GPL-3.0-or-later OR MIT
"""Read f from a portable model file in JAX; needs jax, numpy and safetensors, and not lagbias.

Copy this file into another code, or call it here:

>>> f = load_f("model.safetensors")  # doctest: +SKIP
>>> weights = jax.jit(f)(features)  # doctest: +SKIP
"""

import json
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
from safetensors import safe_open

__all__ = ["load_f"]


def load_f(path: str | Path) -> Callable[[jax.Array], jax.Array]:
    """Read a model as a pure function from features to f.

    Without ``jax_enable_x64`` it computes in float32, the linear map to the inputs of the networks
    included. The largest relative error of f was then 8e-7 for the networks of lagbias' smallest
    run and the paper's smoothing radii (entries of the map up to 23), but 8e-5 for radii 2.5 %
    apart (entries up to 1200), where rounding the features to float32 costs 7e-5 already. With
    ``jax_enable_x64`` it computes in float64 and agrees with PyTorch in float64 to 1e-13.

    Parameters
    ----------
    path : str or Path
        A file that `lagbias.model.model.Model.save` has written.

    Returns
    -------
    callable
        From normalised features, shape (..., 3n), to f, shape (...,), both dimensionless; may be
        compiled, mapped and differentiated.

    Raises
    ------
    ValueError
        If the file is not a lagbias model of format 1.
    """
    with safe_open(path, framework="numpy") as file:
        header = json.loads((file.metadata() or {}).get("lagbias", "{}"))
        if header.get("format") != 1:
            raise ValueError(
                f"{path} is not a lagbias model of format 1 (it has {header.get('format')}). Use "
                "a matching version of this reader."
            )
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    depth = sum(name.startswith("networks.0.") for name in tensors) // 2

    def f(features: jax.Array) -> jax.Array:
        with jax.default_matmul_precision("highest"):  # GPUs and TPUs would round to fewer bits
            inputs = jnp.asarray(features) @ tensors["input_matrix"].T
            total = jnp.asarray(0.0)
            for index, normalisation in enumerate(tensors["normalisation"]):
                values = inputs
                for layer in range(depth):
                    name = f"networks.{index}.layers.{layer}."
                    values = values @ tensors[name + "weight"].T + tensors[name + "bias"]
                    if layer < depth - 1:
                        values = jax.nn.gelu(values, approximate=False)
                total += 10.0 ** values[..., 0] / normalisation
        return total / len(tensors["normalisation"])

    return f
