"""Numbers that sum up spectra: power ratio, correlation and ⟨f⟩ on large scales."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lagbias.artefacts import store
from lagbias.grids import power

__all__ = ["SpectraSummary", "summarise", "table"]

_NAMES = (
    "k",
    "n_modes",
    "halo_power",
    "model_power",
    "average_model_power",
    "average_cross_power",
    "average_mean_f",
)


@dataclass(frozen=True)
class SpectraSummary:
    """What an ensemble's halo field is worth at k below a limit.

    Attributes
    ----------
    train_box, target_box, smoothing_set, inputs : str
        Which ensemble, applied to which box.
    ratio : float
        P_model/P_h of the average f, averaged over modes, dimensionless.
    spread : float
        Largest less smallest such ratio among the networks, dimensionless.
    worst_ratio : float
        The bin's ratio that is farthest from one, dimensionless.
    lowest_correlation : float
        Smallest r(k) of any bin, dimensionless.
    mean_f : float
        ⟨f⟩ of the average f over the box, before division by it, dimensionless.
    """

    train_box: str
    target_box: str
    smoothing_set: str
    inputs: str
    ratio: float
    spread: float
    worst_ratio: float
    lowest_correlation: float
    mean_f: float


def summarise(path: str | Path, *, k_max: float = 0.1) -> SpectraSummary:
    """Sum up one file of spectra.

    Parameters
    ----------
    path : str or Path
        A spectra artefact.
    k_max : float, keyword-only
        Bins centred below this count [h/Mpc].

    Returns
    -------
    SpectraSummary
        The numbers.

    Raises
    ------
    lagbias.artefacts.store.ArtefactError
        If the file is not a spectra artefact.
    ValueError
        If it has no bin below `k_max`.
    """
    found = store.read(path, "spectra", _NAMES)
    halo_power, large = found["halo_power"], found["k"] < k_max
    ratio = found["average_model_power"] / halo_power
    correlation = power.correlation_coefficient(
        found["average_model_power"], found["average_cross_power"], halo_power
    )
    mean, *means = power.mode_weighted_mean(
        np.vstack([ratio, found["model_power"] / halo_power]),
        found["k"],
        found["n_modes"],
        k_max=k_max,
    )
    names = ("train_box", "target_box", "smoothing_set", "inputs")
    return SpectraSummary(
        **{name: found.attributes[name] for name in names},
        ratio=float(mean),
        spread=float(np.ptp(means)),
        worst_ratio=float(ratio[large][np.argmax(np.abs(ratio[large] - 1))]),
        lowest_correlation=float(correlation[large].min()),
        mean_f=float(found["average_mean_f"][0]),
    )


def table(paths: Iterable[str | Path], *, k_max: float = 0.1) -> str:
    """Write the summaries of some spectra as a Markdown table.

    Parameters
    ----------
    paths : iterable of str or Path
        Spectra artefacts.
    k_max : float, keyword-only
        Bins centred below this count [h/Mpc].

    Returns
    -------
    str
        One row per file, sorted by training box, set and target box.
    """
    summaries = [summarise(path, k_max=k_max) for path in paths]
    summaries.sort(key=lambda s: (s.train_box, s.smoothing_set, s.inputs, s.target_box))
    lines = [
        f"Bins below k = {k_max:g} h/Mpc; ⟨⟩ weighs bins by their number of modes.",
        "",
        "| set | inputs | trained on | applied to | ⟨P_model/P_h⟩ | spread of networks | "
        "farthest bin | lowest r | ⟨f⟩ |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {s.smoothing_set} | {s.inputs} | {s.train_box} | {s.target_box} | {s.ratio:.3f} | "
        f"{s.spread:.3f} | {s.worst_ratio:.3f} | {s.lowest_correlation:.4f} | {s.mean_f:.4f} |"
        for s in summaries
    ]
    return "\n".join(lines)
