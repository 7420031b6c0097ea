"""Principal components of the gradient of an ensemble's average f."""

from collections.abc import Mapping

import numpy as np

from lagbias.artefacts import store
from lagbias.bias import component_fit
from lagbias.bias.components import GradientPCA
from lagbias.features.whitening import Whitening, apply_map
from lagbias.stages.ensembles import load_ensemble
from lagbias.stages.particle_features import count_particles, load_features

__all__ = ["gradient_pca"]

_SEED = 0  # of the sample of particles


def gradient_pca(paths: Mapping, *, particles: int, device: str, threads: int) -> GradientPCA:
    """Differentiate the average f at a random sample of particles and find its components.

    `paths`: ``networks``, ``whitening`` and ``features``.
    """
    ensemble, _ = load_ensemble(paths["networks"], device=device)
    fitted = store.read(paths["whitening"], Whitening)
    available = count_particles(paths["features"])
    count = min(particles, available)
    rows = np.random.default_rng(_SEED).choice(available, count, replace=False)
    inputs = apply_map(load_features(paths["features"], rows), fitted.matrix)
    f, gradients = ensemble.average_f_and_gradient(inputs, threads=threads)
    return component_fit.fit(gradients, fitted.matrix, fitted.smoothing_radii, inputs=inputs, f=f)
