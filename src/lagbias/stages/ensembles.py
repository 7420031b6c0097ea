"""Reading of trained ensembles and of the maps to their inputs."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from lagbias.artefacts import store
from lagbias.bias.components import GradientPCA
from lagbias.bias.ensemble import Ensemble
from lagbias.features.inputs import input_matrix
from lagbias.features.whitening import Whitening, apply_map
from lagbias.runtime.device import choose_device
from lagbias.stages.particle_features import load_features
from lagbias.training.network import Network

__all__ = ["load_ensemble", "load_input_matrix", "load_inputs_of"]


def load_input_matrix(
    inputs: str,
    whitening: str | Path,
    components: str | Path | None = None,
    eigenvalue_cut: float | None = None,
) -> np.ndarray:
    """Read a map from features to inputs (see `lagbias.features.inputs.input_matrix`)."""
    matrix = store.read(components, GradientPCA).matrix if components else None
    return input_matrix(inputs, store.read(whitening, Whitening), matrix, eigenvalue_cut)


def load_inputs_of(
    features: Sequence[str | Path], matrix: np.ndarray
) -> Callable[[slice | np.ndarray], np.ndarray]:
    """Return a function that reads a network's inputs (P, n_inputs) of particles.

    It takes their rows, as `lagbias.stages.particle_features.load_features` does.
    """
    return lambda rows: apply_map(load_features(features, rows), matrix)


def load_ensemble(paths: Sequence[str | Path], *, device: str = "auto") -> tuple[Ensemble, list]:
    """Read the networks of an ensemble and their seeds."""
    networks = [store.read(path, Network) for path in paths]
    ensemble = Ensemble(networks, device=choose_device(device))
    return ensemble, [network.seed for network in networks]
