"""Transfer: what trained networks lose on boxes that differ from the one they were trained on.

The pretrained models, from one box of the default configuration, are applied to boxes of other
phases, redshift, halo definition, lower mass limit, gravity solver and resolution; and so are
models that are trained on such a box, of other phases than those they are applied to. The seeds are
those of no configuration. Boxes, models and finished rows are kept in ``results/transfer`` and not
made again; an interrupted run continues where it was.

    python benchmarks/transfer.py                                   full size; an hour
    python benchmarks/transfer.py --box-size 125 --particles-per-side 200
    python benchmarks/transfer.py --print                           only what is finished

The rows of another gravity solver need the package pysco-nbody and are left out without it.
"""

import argparse
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
from transfer_boxes import CONFIG, DEFAULT, Simulation, stored_box

import lagbias
from lagbias.bias.spectra import Spectra
from lagbias.grids.power import mode_weighted_mean
from lagbias.model.model import Model
from lagbias.runtime.atomic import write_text
from lagbias.runtime.markdown import markdown_table

MIN_PARTICLES = CONFIG.halo_samples["threshold"].min_particles
SETS = ("3Rf", "1Rf")
TRAIN_SEED, TARGET_SEED = 8101, 8102
NETWORKS = range(3)
#: Particles per side of the coarser simulation, over those of the others: 320 for 400.
COARSER = 0.8
INTERMEDIATE = (0.2, 0.3)  # [h/Mpc]
QUANTITIES = ("P_model/P_h", "P_hm/P_h", "P_uncorr/P_h", "r")
RESULTS = Path("results", "transfer")
log = logging.getLogger("transfer")


@dataclass(frozen=True)
class Row:
    """A kind of box: a simulation and the definition of its halos."""

    simulation: Simulation
    linking_length: float = DEFAULT.linking_length
    min_particles: int = MIN_PARTICLES

    @property
    def name(self) -> str:
        """Name in those of files."""
        return f"{self.simulation.name}_b{self.linking_length:g}_m{self.min_particles}"


def rows_of(box_size: float, particles: int) -> dict[str, Row]:
    """Return the rows of the table by what differs from the training box."""
    default = Simulation(box_size, particles)
    coarser = Simulation(box_size, round(COARSER * particles))
    # the number of particles of a halo with the default's lower mass limit
    same_mass = round(COARSER**3 * MIN_PARTICLES)
    return {
        "phases": Row(default),
        "b = 0.20": Row(default, linking_length=0.20),
        "b = 0.15": Row(default, linking_length=0.15),
        "30 particles": Row(default, min_particles=30),
        "60 particles": Row(default, min_particles=60),
        "z = 0.25": Row(Simulation(box_size, particles, redshift=0.25)),
        "z = 1": Row(Simulation(box_size, particles, redshift=1.0)),
        "coarser, same mass": Row(coarser, min_particles=same_mass),
        "coarser": Row(coarser),
        "PySCo": Row(Simulation(box_size, particles, solver="pysco")),
    }


def main() -> None:
    """Measure what is missing and print a table."""
    options = parse()
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    log.setLevel(logging.INFO)
    rows = rows_of(options.box_size, options.particles_per_side)
    chosen = {name: rows[name] for name in options.rows or rows}
    if find_spec("pysco") is None:
        chosen = {name: row for name, row in chosen.items() if row.simulation.solver != "pysco"}
        log.info("pysco-nbody is not installed; its rows are left out")
    known = read_rows(RESULTS / "rows.json")
    for set_name, (title, row) in product(options.sets, chosen.items()):
        if (set_name, row) not in known and not options.print:
            log.info("%s, %s", set_name, title)
            found = compare(row, set_name, options.threads)
            # read again: another run may have added rows
            known = read_rows(RESULTS / "rows.json") | {(set_name, row): found}
            write_rows(RESULTS / "rows.json", known)
    print(as_markdown(known, rows))


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--box-size", type=float, default=DEFAULT.box_size, help="L [Mpc/h]")
    add("--particles-per-side", type=int, default=DEFAULT.particles_per_side)
    add("--rows", nargs="+", choices=rows_of(1.0, 1), metavar="ROW", help="those of the table")
    add("--sets", nargs="+", choices=SETS, default=SETS)
    add("--threads", type=int, default=2)
    add("--print", action="store_true", help="print the finished rows and measure nothing")
    return parser.parse_args()


