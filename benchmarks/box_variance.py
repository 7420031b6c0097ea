"""Variance of power ratios from box to box: of boxes that train, and of boxes that are predicted.

Networks trained on each of four boxes of the default configuration are applied to the others and to
a fifth, with the paper's loss and with the Fourier-space loss. The boxes have seeds that no
configuration uses. The workflow makes everything, in ``results/box_variance``, and continues where
it was. The ratio R of training box i on box j is fitted with t_i + v_j; the table has the standard
deviations of t, of v, and of what is left.

    python benchmarks/box_variance.py
"""

from itertools import product
from pathlib import Path

import numpy as np
import yaml
from shared import make

from lagbias.artefacts import store
from lagbias.bias.spectra import Spectra
from lagbias.claims.measured import mean_between, spread
from lagbias.runtime.atomic import write_text
from lagbias.runtime.markdown import markdown_table

ROOT = Path(__file__).parents[1]
RUN, SET = "box_variance", "3Rf"
BOXES = {f"box{number}": 7001 + number for number in range(5)}
TRAIN, VALIDATION = ["box0", "box2", "box3", "box4"], "box1"
LOSSES = {"full": "as in the paper", "fourier": "Fourier-space"}
#: Ranges of wavenumber [h/Mpc].
RANGES = ((0.0, 0.1), (0.1, 0.3), (0.3, 0.6))
SEEDS = [0, 1]
THREADS = 2


def main() -> None:
    """Make what is missing and print the table."""
    config = Path("results", RUN, "config.yaml")
    overrides = {
        "run": RUN,
        "embedded": {"boxes": BOXES},
        "boxes": {"train": TRAIN, "validation": [VALIDATION]},
        "seeds": SEEDS,
    }
    write_text(config, yaml.safe_dump(overrides))
    pairs = [(train_box, box) for train_box, box in product(TRAIN, BOXES) if train_box != box]
    files = {(inputs, *pair): spectra(inputs, *pair) for inputs in LOSSES for pair in pairs}
    make(files.values(), [ROOT / "config" / "beyond.yaml", config], THREADS)
    found = {key: store.read(path, Spectra) for key, path in files.items()}
    print(as_markdown(found, pairs))


def spectra(inputs: str, train_box: str, box: str) -> str:
    """Return the path of the spectra of networks on a box."""
    return f"results/{RUN}/spectra/{train_box}/threshold/{SET}/{inputs}/on_{box}.h5"


def as_markdown(found: dict[tuple, Spectra], pairs: list[tuple[str, str]]) -> str:
    """Return a table with a row for each loss and range."""
    head = ["loss", "k [h/Mpc]", "mean R", "σ train", "σ predicted", "σ rest", "range of networks"]
    rows = []
    for inputs, loss in LOSSES.items():
        each = [found[inputs, *pair] for pair in pairs]
        networks = f"{np.mean([spread(one) for one in each]):.4f}"
        for low, high in RANGES:
            ratios = np.array([mean_between(one, low, high) for one in each])
            cells = [loss, f"{low:g} to {high:g}", f"{ratios.mean():.4f}"]
            cells += [f"{sigma:.4f}" for sigma in deviations(ratios, pairs)]
            rows.append([*cells, networks if low == 0 else "–"])
    return markdown_table(head, rows)


def deviations(ratios: np.ndarray, pairs: list[tuple[str, str]]) -> tuple[float, float, float]:
    """Return the standard deviations of t, v and the rest of R_ij = t_i + v_j + rest.

    Those of t and v contain the noise of their estimates, a third to a quarter of the rest's
    variance.
    """
    boxes = list(BOXES)
    design = np.zeros((len(pairs), len(TRAIN) + len(boxes)))
    for row, (train_box, box) in enumerate(pairs):
        design[row, TRAIN.index(train_box)] = 1.0
        design[row, len(TRAIN) + boxes.index(box)] = 1.0
    effects, _, rank, _ = np.linalg.lstsq(design, ratios, rcond=None)
    rest = ratios - design @ effects
    train, predicted = np.split(effects, [len(TRAIN)])
    return (
        float(train.std(ddof=1)),
        float(predicted.std(ddof=1)),
        float(np.sqrt(np.sum(rest**2) / (len(ratios) - rank))),
    )


if __name__ == "__main__":
    main()
