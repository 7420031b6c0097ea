"""What a run has made, found by kind and attributes and read when a check asks for it."""

import copy
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store
from lagbias.claims.base import Untestable
from lagbias.claims.measured import Components, Networks, Particles, Spectra

__all__ = ["COARSE", "EIGENVALUE_CUT", "EXTENDED", "FINE", "FINEST", "Evidence"]

# Sets of the paper's Table 1 that claims call by name, besides the two that have roles.
COARSE, EXTENDED, FINE, FINEST = "3Rf_coarse", "3Rf+11.3", "3Rf_fine", "5Rf_fine"
#: Inputs chosen by a cut in the eigenvalues (the paper's footnote 2).
EIGENVALUE_CUT = "eigenvalue_cut"
_INPUTS = {
    "full": "",
    "density": " with δ and ∇²δ only",
    "least_squares": " of the least-squares f",
    "nested": " with n δ and one ∇²δ",
    "pc2": " with the two components",
    EIGENVALUE_CUT: " with inputs chosen by a cut in the eigenvalues",
}


class Evidence:
    """The artefacts of a run.

    Parameters
    ----------
    paths : iterable of str or Path
        Artefacts of any kind, in any order; those that no claim needs do no harm.
    roles : Mapping
        Which boxes, samples and sets play which part: ``run``, ``train_boxes``,
        ``validation_boxes``, ``sample``, ``thin_samples``, ``single_scale``, ``multi_scale``,
        ``coarse``, ``fine``, ``retrained``, ``components``, ``nested``, ``thin``, ``epochs``,
        ``cell_size`` and ``constraint``, as in the configuration.

    Raises
    ------
    lagbias.artefacts.store.ArtefactError
        If a file cannot be read, here or when its data are asked for.

    Notes
    -----
    All accessors raise `lagbias.claims.base.Untestable`, with a sentence on what is missing, where
    the run has no such artefact. Sets have the names of the paper's Table 1.
    """

    def __init__(self, paths: Iterable[str | Path], roles: Mapping[str, Any]):
        self._roles = dict(roles)
        self._index = {
            str(path): store.read(path, names=()) for path in dict.fromkeys(map(str, paths))
        }
        self._cache: dict[tuple, Any] = {}
        self._used: dict[str, None] = {}

    def witness(self) -> "Evidence":
        """Return a view on the same artefacts that keeps its own record of what was used."""
        view = copy.copy(self)
        view._used = {}
        return view

    @property
    def used(self) -> tuple[str, ...]:
        """Paths of the artefacts that were asked for, each once, in that order."""
        return tuple(self._used)

    def role(self, name: str) -> Any:
        """Return a role; raises `Untestable` if the run gives none of that name."""
        if name not in self._roles:
            raise Untestable(f"the configuration of this run does not say what its {name} is")
        return self._roles[name]

    @property
    def train_box(self) -> str:
        """The main training box."""
        return self.role("train_boxes")[0]

    @property
    def validation_box(self) -> str:
        """The main validation box."""
        return self.role("validation_boxes")[0]

    @property
    def single(self) -> str:
        """The set of one radius."""
        return self.role("single_scale")

    @property
    def multi(self) -> str:
        """The paper's reference set of several radii."""
        return self.role("multi_scale")

    @property
    def several(self) -> list[str]:
        """All sets of several radii that the figures compare."""
        return list(dict.fromkeys([self.multi, *self.role("coarse"), *self.role("fine")]))

    @property
    def all_sets(self) -> list[str]:
        """The set of one radius and those of several."""
        return [self.single, *self.several]

    @property
    def thin_samples(self) -> list[str]:
        """The samples of low and of high mass; raises `Untestable` unless there are two."""
        samples = self.role("thin_samples")
        if len(samples) != 2:
            raise Untestable(
                f"the paper has two thin ranges of masses, low and high; thin_samples of this "
                f"run are {samples}"
            )
        return samples

    def spectra(
        self,
        smoothing_set: str,
        inputs: str = "full",
        *,
        train_box: str | None = None,
        target_box: str | None = None,
        sample: str | None = None,
    ) -> Spectra:
        """Return spectra, by default trained on T0 and applied to V1."""
        train_box, target_box = train_box or self.train_box, target_box or self.validation_box
        path = self._one(
            "spectra",
            f"spectra of {smoothing_set}{_words(inputs)} (trained on {train_box}, applied to "
            f"{target_box})",
            smoothing_set=smoothing_set,
            inputs=inputs,
            train_box=train_box,
            target_box=target_box,
            sample=sample or self.role("sample"),
        )
        return self._read(path, Spectra.read)

    def spectra_everywhere(self, smoothing_set: str) -> dict[str, Spectra]:
        """Return the spectra of the networks of T0 on every box that has them, by box."""
        paths = self.find(
            "spectra",
            f"spectra of {smoothing_set}",
            smoothing_set=smoothing_set,
            inputs="full",
            train_box=self.train_box,
            sample=self.role("sample"),
        )
        boxes = [self._index[path].attributes["target_box"] for path in paths]
        return {box: self._read(p, Spectra.read) for box, p in zip(boxes, paths, strict=True)}

    def networks(self, smoothing_set: str, inputs: str = "full") -> Networks:
        """Return the networks of a set that were trained on T0, in the order of their seeds."""
        paths = self.find(
            "network",
            f"networks of {smoothing_set}{_words(inputs)} (trained on {self.train_box})",
            smoothing_set=smoothing_set,
            inputs=inputs,
            train_box=self.train_box,
            sample=self.role("sample"),
        )
        return self._read(tuple(paths), Networks.read)

    def pca(self, smoothing_set: str, sample: str | None = None) -> Components:
        """Return the components of ∇f of a set, by default for the main halo sample."""
        return self._read(self._pca_path(smoothing_set, sample), Components.read)

    def particles(self, smoothing_set: str, sample: str | None = None) -> Particles:
        """Return the particles from which these components were found, and their f."""
        return self._read(self._pca_path(smoothing_set, sample), Particles.read)

    def _pca_path(self, smoothing_set: str, sample: str | None) -> str:
        sample = sample or self.role("sample")
        return self._one(
            "gradient_pca",
            f"components of ∇f of {smoothing_set} for the halos of {sample}",
            smoothing_set=smoothing_set,
            train_box=self.train_box,
            sample=sample,
        )

    def least_squares(self) -> dict[str, np.ndarray]:
        """Return the least-squares f of the set of one radius (see `artefacts.binned_bias`)."""
        noun = f"least-squares f of {self.single}"
        return self._read(self._binned_path("least_squares", noun), artefacts.binned_bias_of)

    def binned_f(self, inputs: str = "density") -> dict[str, np.ndarray]:
        """Return the networks' f in the bins of the least squares."""
        noun = f"binned f of {self.single}{_words(inputs)}"
        return self._read(self._binned_path("binned_f", noun, inputs=inputs), _binned_f)

    def _binned_path(self, kind: str, noun: str, **wanted: str) -> str:
        wanted.update(smoothing_set=self.single, sample=self.role("sample"))
        return self._one(kind, noun, train_box=self.train_box, **wanted)

    def whitening(self, smoothing_set: str) -> dict[str, np.ndarray]:
        """Return the whitening of a set on T0 (see `artefacts.whitening`)."""
        path = self._one(
            "whitening",
            f"whitening of {smoothing_set}",
            smoothing_set=smoothing_set,
            box=self.train_box,
        )
        return self._read(path, artefacts.whitening_of)

    def whitened_sets(self) -> list[str]:
        """Return the sets that have a whitening on T0."""
        paths = self._paths("whitening", box=self.train_box)
        return [self._index[path].attributes["smoothing_set"] for path in paths]

    def halo_attributes(self, box: str, sample: str) -> dict[str, Any]:
        """Return the attributes of a halo field: masses [Msun/h], number, box size [Mpc/h]."""
        return self._index[self._halo_fields(box, sample)].attributes

    def halo_field(self, box: str) -> np.ndarray:
        """Return the overdensity of the main halo sample on the training grid, (c, c, c)."""
        return self._read(self._halo_fields(box, self.role("sample")), _training_field)

    def _halo_fields(self, box: str, sample: str) -> str:
        return self._one("halo_fields", f"halo field of {sample} in {box}", box=box, sample=sample)

    def model_field(self, smoothing_set: str) -> np.ndarray:
        """Return the field of the average f of a set, from T0 on V1, (c, c, c), dimensionless."""
        path = self._one(
            "model_field",
            f"model field of {smoothing_set} on {self.validation_box}",
            smoothing_set=smoothing_set,
            inputs="full",
            train_box=self.train_box,
            target_box=self.validation_box,
            sample=self.role("sample"),
        )
        return self._read(path, _average_field)

    def find(self, kind: str, noun: str, **wanted: str) -> list[str]:
        """Return the paths of the artefacts of a kind with some attributes, and record them.

        Raises
        ------
        Untestable
            If there are none, with `noun` saying what is missing.
        """
        paths = self._paths(kind, **wanted)
        if not paths:
            raise Untestable(f"this run has no {noun}")
        self._used.update(dict.fromkeys(paths))
        return paths

    def _paths(self, kind: str, **wanted: str) -> list[str]:
        return [
            path
            for path, artefact in self._index.items()
            if artefact.kind == kind
            and all(artefact.attributes.get(name) == value for name, value in wanted.items())
        ]

    def _one(self, kind: str, noun: str, **wanted: str) -> str:
        return self.find(kind, noun, **wanted)[0]

    def _read(self, key: str | tuple[str, ...], reader: Callable) -> Any:
        """Read what stands at a path, or at several, once."""
        if (key, reader) not in self._cache:
            self._cache[key, reader] = reader(key)
        return self._cache[key, reader]


def _binned_f(path: str) -> dict[str, np.ndarray]:
    return artefacts.binned_bias_of(path, "binned_f")


def _training_field(path: str) -> np.ndarray:
    return store.read(path, "halo_fields", ["training"])["training"]


def _average_field(path: str) -> np.ndarray:
    return store.read(path, "model_field", ["average"])["average"]


def _words(inputs: str) -> str:
    return _INPUTS.get(inputs, f" with the inputs {inputs}")
