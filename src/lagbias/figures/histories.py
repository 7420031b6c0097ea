"""Losses of the networks of one ensemble, epoch by epoch."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from lagbias.artefacts import store
from lagbias.artefacts.store import Artefact

__all__ = ["LossHistories", "load_all_histories", "load_histories"]

#: Attributes that tell one ensemble from another.
ENSEMBLE = ("train_box", "sample", "smoothing_set", "inputs")
_TRAINING, _VALIDATION = "history.loss_per_cell", "history.validation_loss_per_cell"


@dataclass(frozen=True)
class LossHistories:
    """Losses of the networks of one ensemble.

    Attributes
    ----------
    epochs : ndarray (e,)
        Number of each epoch, from 1 on, dimensionless.
    training, validation : ndarray (s, e) float64
        Loss per cell of each of the s networks, on the training and on the validation box,
        dimensionless.
    attributes : Mapping
        ``train_box``, ``sample``, ``smoothing_set`` and ``inputs`` of the ensemble.

    Raises
    ------
    ValueError
        If the arrays do not fit together, or an attribute is missing.
    """

    epochs: np.ndarray
    training: np.ndarray
    validation: np.ndarray
    attributes: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = np.shape(self.validation)
        fits = len(shape) == 2 and shape[0] > 0 and shape == np.shape(self.training)
        if not fits or shape[1:] != np.shape(self.epochs) or shape[1] == 0:
            raise ValueError(
                f"LossHistories: the losses have shapes {np.shape(self.training)} (training) and "
                f"{shape} (validation), but both must be (networks, epochs) with the "
                f"{np.size(self.epochs)} epochs given."
            )
        if missing := [name for name in ENSEMBLE if name not in self.attributes]:
            raise ValueError(
                f"LossHistories: the attribute(s) {', '.join(missing)} are missing; present are "
                f"{sorted(self.attributes)}. Train the networks again."
            )

    def attribute(self, name: str) -> str:
        """Return one of the attributes as text."""
        return str(self.attributes[name])


def load_histories(paths: Iterable[str | os.PathLike]) -> LossHistories:
    """Read the loss histories of the networks of one ensemble.

    Parameters
    ----------
    paths : iterable of path-like
        Files of kind ``network``, at least one.

    Returns
    -------
    LossHistories
        With the networks in the order of `paths`.

    Raises
    ------
    ValueError
        If there are no files, or they differ in their number of epochs or in their ensemble.
    lagbias.artefacts.store.ArtefactError
        If a file cannot be read or is of another kind.
    """
    return _one_ensemble([_read(path) for path in paths])


def load_all_histories(paths: Iterable[str | os.PathLike]) -> list[LossHistories]:
    """Read the loss histories of several ensembles, told apart by smoothing set and inputs.

    Parameters
    ----------
    paths : iterable of path-like
        Files of kind ``network`` in any order.

    Returns
    -------
    list of LossHistories
        One for each pair of smoothing set and inputs, in the order of first appearance.

    Raises
    ------
    ValueError, lagbias.artefacts.store.ArtefactError
        As `load_histories`; also where two ensembles of one smoothing set and inputs are mixed.
    """
    groups: dict[tuple, list[Artefact]] = {}
    for artefact in map(_read, paths):
        key = tuple(artefact.attributes.get(name) for name in ("smoothing_set", "inputs"))
        groups.setdefault(key, []).append(artefact)
    return [_one_ensemble(members) for members in groups.values()]


def _read(path: str | os.PathLike) -> Artefact:
    return store.read(path, kind="network", names=[_TRAINING, _VALIDATION])


def _one_ensemble(networks: list[Artefact]) -> LossHistories:
    """Stack the histories of networks that belong together."""
    if not networks:
        raise ValueError("Loss histories need at least one network, but no file was given.")
    first = networks[0]
    for other in networks[1:]:
        if len(other[_VALIDATION]) != len(first[_VALIDATION]):
            raise ValueError(
                f"{other.path} was trained for {len(other[_VALIDATION])} epochs and {first.path} "
                f"for {len(first[_VALIDATION])}, so their losses cannot be averaged. Train one of "
                f"them again with the other's `training.epochs`."
            )
        for name in (*ENSEMBLE, "validation_box"):
            found, expected = other.attributes.get(name), first.attributes.get(name)
            if found != expected:
                raise ValueError(
                    f"{other.path} has {name} = {found!r} and {first.path} {expected!r}: they are "
                    "of different ensembles. Pass the networks of one ensemble."
                )
    return LossHistories(
        epochs=np.arange(1, len(first[_VALIDATION]) + 1),
        training=np.stack([network[_TRAINING] for network in networks]),
        validation=np.stack([network[_VALIDATION] for network in networks]),
        attributes={name: first.attributes[name] for name in ENSEMBLE if name in first.attributes},
    )
