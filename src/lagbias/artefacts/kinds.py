"""What each kind of artefact holds: its datasets, their units and their axes.

Scripts pass results through these functions to `lagbias.stages.job.Task.write`, and read artefacts back
as the library's own types. Nothing here computes.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lagbias.artefacts import layouts, store
from lagbias.artefacts.store import Dataset

__all__ = [
    "binned_bias",
    "binned_bias_of",
    "box_files",
    "component_sample_of",
    "feature_columns",
    "features",
    "gradient_pca",
    "gradient_pca_of",
    "halo_fields",
    "halos",
    "linear_density",
    "model_field",
    "networks",
    "particles",
    "slab",
    "slab_of",
    "spectra",
    "trained_network",
    "whitening",
    "whitening_of",
]

_GRID = ("x", "y", "z")
_FEATURES = ("delta", "lap_delta", "g2")
# types and axes of what is read back, see `lagbias.artefacts.layouts.check`
_GRIDS = {"delta": "f:pnn", "lap_delta": "f:pnn", "g2": "f:pnn"}
_WHITENING = {
    "smoothing_radii": "f:r",
    "eigenvectors": "f:ff",
    "eigenvalues": "f:f",
    "kept": "i:i",
    "covariance": "f:ff",
}
_BINNED = {
    "delta_edges": "f:e",
    "lap_delta_edges": "f:dE",
    "f": "f:sdl",
    "share": "f:dl",
    "seeds": "i:s",
}
_PCA = {
    "smoothing_radii": "f:r",
    "eigenvalues": "f:c",
    "directions": "f:cc",
    "matrix": "f:cf",
    "centred_eigenvalues": "f:c",
}
_SAMPLE = {"components": "f:pk", "f": "f:p"}
_SLAB = {
    "origin": "f:p2",
    "position": "f:p2",
    "f": "f:p",
    "delta": "f:p",
    "initial_delta": "f:xy",
    "model_map": "f:mm",
    "halo_map": "f:mm",
}


def box_files(files: Mapping[Any, Any]) -> dict[str, Dataset]:
    """Pack the files of a box: their paths, and the `lagbias.sources.abacus.acquire.checksum.Checksum` of each."""
    held = files.values()
    return {
        "path": Dataset(
            np.array([str(path).encode() for path in files]),
            "1",
            ("file",),
            "path below the directory of the data",
        ),
        "size": Dataset(np.array([one.size for one in held]), "byte", ("file",), "length"),
        "crc": Dataset(
            np.array([one.crc for one in held]), "1", ("file",), "CRC-32 as `cksum` prints it"
        ),
    }


def linear_density(box: Any) -> dict[str, Dataset]:
    """Pack the linear density of a `lagbias.sources.base.BoxData`."""
    text = "linear overdensity at the snapshot's redshift, node [i,j,k] at (i,j,k) box_size/n_grid"
    return {"delta": Dataset(box.linear_density, "1", _GRID, text)}


def particles(box: Any) -> dict[str, Dataset]:
    """Pack the particles of a `lagbias.sources.base.BoxData`."""
    return {
        "lagrangian_site": Dataset(
            box.lagrangian_site,
            "1",
            ("particle",),
            "flat index (C order) of the initial-density node that the particle started from",
        ),
        "position": Dataset(
            box.positions, "Mpc/h", ("particle", "dimension"), "final comoving position"
        ),
    }


def halos(box: Any) -> dict[str, Dataset]:
    """Pack the halos of a `lagbias.sources.base.BoxData`."""
    vector = ("halo", "dimension")
    return {
        "position": Dataset(box.halo_positions, "Mpc/h", vector, "centre of mass"),
        "mass": Dataset(box.halo_mass, "Msun/h", ("halo",), "mass"),
        "particles": Dataset(box.halo_particles, "1", ("halo",), "number of particles"),
        "velocity": Dataset(box.halo_velocities, "km/s", vector, "mean peculiar velocity"),
    }


def halo_fields(training: np.ndarray, evaluation: np.ndarray) -> dict[str, Dataset]:
    """Pack the halo overdensity on the training (NGP) and on the evaluation (CIC) grid."""
    return {
        "training": Dataset(training, "1", _GRID, "mass-weighted halo overdensity, NGP"),
        "evaluation": Dataset(evaluation, "1", _GRID, "mass-weighted halo overdensity, CIC"),
    }


def features(grids: Any) -> dict[str, Dataset]:
    """Pack a `lagbias.features.grids.FeatureGrids`."""
    packed = {
        name: Dataset(getattr(grids, name), "1", _GRID, "normalised to unit variance")
        for name in _FEATURES
    }
    units = "1, (h/Mpc)^2, 1"
    packed["mean"] = Dataset(grids.mean, units, ("feature",), "mean before normalisation")
    packed["sigma"] = Dataset(grids.sigma, units, ("feature",), "standard deviation before it")
    return packed


def feature_columns(
    paths: Iterable[str | Path], planes: slice | None = None
) -> Iterator[np.ndarray]:
    """Read feature grids one by one, in the order of the feature vector: δ, ∇²δ, G2 of each R_f.

    Parameters
    ----------
    paths : iterable of str or Path
        Feature artefacts in the order of the radii.
    planes : slice, optional
        Planes of the grids to read, along the first axis; all when omitted.

    Yields
    ------
    ndarray of float32, (n, n, n) or (planes, n, n)
        A grid, dimensionless.
    """
    for path in paths:
        for name in _FEATURES:
            artefact = store.read(path, "features", [name], rows=planes)
            layouts.check(artefact, {name: _GRIDS[name]})
            yield artefact[name]


def whitening(fitted: Any) -> dict[str, Dataset]:
    """Pack a `lagbias.features.whitening.Whitening`."""
    return {
        "smoothing_radii": Dataset(np.asarray(fitted.smoothing_radii), "Mpc/h", ("radius",), "R_f"),
        "eigenvectors": Dataset(
            fitted.eigenvectors, "1", ("feature", "direction"), "V, one direction per column"
        ),
        "eigenvalues": Dataset(fitted.eigenvalues, "1", ("direction",), "diagonal of Λ"),
        "kept": Dataset(
            np.asarray(fitted.kept), "1", ("input",), "directions that are inputs of the network"
        ),
        "covariance": Dataset(
            fitted.covariance, "1", ("feature", "feature"), "of the particles' features, uncentred"
        ),
    }


def whitening_of(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arguments of a `lagbias.features.whitening.Whitening`."""
    artefact = store.read(path, "whitening", list(_WHITENING))
    arrays = _arrays(artefact, _WHITENING)
    layouts.check_indices(artefact, "kept", len(arrays["eigenvalues"]))
    return arrays


