"""Models of ``make beyond`` on eight more boxes, which are used for nothing else.

Two boxes of 250 Mpc/h leave ⟨P_model/P_h⟩ at k < 0.1 h/Mpc uncertain by 0.009, eight by half of it
(`box_variance.py`). The workflow makes what is missing in the run ``embedded``, beside the
artefacts of ``make figures`` and ``make beyond``, whose networks it uses, and continues where it
was. The table has means over the boxes and their standard errors.

    python benchmarks/eight_boxes.py
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import yaml
from shared import make

from lagbias.artefacts import store
from lagbias.bias.comparison import Comparison
from lagbias.bias.comparison_summary import ModelSummary, OverBoxes, model_name, summarise
from lagbias.bias.spectra import Spectra
from lagbias.runtime.atomic import write_text
from lagbias.runtime.markdown import markdown_table

ROOT = Path(__file__).parents[1]
RUN, TRAIN_BOX, SAMPLE = "embedded", "box0", "threshold"
BOXES = {f"box{number}": 3100 + number for number in range(10, 18)}
ALL_SETS = ("1Rf", "3Rf", "3Rf+11.3", "3Rf_coarse", "3Rf_fine", "5Rf_fine")
NETWORKS: Mapping[str, tuple[str, ...]] = {
    "full": ALL_SETS,
    "fourier": ALL_SETS,
    "two_boxes": ("3Rf",),
    "four_boxes": ("3Rf",),
    "two_inputs": ("3Rf",),
}
BASELINES = ("polynomial", "transfer", "gaussian", "filtered_least_squares")
MODELS = NETWORKS | dict.fromkeys(BASELINES, ("1Rf",))
THREADS = 2


def main() -> None:
    """Make what is missing and print the table."""
    config = Path("results", RUN, "eight_boxes.yaml")
    overrides = {"embedded": {"boxes": BOXES}, "beyond": {"validation": list(BOXES)}}
    write_text(config, yaml.safe_dump(overrides))
    comparisons, spectra = paths("comparisons", MODELS), paths("spectra", NETWORKS)
    targets = [path for each in (comparisons, spectra) for some in each.values() for path in some]
    make(targets, [ROOT / "config" / "beyond.yaml", config], THREADS)
    rows = []
    for model, files in comparisons.items():
        networks = [store.read(path, Spectra) for path in spectra.get(model, ())]
        summary = summarise([store.read(path, Comparison) for path in files], networks)
        rows.append([model_name(model[0]), model[1], *numbers(summary, networks)])
    print(markdown_table(HEAD, rows))


def paths(kind: str, models: Mapping[str, Iterable[str]]) -> dict[tuple[str, str], list[str]]:
    """Return the paths of a kind of artefact on every box, by model and smoothing set."""
    return {
        (inputs, name): [
            f"results/{RUN}/{kind}/{TRAIN_BOX}/{SAMPLE}/{name}/{inputs}/on_{box}.h5"
            for box in BOXES
        ]
        for inputs, sets in models.items()
        for name in sets
    }


HEAD = (
    "model",
    "smoothing set",
    "⟨P_model/P_h⟩, k < 0.1",
    "range of networks",
    "largest deviation to k = 0.3",
    "to 0.6",
    "⟨P_hm/P_h⟩, k < 0.1",
    "largest deviation to k = 0.3",
    "⟨P_uncorr/P_h⟩, k < 0.1",
    "0.1 to 0.3",
    "error power over shot noise, k < 0.1",
    "0.1 to 0.3",
    "skewness, 10 Mpc/h",
    "bispectrum",
)


def numbers(summary: ModelSummary, networks: list[Spectra]) -> list[str]:
    """Return the columns of a model after its name, in the order of `HEAD`."""
    return [
        mean(summary.ratio, 4),
        f"{range_of(networks):.4f}" if networks else "–",
        f"{summary.ratio_deviation_to_0_3:.4f}",
        f"{summary.ratio_deviation_to_0_6:.4f}",
        mean(summary.cross_ratio, 4),
        f"{summary.cross_deviation_to_0_3:.4f}",
        mean(summary.uncorrelated, 5),
        mean(summary.uncorrelated_0_1_to_0_3, 5),
        mean(summary.error_power, 4),
        mean(summary.error_power_0_1_to_0_3, 4),
        mean(summary.skewness_ratio["10"], 3),
        mean(summary.bispectrum["all"], 3),
    ]


def range_of(networks: list[Spectra]) -> float:
    """Return the range over networks of their ⟨P_model/P_h⟩, k < 0.1, averaged over boxes."""
    return float(np.ptp(np.mean([on_box.mean_ratios(0.1) for on_box in networks], axis=0)))


def mean(values: OverBoxes, digits: int) -> str:
    """Write a mean over the boxes with its standard error."""
    error = np.std(values.boxes, ddof=1) / np.sqrt(len(values.boxes))
    return f"{values.mean:.{digits}f} ± {error:.{digits}f}"


if __name__ == "__main__":
    main()
