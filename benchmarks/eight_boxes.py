"""Models of ``make beyond`` on eight more boxes, which are used for nothing else.

Two boxes of 250 Mpc/h leave ⟨P_model/P_h⟩ at k < 0.1 h/Mpc uncertain by 0.009, eight by half of it
(`box_variance.py`). The workflow makes what is missing in the run ``embedded``, beside the
artefacts of ``make figures`` and ``make beyond``, whose networks it uses, and continues where it
was. The table has means over the boxes and their standard errors, and the range of the networks'
means.

    python benchmarks/eight_boxes.py
    python benchmarks/eight_boxes.py --first 18 --sets 1Rf 3Rf --models full full_transfer
"""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml
from shared import make

from lagbias.artefacts import store
from lagbias.bias.comparison import Comparison
from lagbias.bias.comparison_summary import ModelSummary, OverBoxes, model_name, summarise
from lagbias.bias.spectra import Spectra
from lagbias.cli.configfile import load
from lagbias.config.checks import BASELINES
from lagbias.runtime.atomic import write_text
from lagbias.runtime.markdown import markdown_table
from lagbias.schema.labels import WITH_TRANSFER

BEYOND = Path(__file__).parents[1] / "config" / "beyond.yaml"
CONFIG = load(BEYOND)
SETS = CONFIG.threshold_sets()
#: Smoothing sets of the networks and of all models.
NETWORKS = {
    "full": SETS,
    **{name: variant.sets for name, variant in CONFIG.beyond.variants.items()},
    **{name + WITH_TRANSFER: sets for name, sets in CONFIG.beyond.transfer.items()},
}
MODELS = NETWORKS | {name: [CONFIG.beyond.baseline_set] for name in BASELINES}
THREADS = 2


def main() -> None:
    """Make what is missing and print the table."""
    parser = argparse.ArgumentParser(description="Models on eight more boxes.")
    parser.add_argument("--first", type=int, default=10, help="number of the first box")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    options = parser.parse_args()
    boxes = {f"box{number}": 3100 + number for number in range(options.first, options.first + 8)}
    config = Path("results", CONFIG.run, "eight_boxes.yaml")
    overrides = {"embedded": {"boxes": boxes}, "beyond": {"validation": list(boxes)}}
    write_text(config, yaml.safe_dump(overrides))
    chosen = {
        name: [each for each in MODELS[name] if each in options.sets] for name in options.models
    }
    comparisons = paths("comparisons", chosen, boxes)
    spectra = paths("spectra", {name: chosen[name] for name in chosen if name in NETWORKS}, boxes)
    targets = [path for each in (comparisons, spectra) for some in each.values() for path in some]
    make(targets, [BEYOND, config], THREADS)
    rows = [
        row(
            *model,
            summarise([store.read(path, Comparison) for path in files]),
            [store.read(path, Spectra) for path in spectra.get(model, ())],
        )
        for model, files in comparisons.items()
    ]
    print(markdown_table(["model", "set", *COLUMNS, "range"], rows))


def paths(
    kind: str, models: Mapping[str, Iterable[str]], boxes: Iterable[str]
) -> dict[tuple[str, str], list[str]]:
    """Return the paths of a kind of artefact on every box, by model and smoothing set."""
    of_kind = f"results/{CONFIG.run}/{kind}/{CONFIG.boxes.train[0]}/{CONFIG.sample}"
    return {
        (inputs, name): [f"{of_kind}/{name}/{inputs}/on_{box}.h5" for box in boxes]
        for inputs, sets in models.items()
        for name in sets
    }


def row(inputs: str, name: str, summary: ModelSummary, networks: Sequence[Spectra]) -> list[str]:
    """Return the cells of a model.

    The last one is the range over networks, if any, of ⟨P_model/P_h⟩, k < 0.1, averaged over boxes.
    """
    means = [on_box.mean_ratios(0.1) for on_box in networks]
    of_networks = f"{np.ptp(np.mean(means, axis=0)):.4f}" if means else "–"
    numbers = [cell(summary) for cell in COLUMNS.values()]
    return [model_name(inputs), name, *numbers, of_networks]


def with_error(value: OverBoxes) -> str:
    """Write a mean over boxes with its standard error."""
    return f"{value.mean:.3f} ± {np.std(value.boxes, ddof=1) / len(value.boxes) ** 0.5:.3f}"


def means_of(*values: OverBoxes, digits: int = 3) -> str:
    """Write means over boxes."""
    return ", ".join(f"{value.mean:.{digits}f}" for value in values)


#: What the columns show. Deviations are of the spectra summed over boxes.
COLUMNS: Mapping[str, Callable[[ModelSummary], str]] = {
    "⟨P_model/P_h⟩, k < 0.1": lambda s: with_error(s.ratio),
    "largest deviation to k = 0.3, to 0.6": lambda s: (
        f"{100 * s.ratio_deviation_to_0_3:.1f} %, {100 * s.ratio_deviation_to_0_6:.1f} %"
    ),
    "⟨P_hm/P_h⟩, k < 0.1": lambda s: with_error(s.cross_ratio),
    "⟨P_uncorr/P_h⟩, k < 0.1, 0.1 to 0.3": lambda s: means_of(
        s.uncorrelated, s.uncorrelated_0_1_to_0_3, digits=4
    ),
    "error power over shot noise, k < 0.1, 0.1 to 0.3": lambda s: means_of(
        s.error_power, s.error_power_0_1_to_0_3
    ),
    "skewness, 10 Mpc/h": lambda s: with_error(s.skewness_ratio["10"]),
    "bispectrum": lambda s: with_error(s.bispectrum["all"]),
}


if __name__ == "__main__":
    main()
