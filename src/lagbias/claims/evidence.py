"""Artefacts of a run, found by kind and labels and read on demand."""

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lagbias.artefacts import store
from lagbias.bias.binned import BinnedF
from lagbias.bias.components import GradientPCA
from lagbias.bias.least_squares import LeastSquares
from lagbias.bias.prediction import ModelField
from lagbias.bias.spectra import Spectra
from lagbias.claims.base import Untestable, listed
from lagbias.features.whitening import Whitening
from lagbias.grids.halo_field import HaloFields
from lagbias.training.network import Network

__all__ = ["COARSE", "EXTENDED", "FINE", "FINEST", "Evidence"]

_Kind = TypeVar("_Kind")

# Sets of the paper's Table 1 that claims call by name, besides the two that have roles.
COARSE, EXTENDED, FINE, FINEST = "3Rf_coarse", "3Rf+11.3", "3Rf_fine", "5Rf_fine"
_INPUTS = {
    "full": "",
    "density": " with δ and ∇²δ only",
    "least_squares": " of the least-squares f",
    "nested": " with n δ and one ∇²δ",
    "cut": " with a cut in the eigenvalues",
    "pc2": " with the two components",
    "larger": " with larger networks",
    "longer": " with a longer training",
    "unconstrained": " without a constraint",
}


