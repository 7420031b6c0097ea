"""f of the first two components of ∇f over the particles of the training box."""

from collections.abc import Mapping

import numpy as np

from lagbias.artefacts import store
from lagbias.bias import surface
from lagbias.bias.components import GradientPCA
from lagbias.bias.surface import Surface
from lagbias.features.whitening import apply_map
from lagbias.stages.ensembles import load_ensemble, load_input_matrix
from lagbias.stages.particle_features import STRIDE, count_particles, load_features

__all__ = ["fit_surface"]

_CHUNK = 1 << 20  # particles held at a time, with all their features


def fit_surface(paths: Mapping, *, device: str, threads: int) -> Surface:
    """Tabulate and fit the average f of networks on two components, at every third particle.

    `paths`: ``networks``, ``components``, ``whitening`` and ``features``.
    """
    ensemble, _ = load_ensemble(paths["networks"], device=device)
    matrix = load_input_matrix("pc2", paths["whitening"], paths["components"])
    rows = np.arange(0, count_particles(paths["features"]), STRIDE)
    components = np.empty((len(rows), len(matrix)), np.float32)
    f = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        components[part] = apply_map(load_features(paths["features"], rows[part]), matrix)
        f[part] = ensemble.evaluate(components[part], threads=threads).mean(axis=0)
    radii = store.read_array(paths["components"], GradientPCA, "smoothing_radii")
    return surface.fit(components, f, matrix=matrix, smoothing_radii=radii, threads=threads)
