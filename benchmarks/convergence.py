"""Convergence of the training: power ratio and range of networks against the settings.

Ensembles are trained on one box of the default configuration and applied to another, and the
reverse. The boxes have seeds that no configuration uses, so that no run is judged on what its
settings were chosen with. The workflow makes what the trainings need. Finished rows are kept in
``results/convergence/rows.json`` and not trained again.

    python benchmarks/convergence.py                 settings of the training; half an hour
    python benchmarks/convergence.py --table sets    what the sets of scales depend on
    python benchmarks/convergence.py --table fourier     settings of the Fourier-space loss
    python benchmarks/convergence.py --table constraint  how ⟨f⟩ = 1 is imposed
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
import yaml
from shared import make

from lagbias.artefacts import store
from lagbias.bias.ensemble import Ensemble
from lagbias.bias.ensemble_training import mean_stride, train_ensemble
from lagbias.claims.measured import mean_between, mean_ratio, mean_ratios
from lagbias.cli.configfile import load
from lagbias.config.model import Config, format_radius
from lagbias.grids.halo_field import HaloFields, select, weighted_overdensity
from lagbias.grids.power import mode_weighted_mean
from lagbias.runtime.atomic import write_text
from lagbias.runtime.markdown import markdown_table
from lagbias.sources.base import Halos, Particles
from lagbias.stages.ensembles import load_input_matrix, load_inputs_of
from lagbias.stages.evaluation import evaluate
from lagbias.stages.particle_features import count_particles
from lagbias.training.network import Network
from lagbias.training.training_set import TrainingSet, sample_box

ROOT = Path(__file__).parents[1]
RUN, SAMPLE = "convergence", "threshold"
BOXES = {"box0": 7001, "box1": 7003}
RESULTS = Path("results", RUN)
ROWS = RESULTS / "rows.json"
SEEDS = range(4)
THREADS = 2
#: Learning rate of the last epoch over that of the first, as in the paper.
TOTAL_DECAY = 0.9**50
BUMP = (0.2, 0.4)  # [h/Mpc]


@dataclass(frozen=True)
class Row:
    """Settings of an ensemble."""

    cells: int  # of the box, per side
    particles: int  # mean number in a cell
    batch: int  # cells
    epochs: int
    learning_rate: float = 2e-3
    sampling: str = "even"
    fourier_rounds: int = 0
    fourier_cut: float = 0.5  # [h/Mpc]
    fourier_power_weight: float = 0.0
    constraint: str = "normalise"
    constraint_sample: int = 100_000  # particles


DEFAULT = Row(30, 30, 40, 20)
#: The authors' penalty; with their 100,000 particles a network would take 20 minutes.
PENALTY = replace(DEFAULT, constraint="fixed_sample", constraint_sample=5_000)
#: Rows, sets and training boxes of each table.
TABLES = {
    "training": (
        [
            Row(50, 13, 160, 6),
            Row(50, 13, 160, 12),
            Row(50, 13, 320, 25),
            Row(50, 13, 160, 12, 5e-3),
            Row(40, 26, 60, 12),
            Row(30, 60, 16, 12),
            DEFAULT,
            Row(30, 30, 40, 24),
            Row(30, 60, 40, 24),
            Row(25, 104, 25, 24),
        ],
        ["3Rf"],
        list(BOXES),
    ),
    "sets": (
        [
            DEFAULT,
            Row(30, 30, 40, 50),
            Row(30, 30, 40, 20, sampling="random"),
            Row(50, 13, 320, 25),
            PENALTY,
        ],
        ["3Rf", "3Rf+11.3", "3Rf_fine", "5Rf_fine"],
        ["box0"],
    ),
    "fourier": (
        [
            DEFAULT,
            replace(DEFAULT, fourier_rounds=2),
            *(
                replace(DEFAULT, fourier_rounds=2, fourier_cut=cut, fourier_power_weight=weight)
                for cut, weight in ((0.5, 2.0), (0.5, 10.0), (0.6, 5.0))
            ),
            replace(DEFAULT, fourier_rounds=4, fourier_cut=0.6, fourier_power_weight=5.0),
        ],
        ["1Rf", "3Rf"],
        ["box0"],
    ),
    "constraint": (
        [DEFAULT, PENALTY, replace(DEFAULT, constraint="per_batch")],
        ["3Rf"],
        ["box0"],
    ),
}


def main() -> None:
    """Train what is missing and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--table", choices=TABLES, default="training")
    rows, sets, boxes = TABLES[parser.parse_args().table]
    torch.set_num_threads(1)
    config = make_boxes(sets)
    done = json.loads(ROWS.read_text("utf-8")) if ROWS.exists() else []
    known = {(each["set"], each["train box"], Row(**each["row"])): each for each in done}
    wanted = list(product(sets, boxes, rows))
    for name, box, row in wanted:
        if (name, box, row) not in known:
            found = measure(config, name, box, row)
            known[name, box, row] = {"set": name, "train box": box, "row": asdict(row), **found}
            write_text(ROWS, json.dumps(list(known.values()), indent=1) + "\n")
    # of the wanted rows: stored ones may lack settings that were added later
    found = [{**known[one], "row": asdict(one[-1])} for one in wanted]
    print(as_markdown(found))


