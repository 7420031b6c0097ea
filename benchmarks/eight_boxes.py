"""Models of ``make beyond`` on eight more boxes, which are used for nothing else.

Two boxes of 250 Mpc/h leave ⟨P_model/P_h⟩ at k < 0.1 h/Mpc uncertain by 0.009, eight by half of it
(`box_variance.py`). The workflow makes what is missing in the run ``embedded``, beside the
artefacts of ``make figures`` and ``make beyond``, whose networks it uses, and continues where it
was. The table has means over the boxes and their standard errors.

    python benchmarks/eight_boxes.py
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml
from shared import make

from lagbias.artefacts import store
from lagbias.bias.comparison import Comparison
from lagbias.bias.comparison_summary import OverBoxes, model_name, summarise
from lagbias.bias.spectra import Spectra
from lagbias.cli.configfile import load
from lagbias.config.checks import BASELINES
from lagbias.runtime.atomic import write_text
from lagbias.runtime.markdown import markdown_table
from lagbias.stages.tabulate_comparison import POWER_COLUMNS, higher_order_columns

BEYOND = Path(__file__).parents[1] / "config" / "beyond.yaml"
CONFIG = load(BEYOND)
BOXES = {f"box{number}": 3100 + number for number in range(10, 18)}
#: Smoothing sets of the networks and of all models.
NETWORKS = {
    "full": CONFIG.threshold_sets(),
    **{name: variant.sets for name, variant in CONFIG.beyond.variants.items()},
}
MODELS = NETWORKS | {name: [CONFIG.beyond.baseline_set] for name in BASELINES}
THREADS = 2


def main() -> None:
    """Make what is missing and print the table."""
    config = Path("results", CONFIG.run, "eight_boxes.yaml")
    overrides = {"embedded": {"boxes": BOXES}, "beyond": {"validation": list(BOXES)}}
    write_text(config, yaml.safe_dump(overrides))
    comparisons, spectra = paths("comparisons", MODELS), paths("spectra", NETWORKS)
    targets = [path for each in (comparisons, spectra) for some in each.values() for path in some]
    make(targets, [BEYOND, config], THREADS)
    rows = [
        row(*model, [store.read(path, Comparison) for path in files])
        | range_of([store.read(path, Spectra) for path in spectra.get(model, ())])
        for model, files in comparisons.items()
    ]
    print(markdown_table(list(rows[0]), (each.values() for each in rows)))


def paths(kind: str, models: Mapping[str, Iterable[str]]) -> dict[tuple[str, str], list[str]]:
    """Return the paths of a kind of artefact on every box, by model and smoothing set."""
    of_kind = f"results/{CONFIG.run}/{kind}/{CONFIG.boxes.train[0]}/{CONFIG.sample}"
    return {
        (inputs, name): [f"{of_kind}/{name}/{inputs}/on_{box}.h5" for box in BOXES]
        for inputs, sets in models.items()
        for name in sets
    }


def row(inputs: str, name: str, comparisons: Sequence[Comparison]) -> dict[str, str]:
    """Return the cells of a model by their columns, as in ``beyond.md``."""
    summary = summarise(comparisons)
    columns = POWER_COLUMNS | higher_order_columns(summary)
    numbers = {title: cell(value(summary)) for title, value in columns.items()}
    return {"model": model_name(inputs), "smoothing set": name} | numbers


def range_of(networks: Sequence[Spectra]) -> dict[str, str]:
    """Return the range over networks, if any, of ⟨P_model/P_h⟩, k < 0.1, averaged over boxes."""
    means = [on_box.mean_ratios(0.1) for on_box in networks]
    return {"range of networks": cell(np.ptp(np.mean(means, axis=0)) if means else np.nan)}


def cell(value: OverBoxes | float) -> str:
    """Write a number, with its standard error if it is a mean over boxes; a dash for NaN."""
    if isinstance(value, OverBoxes):
        return f"{cell(value.mean)} ± {cell(np.std(value.boxes, ddof=1) / len(value.boxes) ** 0.5)}"
    return "–" if np.isnan(value) else f"{value:.5f}"


if __name__ == "__main__":
    main()
