"""Mean f of networks in the bins of the least-squares f."""

from collections.abc import Mapping

import numpy as np

from lagbias.artefacts import store
from lagbias.bias.binned import BinnedF, sums_in_bins
from lagbias.bias.least_squares import LeastSquares
from lagbias.features.whitening import apply_map
from lagbias.stages.ensembles import load_ensemble, load_input_matrix
from lagbias.stages.particle_features import STRIDE, count_particles, load_features

__all__ = ["bin_networks"]

_CHUNK = 1 << 20  # particles held at a time


def bin_networks(paths: Mapping, *, inputs: str, device: str, threads: int) -> BinnedF:
    """Average the f of each network over every third particle, bin by bin.

    `paths`: ``networks``, ``whitening``, ``least_squares`` and ``features``.
    """
    ensemble, seeds = load_ensemble(paths["networks"], device=device)
    bins = store.read(paths["least_squares"], LeastSquares).bins
    matrix = load_input_matrix(inputs, paths["whitening"])
    rows = np.arange(0, count_particles(paths["features"]), STRIDE)
    sums, counts = 0.0, 0.0
    for part in np.array_split(rows, 1 + rows.size // _CHUNK):
        theta = load_features(paths["features"], part)
        f = ensemble.evaluate(apply_map(theta, matrix), threads=threads)
        more = sums_in_bins(f, bins.index(theta), bins.n_bins)
        sums, counts = sums + more[0], counts + more[1]
    return BinnedF(
        delta_edges=bins.delta_edges,
        lap_delta_edges=bins.lap_delta_edges,
        f=(sums / np.maximum(counts, 1)).reshape(len(ensemble), *bins.shape),
        share=(counts / rows.size).reshape(bins.shape),
        seeds=np.array(seeds, np.int64),
    )
