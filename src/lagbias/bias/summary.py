"""Summary of spectra on large scales: power ratio, correlation and ⟨f⟩."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lagbias.bias.spectra import Spectra
from lagbias.runtime.markdown import markdown_table

__all__ = ["SpectraSummary", "summarise", "table"]


@dataclass(frozen=True)
class SpectraSummary:
    """Quality of an ensemble's halo field below a maximum wavenumber, dimensionless."""

    train_box: str
    target_box: str
    smoothing_set: str
    inputs: str
    ratio: float  # mean of P_model/P_h of the average f over modes
    spread: float  # range (max − min) of this mean over the networks
    worst_ratio: float  # P_model/P_h of the bin where it is farthest from one
    lowest_correlation: float  # smallest r(k)
    mean_f: float  # ⟨f⟩ of the average f over the box, before division by it


def summarise(spectra: Spectra, *, k_max: float = 0.1) -> SpectraSummary:
    """Summarise spectra over the bins whose centres are below `k_max` [h/Mpc].

    Raises
    ------
    ValueError
        If there is no such bin.
    """
    large = spectra.k < k_max
    mean, means = spectra.mean_ratio(k_max), spectra.mean_ratios(k_max)
    ratio = spectra.ratio[large]
    names = ("train_box", "target_box", "smoothing_set", "inputs")
    return SpectraSummary(
        **{name: getattr(spectra, name) for name in names},
        ratio=mean,
        spread=float(np.ptp(means)),
        worst_ratio=float(ratio[np.argmax(np.abs(ratio - 1))]),
        lowest_correlation=float(spectra.correlation[large].min()),
        mean_f=float(spectra.average_mean_f[0]),
    )


def table(spectra: Iterable[Spectra], *, k_max: float = 0.1) -> str:
    """Format summaries as a Markdown table, sorted by training box, set, inputs and target box.

    `k_max` [h/Mpc] is as in `summarise`.
    """
    summaries = [summarise(one, k_max=k_max) for one in spectra]
    summaries.sort(key=lambda s: (s.train_box, s.smoothing_set, s.inputs, s.target_box))
    head = ["set", "inputs", "trained on", "applied to", "⟨P_model/P_h⟩", "spread of networks"]
    head += ["farthest bin", "lowest r", "⟨f⟩"]
    rows = (
        [
            s.smoothing_set,
            s.inputs,
            s.train_box,
            s.target_box,
            *(f"{value:.3f}" for value in (s.ratio, s.spread, s.worst_ratio)),
            *(f"{value:.4f}" for value in (s.lowest_correlation, s.mean_f)),
        ]
        for s in summaries
    )
    title = f"Bins below k = {k_max:g} h/Mpc; ⟨⟩ weighs bins by their number of modes."
    return f"{title}\n\n{markdown_table(head, rows)}"
