"""Table of the models beyond the paper: numbers of each one over all validation boxes."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lagbias.artefacts import store
from lagbias.bias.comparison import Comparison
from lagbias.bias.comparison_summary import (
    ModelSummary,
    OverBoxes,
    group_by_model,
    model_name,
    summarise,
)
from lagbias.bias.spectra import Spectra
from lagbias.runtime.atomic import write_text
from lagbias.runtime.markdown import markdown_table

__all__ = ["as_json", "as_markdown", "tabulate_comparison"]

_INTRODUCTION = (
    "Mean over the boxes {boxes} and, in brackets, each of them. ⟨·⟩ is the mean over modes, k is "
    "in h/Mpc, all numbers are dimensionless. The networks' model is their average f, and their "
    "range is that of ⟨P_model/P_h⟩ on the box where it is largest. Mode scatter: standard "
    "deviation of that mean over the boxes from their finite number of modes, √(4(1 − r²)/N) for "
    "Gaussian fields. Largest deviations are of the spectra summed over boxes, in bins of at least "
    "100 modes of each box. A is the amplitude in B_model = A B_h."
)
#: What a row begins with.
_FIRST_COLUMNS = ("model", "smoothing set", "halos")


def tabulate_comparison(
    comparisons: Sequence[str | Path],
    spectra: Sequence[str | Path],
    run: str,
    outputs: Mapping[str, str | Path],
) -> None:
    """Sum up every model and write ``markdown`` and ``json``.

    `comparisons` are of all models on all boxes, `spectra` of the networks among them.
    """
    networks = group_by_model(store.read(path, Spectra) for path in spectra)
    models = group_by_model(store.read(path, Comparison) for path in comparisons)
    summaries = [summarise(some, networks.get(model, ())) for model, some in models.items()]
    write_text(outputs["markdown"], as_markdown(summaries, run))
    write_text(outputs["json"], as_json(summaries, run))


def as_json(summaries: Sequence[ModelSummary], run: str) -> str:
    """Return all numbers as JSON; what was not measured is null."""
    models = [{"model": model_name(each.inputs), **asdict(each)} for each in summaries]
    table = {"run": run, "models": _without_nan(models)}
    return json.dumps(table, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def as_markdown(summaries: Sequence[ModelSummary], run: str) -> str:
    """Return a Markdown page with a row for each model; what was not measured is a dash.

    Raises
    ------
    ValueError
        If the models were compared on different boxes.
    """
    boxes = list(dict.fromkeys(each.boxes for each in summaries))
    if len(boxes) != 1:
        raise ValueError(f"Models were compared on the boxes {boxes}; compare all on the same.")
    lines = [f"# Models of the run {run}", "", _INTRODUCTION.format(boxes=" and ".join(boxes[0]))]
    tables = {
        "Power spectra": _POWER_COLUMNS,
        "Densities and bispectra": _higher_order_columns(summaries[0]),
    }
    for title, columns in tables.items():
        rows = (
            [model_name(each.inputs), each.smoothing_set, each.sample]
            + [_cell(value(each)) for value in columns.values()]
            for each in summaries
        )
        lines += ["", f"## {title}", "", markdown_table([*_FIRST_COLUMNS, *columns], rows)]
    return "\n".join(lines) + "\n"


_Column = Callable[[ModelSummary], OverBoxes | float]
#: What the columns of power spectra show.
_POWER_COLUMNS: Mapping[str, _Column] = {
    "⟨P_model/P_h⟩, k < 0.1": lambda s: s.ratio,
    "mode scatter": lambda s: s.ratio_scatter.mean,
    "range of networks": lambda s: s.ratio_range,
    "largest abs(P_model/P_h − 1), k ≤ 0.3": lambda s: s.ratio_deviation_to_0_3,
    "largest abs(P_model/P_h − 1), k ≤ 0.6": lambda s: s.ratio_deviation_to_0_6,
    "⟨P_hm/P_h⟩, k < 0.1": lambda s: s.cross_ratio,
    "largest abs(P_hm/P_h − 1), k ≤ 0.3": lambda s: s.cross_deviation_to_0_3,
    "⟨P_uncorr/P_h⟩, k < 0.1": lambda s: s.uncorrelated,
    "⟨P_uncorr/P_h⟩, 0.1 ≤ k < 0.3": lambda s: s.uncorrelated_0_1_to_0_3,
    "⟨r⟩, 0.3 ≤ k < 0.6": lambda s: s.correlation_0_3_to_0_6,
    "⟨P_err⟩/shot noise, k < 0.1": lambda s: s.error_power,
    "⟨P_err⟩/shot noise, 0.1 ≤ k < 0.3": lambda s: s.error_power_0_1_to_0_3,
}


def _higher_order_columns(summary: ModelSummary) -> Mapping[str, _Column]:
    """Return the columns of the densities, for each radius, and of the bispectra."""
    columns: dict[str, _Column] = {}
    for radius in summary.wasserstein:
        columns[f"Wasserstein distance/σ_h, {radius} Mpc/h"] = lambda s, r=radius: s.wasserstein[r]
    for radius in summary.skewness_ratio:
        columns[f"skewness, model/halos, {radius} Mpc/h"] = lambda s, r=radius: s.skewness_ratio[r]
    for triangles in summary.bispectrum:
        columns[f"A, {triangles} triangles"] = lambda s, t=triangles: s.bispectrum[t]
    return columns


def _cell(value: OverBoxes | float) -> str:
    """Write a number with its values on the boxes, such as "0.981 (0.979, 0.983)"."""
    if isinstance(value, OverBoxes):
        return f"{_cell(value.mean)} ({', '.join(map(_cell, value.boxes))})"
    if math.isnan(value):
        return "–"
    # small numbers keep three digits, the others three decimals
    return f"{value:.3f}" if abs(value) >= 0.1 else f"{value:.3g}"


def _without_nan(value: Any) -> Any:
    """Replace NaN by None in nested mappings and sequences."""
    if isinstance(value, Mapping):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value
