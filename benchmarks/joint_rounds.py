"""Rounds of the Fourier-space loss on several boxes: the power of networks after each round.

Networks of three scales are trained with the paper's loss on one box or on four, and then have
rounds on the four together. After each round they are applied to these boxes and to one more. The
boxes have seeds that no configuration uses, so that no run is judged on what its settings were
chosen with. The workflow makes what the trainings need; finished trainings are kept in
``results/joint_rounds/rows.json``.

    python benchmarks/joint_rounds.py
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import torch
import yaml
from shared import make

from lagbias.bias.ensemble import Ensemble, with_unit_mean
from lagbias.bias.spectra import Spectra
from lagbias.claims.measured import mean_between
from lagbias.cli.configfile import load
from lagbias.config.model import format_radius
from lagbias.grids.power import mode_weighted_mean
from lagbias.runtime.atomic import write_text
from lagbias.runtime.markdown import markdown_table
from lagbias.stages.ensembles import load_input_matrix, load_inputs_of
from lagbias.stages.evaluation import evaluate
from lagbias.stages.train_networks import draw_together, mean_sample
from lagbias.stages.training_boxes import TrainingBox
from lagbias.training.fourier import FourierRounds
from lagbias.training.loop import take_epochs, train
from lagbias.training.network import Network
from lagbias.training.run import start

CONFIG = load(Path(__file__).parents[1] / "config" / "config.yaml")
RUN, SAMPLE, SET = "joint_rounds", "threshold", "3Rf"
RESULTS = Path("results", RUN)
ROWS = RESULTS / "rows.json"
BOXES = {f"box{number}": 7001 + number for number in range(5)}
TRAIN, OTHER = ["box0", "box2", "box3", "box4"], "box1"
#: Of the boxes that train, how many have the epochs.
WITH_EPOCHS = {"one of the boxes": 1, "all": 4}
ROUNDS, SEEDS, THREADS = 4, range(2), 2
#: Ranges of wavenumber [h/Mpc].
RANGES = ((0.0, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.45), (0.45, 0.6))


def main() -> None:
    """Train what is missing and print a table."""
    torch.set_num_threads(1)
    make_boxes()
    found = json.loads(ROWS.read_text("utf-8")) if ROWS.exists() else {}
    for name, count in WITH_EPOCHS.items():
        if name not in found:
            found[name] = measure(TRAIN[:count])
            write_text(ROWS, json.dumps(found, indent=1) + "\n")
    rows = [[name, *row] for name in WITH_EPOCHS for row in found[name]]
    head = ["epochs on", "rounds", "on", "loss", "range", "uncorrelated"]
    print(markdown_table([*head, *(f"R, {low:g} to {high:g}" for low, high in RANGES)], rows))


def make_boxes() -> None:
    """Run the workflow up to features of all boxes."""
    file = RESULTS / "config.yaml"
    overrides = {
        "run": RUN,
        "embedded": {"boxes": BOXES},
        "boxes": {"train": TRAIN, "validation": [OTHER]},
    }
    write_text(file, yaml.safe_dump(overrides))
    targets = [str(RESULTS / "whitening" / TRAIN[0] / f"{SET}.h5")]
    for box in map(paths_of, BOXES):
        targets += [box.halo_fields, *box.features]
    make(targets, [file], THREADS)


def paths_of(box: str) -> TrainingBox:
    """Return the paths of the artefacts of a box."""
    radii = map(format_radius, CONFIG.smoothing_sets[SET])
    return TrainingBox(
        particles=str(RESULTS / "boxes" / box / "particles.h5"),
        halo_fields=str(RESULTS / "halo_fields" / box / f"{SAMPLE}.h5"),
        features=[str(RESULTS / "features" / box / f"rf{radius}.h5") for radius in radii],
    )


def measure(with_epochs: Sequence[str]) -> list[list[str]]:
    """Train networks and return rows of the table, after each round on these boxes and another."""
    matrix = load_input_matrix("full", RESULTS / "whitening" / TRAIN[0] / f"{SET}.h5")
    with ThreadPoolExecutor(THREADS) as pool:
        each = list(pool.map(lambda seed: trained(seed, with_epochs, matrix), SEEDS))
    rows = []
    for number in range(ROUNDS):
        networks = [of_seed[number] for of_seed in each]
        loss = np.mean([network.history["fourier_loss"][-1] for network in networks])
        on = {box: apply(networks, box, matrix) for box in [*TRAIN, OTHER]}
        for label, chosen in (("these", TRAIN), ("another", [OTHER])):
            numbers = [loss, *averages([on[box] for box in chosen])]
            rows.append([str(number + 1), label, *(f"{value:.4f}" for value in numbers)])
    return rows


def trained(seed: int, with_epochs: Sequence[str], matrix: np.ndarray) -> list[Network]:
    """Return a network after each round."""
    settings = CONFIG.training.model_copy(
        update={  # the same number of steps
            "epochs": CONFIG.training.epochs // len(with_epochs),
            "learning_rate_decay": CONFIG.training.learning_rate_decay ** len(with_epochs),
        }
    )
    (data,) = draw_together(list(map(paths_of, with_epochs)), matrix, settings, [seed])
    initial = train(data, settings, seed=seed)
    boxes = list(map(paths_of, TRAIN))
    (data,) = draw_together(boxes, matrix, settings, [seed], whole=True)
    run = start(data, None, settings, seed, "cpu", Event())
    take_epochs(run, initial)
    rounds = FourierRounds(run, data.fields)
    every = mean_sample(boxes, matrix)
    networks = []
    for _ in range(ROUNDS):
        loss = rounds.run()
        network = replace(
            initial, weights=run.network.to_weights(), history={"fourier_loss": np.array([loss])}
        )
        networks.append(with_unit_mean(network, every))
    return networks


def apply(networks: Sequence[Network], box: str, matrix: np.ndarray) -> Spectra:
    """Return the spectra of networks on a box."""
    paths = paths_of(box)
    inputs_of = load_inputs_of(paths.features, matrix)
    ensemble = Ensemble(networks, device="cpu")
    chosen = (paths.particles, paths.halo_fields)
    return evaluate(ensemble, inputs_of, *chosen, seeds=SEEDS, threads=THREADS)[0]


def averages(on_boxes: Sequence[Spectra]) -> list[float]:
    """Return range, uncorrelated power at k < 0.1 h/Mpc and R in ranges of k, means over boxes."""
    means = np.mean([each.mean_ratios() for each in on_boxes], axis=0)
    uncorrelated = [
        mode_weighted_mean(each.uncorrelated, each.k, each.n_modes) for each in on_boxes
    ]
    ratios = [np.mean([mean_between(each, *limits) for each in on_boxes]) for limits in RANGES]
    return [np.ptp(means), float(np.mean(uncorrelated)), *map(float, ratios)]


if __name__ == "__main__":
    main()