class Evidence:
    """The artefacts of a run.

    All accessors raise `lagbias.claims.base.Untestable`, naming what is missing, where the run
    has no such artefact. Sets have the names of the paper's Table 1.

    Parameters
    ----------
    paths : iterable of str or Path
        Artefacts of any kind, in any order; those that no claim needs are ignored.
    roles : Mapping
        Boxes, samples and sets by role: ``run``, ``train_boxes``, ``validation_boxes``,
        ``sample``, ``thin_samples``, ``single_scale``, ``multi_scale``, ``coarse``, ``fine``,
        ``retrained``, ``components``, ``nested``, ``cut``, ``thin``, ``epochs``, ``cell_size``,
        ``constraint`` and ``variants``, as in the configuration.

    Attributes
    ----------
    train_box, validation_box : str
        The main boxes.
    single, multi : str
        The set of one radius, and the paper's reference set of several.
    several, all_sets : list of str
        All sets of several radii that the figures compare, and those with `single`.

    Raises
    ------
    lagbias.artefacts.store.ArtefactError
        If a file cannot be read, here or when its data are needed.
    """

    def __init__(self, paths: Iterable[str | Path], roles: Mapping[str, Any]):
        self.roles = roles
        self.train_box: str = roles["train_boxes"][0]
        self.validation_box: str = roles["validation_boxes"][0]
        self.single: str = roles["single_scale"]
        self.multi: str = roles["multi_scale"]
        self.several = list(dict.fromkeys([self.multi, *roles["coarse"], *roles["fine"]]))
        self.all_sets = [self.single, *self.several]
        self._headers = {path: store.header(path) for path in dict.fromkeys(map(str, paths))}
        self._cache: dict[tuple[str, str], Any] = {}
        self._used: dict[str, None] = {}

    def view(self) -> "Evidence":
        """Return a view of the same artefacts with its own record of those used."""
        view = copy.copy(self)
        view._used = {}
        return view

    @property
    def used(self) -> tuple[str, ...]:
        """Paths of the artefacts used, each once, in order of first use."""
        return tuple(self._used)

    @property
    def thin_samples(self) -> list[str]:
        """The samples of low and of high mass."""
        samples = self.roles["thin_samples"]
        if len(samples) != 2:
            raise Untestable(
                f"the paper has two thin ranges of masses, low and high; thin_samples of this "
                f"run are {samples}"
            )
        return samples

    def variant(self, name: str) -> tuple[list[str], str]:
        """Return the sets trained as a variant, if any, and the settings that differ, in words."""
        found = self.roles["variants"].get(name, {"sets": [], "training": {}})
        return found["sets"], listed(found["training"], "")

    def spectra(
        self,
        smoothing_set: str,
        inputs: str = "full",
        *,
        train_box: str | None = None,
        target_box: str | None = None,
    ) -> Spectra:
        """Return spectra, by default of the main training box on the main validation box."""
        train_box, target_box = train_box or self.train_box, target_box or self.validation_box
        noun = (
            f"spectra of {smoothing_set}{_INPUTS[inputs]} (trained on {train_box}, applied to "
            f"{target_box})"
        )
        wanted = self._ensemble(smoothing_set, inputs=inputs, target_box=target_box)
        return self._one(Spectra, noun, **wanted | {"train_box": train_box})

    def spectra_everywhere(self, smoothing_set: str, inputs: str = "full") -> dict[str, Spectra]:
        """Return the spectra of the networks of the main training box, by target box."""
        wanted = self._ensemble(smoothing_set, inputs=inputs)
        paths = self._find(Spectra, f"spectra of {smoothing_set}{_INPUTS[inputs]}", **wanted)
        found = [self._read(path, Spectra) for path in paths]
        return {spectra.target_box: spectra for spectra in found}

    def networks(self, smoothing_set: str, inputs: str = "full") -> list[Network]:
        """Return the networks of a set, trained on the main training box, sorted by seed."""
        noun = f"networks of {smoothing_set}{_INPUTS[inputs]} (trained on {self.train_box})"
        paths = self._find(Network, noun, **self._ensemble(smoothing_set, inputs=inputs))
        networks = [self._read(path, Network) for path in paths]
        lengths = {len(network.losses) for network in networks}
        if len(lengths) > 1:
            raise Untestable(f"the {noun} have different numbers of epochs: {sorted(lengths)}")
        return sorted(networks, key=lambda network: network.seed)

    def pca(self, smoothing_set: str, sample: str | None = None) -> GradientPCA:
        """Return the components of ∇f of a set, by default for the main halo sample."""
        wanted = self._ensemble(smoothing_set)
        wanted["sample"] = sample = sample or wanted["sample"]
        noun = f"components of ∇f of {smoothing_set} for the halos of {sample}"
        # not cached: it holds up to a million particles
        return store.read(self._find(GradientPCA, noun, **wanted)[0], GradientPCA)

    def particles(self, *which: str) -> tuple[np.ndarray, np.ndarray]:
        """Return coordinates (N, c) along the components of `pca`, and f (N,), in float64."""
        pca = self.pca(*which)
        return pca.components.astype(np.float64), pca.f.astype(np.float64)

    def least_squares(self) -> LeastSquares:
        """Return the least-squares f of the set of one radius."""
        noun = f"least-squares f of {self.single}"
        return self._one(LeastSquares, noun, **self._ensemble(self.single))

    def binned_f(self) -> BinnedF:
        """Return the f of networks of δ and ∇²δ, in the bins of the least squares."""
        noun = f"binned f of {self.single}{_INPUTS['density']}"
        return self._one(BinnedF, noun, **self._ensemble(self.single, inputs="density"))

    def whitening(self, smoothing_set: str) -> Whitening:
        """Return the whitening of a set on the main training box."""
        wanted = {"box": self.train_box, "smoothing_set": smoothing_set}
        return self._one(Whitening, f"whitening of {smoothing_set}", **wanted)

    def whitened_sets(self) -> list[str]:
        """Return the sets that have a whitening on the main training box."""
        paths = self._paths(Whitening, box=self.train_box)
        return [self._headers[path].attributes["smoothing_set"] for path in paths]

    def halo_attributes(self, box: str, sample: str) -> dict[str, Any]:
        """Return the attributes of a halo field: masses [Msun/h], number, box size [Mpc/h]."""
        return self._headers[self._halo_paths(box, sample)[0]].attributes

    def halo_field(self) -> np.ndarray:
        """Return δ_h of the main halo sample in the main validation box, float32, (c, c, c)."""
        wanted = {"box": self.validation_box, "sample": self.roles["sample"]}
        return self._read(self._halo_paths(**wanted)[0], HaloFields, "training")

    def model_field(self, smoothing_set: str) -> np.ndarray:
        """Return the model's δ_h on the main validation box, float32, (c, c, c)."""
        noun = f"model field of {smoothing_set} on {self.validation_box}"
        wanted = self._ensemble(smoothing_set, inputs="full", target_box=self.validation_box)
        return self._one(ModelField, noun, **wanted).average

    def _ensemble(self, smoothing_set: str, **labels: str) -> dict[str, str]:
        """Return the labels of ensembles of the main training box and halo sample."""
        labels |= {"smoothing_set": smoothing_set, "train_box": self.train_box}
        return labels | {"sample": self.roles["sample"]}

    def _paths(self, kind: type, **wanted: str) -> list[str]:
        return [
            path
            for path, header in self._headers.items()
            if header.kind == kind.KIND and wanted.items() <= header.attributes.items()
        ]

    def _find(self, kind: type, noun: str, **wanted: str) -> list[str]:
        """Return the paths of the artefacts of a kind with some labels, and record them."""
        paths = self._paths(kind, **wanted)
        if not paths:
            raise Untestable(f"this run has no {noun}")
        self._used.update(dict.fromkeys(paths))
        return paths

    def _halo_paths(self, box: str, sample: str) -> list[str]:
        return self._find(HaloFields, f"halo field of {sample} in {box}", box=box, sample=sample)

    def _one(self, kind: type[_Kind], noun: str, **wanted: str) -> _Kind:
        """Read the artefact of a kind with some labels."""
        return self._read(self._find(kind, noun, **wanted)[0], kind)

    def _read(self, path: str, kind: type[_Kind], array: str = "") -> Any:
        """Read an artefact, or one array of it, once."""
        if (path, array) not in self._cache:
            self._cache[path, array] = (
                store.read_array(path, kind, array) if array else store.read(path, kind)
            )
        return self._cache[path, array]