def make_boxes(sets: list[str]) -> Config:
    """Run the workflow up to features and whitening of both boxes."""
    config = load(ROOT / "config" / "config.yaml")
    for train_box, validation_box in (BOXES, reversed(BOXES)):
        overrides = {
            "run": RUN,
            "embedded": {"boxes": BOXES},
            "boxes": {"train": [train_box], "validation": [validation_box]},
        }
        file = RESULTS / f"{train_box}.yaml"
        write_text(file, yaml.safe_dump(overrides))
        targets = [stored("halo_fields", validation_box, SAMPLE)]
        targets += [stored("whitening", train_box, name) for name in sets]
        targets += [path for name in sets for path in features(config, train_box, name)]
        make(targets, [file], THREADS)
    return config


def stored(kind: str, box: str, name: str) -> str:
    """Return the path of an artefact of a box."""
    return str(RESULTS / kind / box / f"{name}.h5")


def features(config: Config, box: str, name: str) -> list[str]:
    """Return the paths of the features of a set."""
    radii = map(format_radius, config.smoothing_sets[name])
    return [stored("features", box, f"rf{radius}") for radius in radii]


def measure(config: Config, name: str, train_box: str, row: Row) -> dict:
    """Train an ensemble with the settings of a row and measure it on the other box."""
    (validation_box,) = set(BOXES) - {train_box}
    matrix = load_input_matrix("full", stored("whitening", train_box, name))
    inputs_of = {box: load_inputs_of(features(config, box, name), matrix) for box in BOXES}
    settings = config.training.model_copy(
        update={
            "cells_per_batch": row.batch,
            "epochs": row.epochs,
            "learning_rate": row.learning_rate,
            "learning_rate_decay": TOTAL_DECAY ** (1 / row.epochs),
            "validation_interval": row.epochs,
            "fourier_rounds": row.fourier_rounds,
            "fourier_cut": row.fourier_cut,
            "fourier_power_weight": row.fourier_power_weight,
            "constraint": row.constraint,
            "constraint_sample": row.constraint_sample,
        }
    )
    samples = draw(config, train_box, inputs_of[train_box], row, list(SEEDS))
    (validation,) = draw(config, validation_box, inputs_of[validation_box], row, [0])
    particles = count_particles(features(config, train_box, name))
    every = inputs_of[train_box](np.arange(0, particles, mean_stride(particles)))

    start = time.perf_counter()
    trained = train_ensemble(
        lambda _: samples,
        settings,
        seeds=list(SEEDS),
        every=every,
        validation=validation,
        at_once=len(SEEDS),
        threads=THREADS,
    )
    networks = sorted(trained, key=lambda network: network.seed)
    seconds = (time.perf_counter() - start) * THREADS / len(SEEDS)
    spectra, _ = evaluate(
        Ensemble(networks, device="cpu"),
        inputs_of[validation_box],
        stored("boxes", validation_box, "particles"),
        stored("halo_fields", validation_box, SAMPLE),
        seeds=SEEDS,
        threads=THREADS,
    )
    return {
        "seconds": seconds,
        "loss": last("loss_per_cell", networks),
        "validation loss": last("validation_loss_per_cell", networks),
        "ratio": float(mean_ratio(spectra)),
        "range": float(np.ptp(mean_ratios(spectra))),
        "deviation": float(mean_ratios(spectra).std(ddof=1)),
        "bump": float(mean_between(spectra, *BUMP)),
        "uncorrelated": float(mode_weighted_mean(spectra.uncorrelated, spectra.k, spectra.n_modes)),
    }


def draw(config: Config, box: str, inputs_of, row: Row, seeds: list[int]) -> list[TrainingSet]:
    """Draw training sets from a box, with the cells and particles of a row."""
    halos = store.read(stored("boxes", box, "halos"), Halos)
    chosen = select(halos.particles, halos.mass, **config.halo_samples[SAMPLE].limits())
    field = weighted_overdensity(
        halos.position[chosen], halos.mass[chosen], halos.box_size, row.cells, scheme="ngp"
    )
    particles = store.read(stored("boxes", box, "particles"), Particles)
    return sample_box(
        particles.position,
        particles.lagrangian_site,
        field,
        inputs_of,
        box_size=particles.box_size,
        n_side=particles.n_grid,
        fraction=row.particles * row.cells**3 / len(particles.position),
        sampling=row.sampling,
        seeds=seeds,
        evaluation=store.read_array(stored("halo_fields", box, SAMPLE), HaloFields, "evaluation"),
    )


def last(name: str, networks: list[Network]) -> float:
    """Return the mean of the last values of a history."""
    return float(np.mean([network.history[name][-1] for network in networks]))


def as_markdown(found: list[dict]) -> str:
    """Return the table."""
    head = ["set", "trained on", *found[0]["row"], *list(found[0])[3:]]
    rows = []
    for each in found:
        chosen = [
            f"{value:g}" if not isinstance(value, str) else value for value in each["row"].values()
        ]
        cells = [each["set"], each["train box"], *chosen]
        cells += [f"{value:.4g}" for value in list(each.values())[3:]]
        rows.append(cells)
    return markdown_table(head, rows)


if __name__ == "__main__":
    main()