def read_rows(path: Path) -> dict[tuple[str, Row], dict]:
    """Return the finished rows: numbers of the transferred and the retrained model."""
    found = {}
    for each in json.loads(path.read_text("utf-8")) if path.exists() else []:
        settings = each["row"]
        row = Row(**settings | {"simulation": Simulation(**settings["simulation"])})
        found[each["set"], row] = each["found"]
    return found


def write_rows(path: Path, rows: Mapping[tuple[str, Row], dict]) -> None:
    """Write the finished rows."""
    listed = [
        {"set": set_name, "row": asdict(row), "found": found}
        for (set_name, row), found in rows.items()
    ]
    write_text(path, json.dumps(listed, indent=1) + "\n")


def compare(row: Row, set_name: str, threads: int) -> dict:
    """Apply the pretrained and a retrained model to the same box."""
    start = time.perf_counter()
    pretrained = lagbias.load(f"wu2023-{set_name}")
    path = RESULTS / "models" / f"{row.name}_{set_name}.safetensors"
    if not path.exists():
        box = stored_box(row.simulation, TRAIN_SEED, RESULTS / "boxes", threads)
        retrain(box, row, pretrained, path, threads)
    box = stored_box(row.simulation, TARGET_SEED, RESULTS / "boxes", threads)
    found = {
        "halos": len(halos_of(box, row)[1]),
        "transferred": measure(pretrained, box, row, threads),
        "retrained": measure(lagbias.load(path), box, row, threads),
        "seconds": time.perf_counter() - start,
    }
    log.info("finished after %.0f s: %s", found["seconds"], found)
    return found


def retrain(box: Mapping[str, np.ndarray], row: Row, like: Model, path: Path, threads: int) -> None:
    """Train a model on a box with the settings of the pretrained one and write it."""
    positions, masses = halos_of(box, row)
    model = lagbias.fit(
        box["delta"],
        box["position"],
        positions,
        masses,
        box["site"],
        box_size=row.simulation.box_size,
        smoothing_radii=like.smoothing_radii,
        seeds=NETWORKS,
        threads=threads,
        checkpoints=RESULTS / "checkpoints" / path.stem,
    )
    model.save(path)
    log.info("trained %s", path)


def measure(model: Model, box: Mapping[str, np.ndarray], row: Row, threads: int) -> dict:
    """Apply a model to a box and compare its field with the halos'."""
    box_size = row.simulation.box_size
    grid = round(CONFIG.evaluation.grid * box_size / DEFAULT.box_size)
    positions, masses = halos_of(box, row)
    spectra = model.halo_power(
        box["delta"],
        box["position"],
        box["site"],
        box_size=box_size,
        grid=grid,
        halo_overdensity=lagbias.halo_overdensity(positions, masses, box_size=box_size, grid=grid),
        threads=threads,
    )
    return numbers(spectra)


def numbers(spectra: Spectra) -> dict[str, float]:
    """Return the quantities of the table for the average f, dimensionless."""
    large_scales = {
        "P_model/P_h": spectra.ratio,
        "P_hm/P_h": spectra.average_cross_power / spectra.halo_power,
        "P_uncorr/P_h": spectra.uncorrelated,
    }
    found = {
        name: float(mode_weighted_mean(values, spectra.k, spectra.n_modes))
        for name, values in large_scales.items()
    }
    low, high = INTERMEDIATE
    chosen = (spectra.k >= low) & (spectra.k < high)
    found["r"] = float(np.average(spectra.correlation[chosen], weights=spectra.n_modes[chosen]))
    return found


def halos_of(box: Mapping[str, np.ndarray], row: Row) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (H, 3) [Mpc/h] and masses (H,) [particles] of the halos of a row."""
    number = box[f"halo_particles_{row.linking_length:g}"]
    chosen = number >= row.min_particles
    return box[f"halo_position_{row.linking_length:g}"][chosen], number[chosen]


def as_markdown(found: Mapping[tuple[str, Row], dict], rows: Mapping[str, Row]) -> str:
    """Return the table: of each quantity transferred, retrained, and their difference."""
    head = ["set", "applied to", "halos", *QUANTITIES]
    table = []
    for set_name, (title, row) in product(SETS, rows.items()):
        if one := found.get((set_name, row)):
            cells = [set_name, title, str(one["halos"])]
            for name in QUANTITIES:
                transferred, retrained = one["transferred"][name], one["retrained"][name]
                cells.append(f"{transferred:.4f}, {retrained:.4f}, {transferred - retrained:+.4f}")
            table.append(cells)
    return markdown_table(head, table)


if __name__ == "__main__":
    main()
