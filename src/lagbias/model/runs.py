"""Models from the results of a workflow run."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lagbias.artefacts import store
from lagbias.bias import summary
from lagbias.bias.spectra import Spectra
from lagbias.features.whitening import Whitening
from lagbias.grids.halo_field import HaloFields
from lagbias.model.model import Model
from lagbias.sources.base import Particles
from lagbias.stages.ensembles import load_input_matrix
from lagbias.training.network import Network

__all__ = ["K_MAX", "from_ensemble"]

#: Attributes of a training box that say where a model may be used.
_OF_THE_BOX = (
    "source box_size n_grid redshift omega_m h particle_mass halo_finder linking_length "
    "kept_fraction seed".split()
)
_OF_THE_HALOS = ("n_halos", "min_mass", "max_mass", "mean_mass")
#: Largest wavenumber of the measured accuracy [h/Mpc].
K_MAX = 0.1
_MEASURED = ("ratio", "spread", "worst_ratio", "lowest_correlation")


def from_ensemble(directory: str | Path) -> Model:
    """Read the networks of an ensemble of a run, with what they take in and how good they are.

    Parameters
    ----------
    directory : str or Path
        ``results/<run>/networks/<training box>/<sample>/<set>/<inputs>``, with the whitening and
        boxes of the run in their places.

    Returns
    -------
    Model
        ``about`` has the training box, the halos, the settings of the training, and the power
        ratios on every box for which the run has spectra.

    Raises
    ------
    lagbias.artefacts.store.ArtefactError
        If a file is absent or damaged.
    """
    directory = Path(directory)
    paths = sorted(directory.glob("seed*.h5"), key=lambda path: int(path.stem[4:]))
    if not paths:
        raise store.ArtefactError(
            f"{directory} holds no networks (seed<k>.h5). Name the directory of an ensemble, such "
            "as results/embedded/networks/box0/threshold/3Rf/full."
        )
    networks = tuple(store.read(path, Network) for path in paths)
    first, run = networks[0], directory.absolute().parents[4]
    of_set = Path(first.train_box, f"{first.smoothing_set}.h5")
    whitening = run / "whitening" / of_set
    components = run / "gradient_pca" / first.train_box / first.sample / of_set.name
    params = store.header(paths[0]).provenance.get("params", {})
    matrix = load_input_matrix(
        params["input_map"],
        whitening,
        components if params["input_map"] == "pc2" else None,
        params.get("eigenvalue_cut"),
    )
    radii = store.read_array(whitening, Whitening, "smoothing_radii")
    return Model(networks, matrix, radii, _about(run, directory, first, params))


def _about(
    run: Path, directory: Path, network: Network, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe the training box, the halos, the training and the accuracy."""
    particles = run / "boxes" / network.train_box / "particles.h5"
    halo_fields = run / "halo_fields" / network.train_box / f"{network.sample}.h5"
    box = store.header(particles, Particles).attributes
    halos = store.header(halo_fields, HaloFields).attributes
    evaluated = run / "spectra" / directory.absolute().relative_to(run / "networks")
    return {
        "smoothing_set": network.smoothing_set,
        "inputs": network.inputs,
        "trained_on": {key: box[key] for key in _OF_THE_BOX if key in box},
        "halos": {"sample": network.sample} | {key: halos[key] for key in _OF_THE_HALOS},
        "training": params.get("training", {}),
        "measured": [
            {"box": row["target_box"]} | {key: row[key] for key in _MEASURED}
            for row in map(_summary, sorted(evaluated.glob("on_*.h5")))
            if row
        ],
    }


def _summary(path: Path) -> dict[str, Any]:
    """Summarise the spectra of a box at k < `K_MAX`; empty for boxes without such modes."""
    spectra = store.read(path, Spectra)
    return asdict(summary.summarise(spectra, k_max=K_MAX)) if spectra.k[0] < K_MAX else {}