def trained_network(trained: Any) -> dict[str, Dataset]:
    """Pack a `lagbias.training.network.TrainedNetwork`."""
    packed = {
        f"weights.{name}": Dataset(
            value, "1", tuple(f"axis{i}" for i in range(value.ndim)), "network parameter"
        )
        for name, value in trained.weights.items()
    }
    for name, value in trained.history.items():
        packed[f"history.{name}"] = Dataset(
            # NaN is the validation loss of a training without a validation box
            *(np.asarray(value), "1", ("epoch",), "per epoch"),
            finite=not name.startswith("validation"),
        )
    return packed


def networks(paths: Iterable[str | Path]) -> tuple[list[dict], list[int]]:
    """Read the arguments of some `lagbias.training.network.TrainedNetwork`.

    Parameters
    ----------
    paths : iterable of str or Path
        Network artefacts.

    Returns
    -------
    list of dict
        ``weights``, ``normalisation`` and ``history`` of each network, dimensionless.
    list of int
        The seed of each, dimensionless.
    """
    found, seeds = [], []
    for path in paths:
        artefact = store.read(path, "network")
        layouts.check_network(artefact)
        parts = {"weights": {}, "history": {}}
        for name, value in artefact.arrays.items():
            group, _, member = name.partition(".")
            parts[group][member] = value
        found.append({**parts, "normalisation": layouts.number(artefact, "normalisation")})
        seeds.append(layouts.number(artefact, "seed", whole=True))
    return found, seeds


def spectra(measured: Mapping[str, np.ndarray]) -> dict[str, Dataset]:
    """Pack what `lagbias.bias.prediction.measure_spectra` measures."""
    axes = {
        "k": ("h/Mpc", ("k",), "centre of the bin"),
        "n_modes": ("1", ("k",), "number of modes in the bin"),
        "halo_power": ("(Mpc/h)^3", ("k",), "P_h of the halo field"),
        "model_power": ("(Mpc/h)^3", ("seed", "k"), "P_model of each network"),
        "cross_power": ("(Mpc/h)^3", ("seed", "k"), "P_hm of each network with the halos"),
        "average_model_power": ("(Mpc/h)^3", ("k",), "P_model of the average f"),
        "average_cross_power": ("(Mpc/h)^3", ("k",), "P_hm of the average f with the halos"),
        "mean_f": ("1", ("seed",), "⟨f⟩ over the box before division by it"),
        "average_mean_f": ("1", ("one",), "⟨f⟩ of the average f"),
        "seeds": ("1", ("seed",), "seeds of the networks"),
    }
    return {name: Dataset(np.asarray(measured[name]), *axes[name]) for name in axes}


