"""Convergence of the training: power ratio and range of networks against the settings.

Networks are trained on one box of the default configuration and applied to another. Both have seeds
that no configuration uses, so that no result is judged on them. The workflow makes what the
trainings need; rows that are done are kept in ``results/convergence/rows.json``.

    python benchmarks/convergence.py            a Markdown table; an hour on two cores
    python benchmarks/convergence.py --sets 3Rf 1Rf --rows 0 3
"""

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import yaml

from lagbias.bias.ensemble import Ensemble, with_unit_mean
from lagbias.bias.spectra import Spectra
from lagbias.claims.measured import mean_between, mean_ratio, spread
from lagbias.config.model import Config, format_radius, load
from lagbias.runtime.atomic import write_text
from lagbias.stages.ensembles import load_input_matrix, load_inputs_at_sites
from lagbias.stages.evaluation import evaluate
from lagbias.stages.samples import load_samples
from lagbias.stages.sites import load_sites
from lagbias.training.loop import train
from lagbias.training.network import Network
from lagbias.training.training_set import TrainingSet

ROOT = Path(__file__).parents[1]
RUN, SAMPLE = "convergence", "threshold"
BOXES = {"box0": 7001, "box1": 7003}  # trains, validates
RESULTS = Path("results", RUN)
ROWS = RESULTS / "rows.json"
SEEDS = range(4)
THREADS = 2
#: Learning rate of the last epoch over that of the first, as in the paper.
TOTAL_DECAY = 0.9**50
BUMP = (0.2, 0.4)  # [h/Mpc]


@dataclass(frozen=True)
class Row:
    """Settings of one row: sizes of sub-sample, training set and batches, and passes."""

    particles: int  # mean number in a cell
    cells: float  # fraction of those of the box
    batch: int  # cells
    epochs: int
    learning_rate: float = 2e-3


TABLE = [
    Row(36, 0.25, 60, 8),
    Row(36, 0.25, 240, 25),
    Row(9, 1, 240, 20),
    Row(15, 1, 240, 12),
    Row(15, 1, 1000, 12),
    Row(15, 1, 1000, 25),
    Row(36, 1, 240, 5),
    Row(36, 1, 240, 12),
    Row(36, 1, 1000, 12),
]


def main() -> None:
    """Train what is missing of the chosen rows and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sets", nargs="+", default=["1Rf", "3Rf"], help="smoothing sets")
    parser.add_argument("--rows", nargs="+", type=int, default=range(len(TABLE)), help="indices")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    config = make_boxes(arguments.sets)
    done = json.loads(ROWS.read_text()) if ROWS.exists() else []
    known = {(row["set"], Row(**row["settings"])): row for row in done}
    for row in (TABLE[index] for index in arguments.rows):
        for name in arguments.sets:
            if (name, row) not in known:
                measured = measure(config, name, row)
                done.append({"set": name, "settings": asdict(row), **measured})
                write_text(ROWS, json.dumps(done, indent=1) + "\n")
    sys.stdout.write(as_markdown(done))


def make_boxes(sets: list[str]) -> Config:
    """Run the workflow up to halo fields, features and whitening of both boxes."""
    boxes = list(BOXES)
    overrides = {
        "run": RUN,
        "embedded": {"boxes": BOXES},
        "boxes": {"train": boxes[:1], "validation": boxes[1:]},
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / "config.yaml"
    file.write_text(yaml.safe_dump(overrides))
    raw = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    raw["embedded"] |= overrides["embedded"]
    config = load(raw | {"run": RUN, "boxes": overrides["boxes"]})
    targets = [str(halo_fields(box)) for box in boxes]
    targets += [str(whitening(name)) for name in sets]
    targets += [path for box in boxes for name in sets for path in features(config, box, name)]
    command = ["snakemake", "--cores", str(THREADS), "--quiet", "--configfile", str(file), "--"]
    subprocess.run([*command, *targets], check=True)
    return config


def particles(box: str) -> Path:
    """Return the path of a box's particles."""
    return RESULTS / "boxes" / box / "particles.h5"


def halo_fields(box: str) -> Path:
    """Return the path of a box's halo fields."""
    return RESULTS / "halo_fields" / box / f"{SAMPLE}.h5"


