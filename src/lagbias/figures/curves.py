"""The curves that figures draw, from the spectra of one target box."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from lagbias.artefacts import store
from lagbias.grids import power

__all__ = [
    "RatioCurve",
    "Spectra",
    "check_same_order",
    "decorrelation_curve",
    "load_spectra",
    "ratio_curve",
    "rebin",
    "residual_curve",
]


class Labelled(Protocol):
    """What knows which ensemble it is of."""

    def attribute(self, name: str) -> str:
        """Return one of the attributes as text."""


@dataclass(frozen=True)
class Spectra:
    """Power spectra of one target box, as the prediction step stores them.

    Attributes
    ----------
    k : ndarray (b,) float64
        Wavenumber of each bin [h/Mpc].
    n_modes : ndarray (b,)
        Number of independent modes in each bin, dimensionless.
    halo_power, average_model_power, average_cross_power : ndarray (b,) float64
        Halo field, field of the average f, and their cross spectrum [(Mpc/h)^3].
    model_power, cross_power : ndarray (s, b) float64
        The same for each of the s nets [(Mpc/h)^3].
    seeds : ndarray (s,)
        Seed of each net.
    attributes : Mapping
        ``train_box``, ``target_box``, ``smoothing_set`` and the rest of the file's attributes.

    Raises
    ------
    ValueError
        If the arrays do not fit together.
    """

    k: np.ndarray
    n_modes: np.ndarray
    halo_power: np.ndarray
    model_power: np.ndarray
    cross_power: np.ndarray
    average_model_power: np.ndarray
    average_cross_power: np.ndarray
    seeds: np.ndarray
    attributes: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bins, nets = (len(self.k),), (len(self.seeds), len(self.k))
        expected = {
            "n_modes": bins,
            "halo_power": bins,
            "average_model_power": bins,
            "average_cross_power": bins,
            "model_power": nets,
            "cross_power": nets,
        }
        for name, shape in expected.items():
            found = np.shape(getattr(self, name))
            if found != shape:
                raise ValueError(
                    f"Spectra: `{name}` has shape {found} where {shape} is needed "
                    f"({nets[0]} seeds, {nets[1]} bins of k)."
                )

    def attribute(self, name: str) -> str:
        """Return one of the attributes as text, or raise ValueError naming what is missing."""
        if name not in self.attributes:
            raise ValueError(
                f"Spectra: the attribute `{name}` is missing, and the figure needs it for its "
                f"labels; present are {sorted(self.attributes)}. Make the spectra again."
            )
        return str(self.attributes[name])


@dataclass(frozen=True)
class RatioCurve:
    """A line with its band.

    Attributes
    ----------
    k : ndarray (b,)
        Wavenumber [h/Mpc].
    line, low, high : ndarray (b,)
        The average f, and the smallest and largest value among the nets, dimensionless.
    """

    k: np.ndarray
    line: np.ndarray
    low: np.ndarray
    high: np.ndarray


def load_spectra(path: str | os.PathLike) -> Spectra:
    """Read a spectra artefact.

    Parameters
    ----------
    path : path-like
        File of kind ``spectra``.

    Returns
    -------
    Spectra

    Raises
    ------
    lagbias.artefacts.store.ArtefactError
        If the file cannot be read or is of another kind.
    """
    names = [name for name in Spectra.__dataclass_fields__ if name != "attributes"]
    artefact = store.read(path, kind="spectra", names=names)
    return Spectra(**{name: artefact[name] for name in names}, attributes=dict(artefact.attributes))


def rebin(spectra: Spectra, *, k_from: float = 0.1, min_log_width: float = 0.08) -> Spectra:
    """Merge narrow bins at high k for readability; bins below `k_from` are left as they are.

    Powers are averaged with the number of modes as weight, so a merged bin holds what one wide
    bin would have measured. Ratios must be formed afterwards.

    Parameters
    ----------
    spectra : Spectra
    k_from : float
        Smallest wavenumber from which bins are merged [h/Mpc].
    min_log_width : float
        Merged bins span at least this in ln k, dimensionless.

    Returns
    -------
    Spectra
        With at most as many bins.
    """
    k, weights = np.asarray(spectra.k), np.asarray(spectra.n_modes, dtype=np.float64)
    starts = [0]
    for index in range(1, len(k)):
        first = k[starts[-1]]
        if first < k_from or np.log(k[index] / first) >= min_log_width:
            starts.append(index)
    total = np.add.reduceat(weights, starts)

    def average(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(np.asarray(values) * weights, starts, axis=-1) / total

    averaged = ("k", "halo_power", "model_power", "cross_power")
    averaged += ("average_model_power", "average_cross_power")
    return replace(
        spectra, n_modes=total, **{name: average(getattr(spectra, name)) for name in averaged}
    )


def ratio_curve(spectra: Spectra, *, k_max: float = 1.0) -> RatioCurve:
    """P_model / P_h of the average f, with the range of the nets.

    Parameters
    ----------
    spectra : Spectra
    k_max : float
        Bins above are left out [h/Mpc].

    Returns
    -------
    RatioCurve
    """
    return _curve(spectra, lambda model, cross, halo: model / halo, k_max)


def residual_curve(spectra: Spectra, *, k_max: float = 1.0) -> RatioCurve:
    """P_uncorr / P_h (Wu, Muñoz & Eisenstein 2023, eq. 3.1); arguments as in `ratio_curve`."""
    return _curve(
        spectra,
        lambda model, cross, halo: power.uncorrelated_power(model, cross, halo) / halo,
        k_max,
    )


def decorrelation_curve(spectra: Spectra, *, k_max: float = 1.0) -> RatioCurve:
    """1 - r with r = P_hm / sqrt(P_model P_h); arguments as in `ratio_curve`."""
    return _curve(
        spectra,
        lambda model, cross, halo: 1.0 - power.correlation_coefficient(model, cross, halo),
        k_max,
    )


def _curve(spectra: Spectra, function: Callable, k_max: float) -> RatioCurve:
    """Apply `function(model, cross, halo)` to the average f and to every net."""
    shown = spectra.k <= k_max
    halo = spectra.halo_power[shown]
    line = function(spectra.average_model_power[shown], spectra.average_cross_power[shown], halo)
    nets = function(spectra.model_power[:, shown], spectra.cross_power[:, shown], halo)
    return RatioCurve(spectra.k[shown], line, nets.min(axis=0), nets.max(axis=0))


def check_same_order(
    first: Sequence[Labelled],
    second: Sequence[Labelled],
    *,
    keys: Sequence[str],
    requirement: str,
) -> None:
    """Raise ValueError unless two lists are of the same ensembles, in the same order.

    Parameters
    ----------
    first, second : sequence
        What is drawn side by side; anything with ``attribute(name)``, such as `Spectra`.
    keys : sequence of str, keyword-only
        The attributes that tell ensembles and boxes apart.
    requirement : str, keyword-only
        What the lists must be, as the message says it.

    Raises
    ------
    ValueError
        If they differ, or are empty.
    """
    found = [
        [tuple(entry.attribute(key) for key in keys) for entry in entries]
        for entries in (first, second)
    ]
    if not found[0] or found[0] != found[1]:
        raise ValueError(f"{requirement}; got {found[0]} and {found[1]} as {tuple(keys)}.")