def model_field(overdensity: np.ndarray) -> dict[str, Dataset]:
    """Pack the field of the average f on the training grid."""
    return {"average": Dataset(overdensity, "1", _GRID, "overdensity of the average f, NGP")}


def binned_bias(
    bins: Any, f: np.ndarray, share: np.ndarray, seeds: Iterable[int]
) -> dict[str, Dataset]:
    """Pack f in the bins of a `lagbias.bias.binned.FeatureBins`, one table for each seed."""
    table = ("delta_bin", "lap_delta_bin")
    return {
        "delta_edges": Dataset(bins.delta_edges, "1", ("edge",), "edges in normalised δ"),
        "lap_delta_edges": Dataset(
            bins.lap_delta_edges, "1", ("delta_bin", "edge"), "edges in normalised ∇²δ"
        ),
        "f": Dataset(f, "1", ("seed", *table), "f of the particles in a bin"),
        "share": Dataset(share, "1", table, "fraction of all particles in a bin"),
        "seeds": Dataset(np.array(list(seeds), np.int64), "1", ("seed",), "of the sub-samples"),
    }


def binned_bias_of(path: str | Path, kind: str = "least_squares") -> dict[str, np.ndarray]:
    """Read edges, f, share and seeds of a ``least_squares`` or ``binned_f`` artefact."""
    return _arrays(store.read(path, kind, list(_BINNED)), _BINNED)


def gradient_pca(pca: Any, components: np.ndarray, f: np.ndarray) -> dict[str, Dataset]:
    """Pack a `lagbias.bias.components.GradientPCA` and the sample that it was found from."""
    return {
        "smoothing_radii": Dataset(np.asarray(pca.smoothing_radii), "Mpc/h", ("radius",), "R_f"),
        "eigenvalues": Dataset(pca.eigenvalues, "1", ("component",), "mean square of u·∇f"),
        "directions": Dataset(
            pca.directions, "1", ("input", "component"), "U, one component per column"
        ),
        "matrix": Dataset(pca.matrix, "1", ("component", "feature"), "M of eq. 4.1"),
        "centred_eigenvalues": Dataset(
            pca.centred_eigenvalues, "1", ("component",), "those of the centred covariance"
        ),
        "components": Dataset(
            components, "1", ("particle", "component"), "coordinates of a sample of particles"
        ),
        "f": Dataset(f, "1", ("particle",), "average f of these particles"),
    }


def gradient_pca_of(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arguments of a `lagbias.bias.components.GradientPCA`."""
    return _arrays(store.read(path, "gradient_pca", list(_PCA)), _PCA)


def component_sample_of(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arguments of a `lagbias.bias.components.ComponentSample`."""
    return _arrays(store.read(path, "gradient_pca", list(_SAMPLE)), _SAMPLE)


def slab(cut: Any) -> dict[str, Dataset]:
    """Pack the arrays of a `lagbias.figures.slab.Slab`."""
    vector, plane = ("particle", "dimension"), ("x", "y")
    return {
        "origin": Dataset(cut.origin, "Mpc/h", vector, "initial place in the region shown"),
        "position": Dataset(cut.position, "Mpc/h", vector, "final place in the region shown"),
        "f": Dataset(cut.f, "1", ("particle",), "average f of the particle"),
        "delta": Dataset(cut.delta, "1", ("particle",), "normalised initial δ of the particle"),
        "initial_delta": Dataset(cut.initial_delta, "1", plane, "normalised initial δ, one layer"),
        "model_map": Dataset(cut.model_map, "1", plane, "1 + δ_model averaged over the depth"),
        "halo_map": Dataset(cut.halo_map, "1", plane, "1 + δ_h averaged over the depth"),
    }


def slab_of(path: str | Path) -> dict[str, Any]:
    """Read the arguments of a `lagbias.figures.slab.Slab`."""
    artefact = store.read(path, "slab", list(_SLAB))
    lengths = ("region_size", "layer_thickness", "depth", "rf")
    return _arrays(artefact, _SLAB) | {name: layouts.number(artefact, name) for name in lengths}


def _arrays(artefact: store.Artefact, layout: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Return datasets after checking their types and shapes."""
    layouts.check(artefact, layout)
    return {name: artefact[name] for name in layout}
