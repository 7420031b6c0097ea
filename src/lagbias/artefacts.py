"""What each kind of artefact holds: its datasets, their units and their axes.

Scripts pass results through these functions to `lagbias.job.Task.write`, and read artefacts back
as the library's own types. Nothing here computes.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lagbias import store
from lagbias.store import Dataset

__all__ = [
    "feature_columns",
    "features",
    "halo_fields",
    "halos",
    "linear_density",
    "networks",
    "particles",
    "spectra",
    "trained_network",
    "whitening",
    "whitening_of",
]

_GRID = ("x", "y", "z")
_FEATURES = ("delta", "lap_delta", "g2")
_WHITENING = ("smoothing_radii", "eigenvectors", "eigenvalues", "kept")


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
    """Pack a `lagbias.features.FeatureGrids`."""
    packed = {
        name: Dataset(getattr(grids, name), "1", _GRID, "normalised to unit variance")
        for name in _FEATURES
    }
    units = "1, (h/Mpc)^2, 1"
    packed["mean"] = Dataset(grids.mean, units, ("feature",), "mean before normalisation")
    packed["sigma"] = Dataset(grids.sigma, units, ("feature",), "standard deviation before it")
    return packed


def feature_columns(paths: Iterable[str | Path]) -> Iterator[np.ndarray]:
    """Read feature grids one by one, in the order of the feature vector: δ, ∇²δ, G2 of each R_f.

    Parameters
    ----------
    paths : iterable of str or Path
        Feature artefacts in the order of the radii.

    Yields
    ------
    ndarray of float32, (n, n, n)
        A grid, dimensionless.
    """
    for path in paths:
        for name in _FEATURES:
            yield store.read(path, "features", [name])[name]


def whitening(fitted: Any) -> dict[str, Dataset]:
    """Pack a `lagbias.whitening.Whitening`."""
    return {
        "smoothing_radii": Dataset(np.asarray(fitted.smoothing_radii), "Mpc/h", ("radius",), "R_f"),
        "eigenvectors": Dataset(
            fitted.eigenvectors, "1", ("feature", "direction"), "V, one direction per column"
        ),
        "eigenvalues": Dataset(fitted.eigenvalues, "1", ("direction",), "diagonal of Λ"),
        "kept": Dataset(
            np.asarray(fitted.kept), "1", ("input",), "directions that are inputs of the network"
        ),
    }


def whitening_of(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arguments of a `lagbias.whitening.Whitening`."""
    artefact = store.read(path, "whitening", _WHITENING)
    return {name: artefact[name] for name in _WHITENING}


def trained_network(trained: Any) -> dict[str, Dataset]:
    """Pack a `lagbias.network.TrainedNetwork`."""
    packed = {
        f"weights.{name}": Dataset(
            value, "1", tuple(f"axis{i}" for i in range(value.ndim)), "network parameter"
        )
        for name, value in trained.weights.items()
    }
    for name, value in trained.history.items():
        packed[f"history.{name}"] = Dataset(np.asarray(value), "1", ("epoch",), "per epoch")
    return packed


def networks(paths: Iterable[str | Path]) -> tuple[list[dict], list[int]]:
    """Read the arguments of some `lagbias.network.TrainedNetwork`.

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
        parts = {"weights": {}, "history": {}}
        for name, value in artefact.arrays.items():
            group, _, member = name.partition(".")
            parts[group][member] = value
        found.append({**parts, "normalisation": artefact.attributes["normalisation"]})
        seeds.append(artefact.attributes["seed"])
    return found, seeds


def spectra(measured: Mapping[str, np.ndarray]) -> dict[str, Dataset]:
    """Pack what `lagbias.predict.predict_spectra` measures."""
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