def whitening(name: str) -> Path:
    """Return the path of the whitening of a set."""
    return RESULTS / "whitening" / next(iter(BOXES)) / f"{name}.h5"


def features(config: Config, box: str, name: str) -> list[str]:
    """Return the paths of the features of a set."""
    radii = map(format_radius, config.smoothing_sets[name])
    return [str(RESULTS / "features" / box / f"rf{radius}.h5") for radius in radii]


def measure(config: Config, name: str, row: Row) -> dict:
    """Train an ensemble with the settings of a row and measure it on the validation box."""
    train_box, validation_box = BOXES
    inputs_at = load_inputs_at_sites(
        features(config, train_box, name), load_input_matrix("full", whitening(name))
    )
    n_cells = round(config.embedded.box_size / config.training.cell_size) ** 3
    all_sites = load_sites(particles(train_box))
    settings = config.training.model_copy(
        update={
            "subsample": row.particles * n_cells / all_sites.size,
            "cells_per_batch": row.batch,
            "epochs": row.epochs,
            "learning_rate": row.learning_rate,
            "learning_rate_decay": TOTAL_DECAY ** (1 / row.epochs),
            "validation_interval": row.epochs,
        }
    )
    elsewhere = load_inputs_at_sites(
        features(config, validation_box, name), load_input_matrix("full", whitening(name))
    )
    drawn = {"fraction": settings.subsample, "sampling": settings.sampling}
    samples = load_samples(
        particles(train_box), halo_fields(train_box), inputs_at, seeds=SEEDS, **drawn
    )
    (validation,) = load_samples(
        particles(validation_box), halo_fields(validation_box), elsewhere, seeds=[0], **drawn
    )
    samples = [first_cells(sample, round(row.cells * n_cells)) for sample in samples]
    every = inputs_at(all_sites[::7])

    def network(seed: int):
        trained = train(samples[seed], settings, seed=seed, validation=validation)
        return with_unit_mean(trained, every, device="cpu")

    start = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        networks = list(pool.map(network, SEEDS))
    seconds = (time.perf_counter() - start) * THREADS / len(SEEDS)
    spectra, _ = evaluate(
        Ensemble(networks, device="cpu"),
        elsewhere,
        particles(validation_box),
        halo_fields(validation_box),
        seeds=SEEDS,
        threads=THREADS,
    )
    return summary(spectra) | {
        "loss": last("loss_per_cell", networks),
        "validation loss": last("validation_loss_per_cell", networks),
        "seconds": seconds,
    }


def first_cells(sample: TrainingSet, count: int) -> TrainingSet:
    """Return the first occupied cells of a training set, which fill a slab of the box."""
    count = min(count, len(sample.target))
    end = sample.cell_start[count]
    return TrainingSet(
        inputs=sample.inputs[:end],
        cell_start=sample.cell_start[: count + 1],
        cell_factor=sample.cell_factor[:count],
        target=sample.target[:count],
        n_cells=count,
    )


def last(name: str, networks: list[Network]) -> float:
    """Return the mean of the last values of a history."""
    return float(np.mean([network.history[name][-1] for network in networks]))


def summary(spectra: Spectra) -> dict:
    """Return ⟨R⟩ of the average f, the range of the networks, and R of its bump."""
    return {
        "ratio": float(mean_ratio(spectra)),
        "range": float(spread(spectra)),
        "bump": float(mean_between(spectra, *BUMP)),
    }


def as_markdown(rows: list[dict]) -> str:
    """Return the table."""
    lines = [
        "| set | particles a cell | cells | batch | epochs | rate | s a network | loss "
        f"| validation loss | ⟨R⟩ | range | R at {BUMP[0]}–{BUMP[1]} |",
        "|" + "---|" * 12,
    ]
    for row in sorted(rows, key=lambda row: row["set"]):
        settings = row["settings"]
        cells = [row["set"], *(f"{value:g}" for value in settings.values())]
        cells += [f"{row['seconds']:.1f}", f"{row['loss']:.3f}", f"{row['validation loss']:.3f}"]
        cells += [f"{row[name]:.3f}" for name in ("ratio", "range", "bump")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
