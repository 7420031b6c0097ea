"""``lagbias predict``: the halo field of a simulation, from a model."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lagbias.cli import outputs
from lagbias.cli.arguments import (
    Commands,
    add_array,
    add_box,
    add_command,
    add_file,
    add_threads,
)

if TYPE_CHECKING:
    import numpy as np

    from lagbias.bias.spectra import Spectra
    from lagbias.model.model import Model

__all__ = ["add"]

_DETAILS = """\
Arrays are given as file.h5:dataset, file.npz:name or file.npy. Lengths are in Mpc/h, masses in any
unit. With true halos, spectra are compared with theirs."""
_EXAMPLE = """\
lagbias predict model.safetensors --box-size 250 --grid 128 --output field.h5 \\
    --density box.h5:delta --positions box.h5:position --lagrangian-index box.h5:lagrangian_site \\
    --halo-positions halos.npz:position --halo-masses halos.npz:mass --power spectra.csv"""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "predict",
        run,
        summary="predict the halo field of a simulation with a model",
        details=_DETAILS,
        example=_EXAMPLE,
    )
    add_file(parser, "model", help="model file, directory of an ensemble, or pretrained model")
    add_box(parser)
    parser.add_argument(
        "--grid", required=True, type=int, metavar="N", help="nodes per side of the halo field"
    )
    add_file(parser, "--output", required=True, type=Path, metavar="FILE.h5", help="halo field")
    halos = "of true halos, for comparison"
    add_array(parser, "--halo-positions", "--halos", help=f"positions {halos} [Mpc/h]")
    add_array(parser, "--halo-masses", help=f"masses {halos}")
    add_file(
        parser, "--power", type=Path, metavar="FILE.txt|.csv", help="table of the power spectra"
    )
    add_file(
        parser,
        "--figure",
        type=Path,
        metavar="FILE.png|.pdf|.svg",
        help="figure of the spectra's ratio to those of the true halos",
    )
    parser.add_argument(
        "--transfer", action="store_true", help="apply the model's transfer functions"
    )
    add_threads(parser)


def run(options: argparse.Namespace) -> None:
    """Predict, compare, and write."""
    _check(options)
    import lagbias
    from lagbias.sources.files.arrays import read_array

    model = lagbias.load(options.model)
    index = options.lagrangian_index and read_array(options.lagrangian_index)
    arguments = read_array(options.density), read_array(options.positions), index
    common = {name: getattr(options, name) for name in ("box_size", "grid", "threads")}
    painted = model.paint(*arguments, **common)
    of_box = {name: getattr(options, name) for name in ("box_size", "transfer", "threads")}
    field = model.field_of(painted, **of_box)
    _write_field(options, field)
    if options.halo_positions is None:
        if options.power is not None:
            power = model.power_of(painted, **of_box)
            columns = {"k": power.k, "n_modes": power.n_modes, "model_power": power.power}
            outputs.write_table(options.power, columns)
        return
    halos = lagbias.halo_overdensity(
        read_array(options.halo_positions),
        read_array(options.halo_masses),
        box_size=options.box_size,
        grid=options.grid,
    )
    spectra = model.spectra_of(painted, halos, **of_box)
    _write_comparison(options, model, spectra)


def _check(options: argparse.Namespace) -> None:
    """Refuse options that do not go together and files that cannot be written."""
    if (options.halo_positions is None) != (options.halo_masses is None):
        options.parser.error("--halo-positions and --halo-masses belong together: give both.")
    if options.figure is not None and options.halo_positions is None:
        options.parser.error(
            "--figure compares with true halos: give --halo-positions and --halo-masses."
        )
    if options.halo_positions is not None and options.power is options.figure is None:
        options.parser.error("--halo-positions serve --power or --figure: give one of them.")
    outputs.prepare(options.output, [".h5", ".hdf5"])
    if options.power is not None:
        outputs.prepare(options.power, [".txt", ".csv"])
    if options.figure is not None:
        outputs.prepare(options.figure, [".png", ".pdf", ".svg"])


def _write_field(options: argparse.Namespace, field: np.ndarray) -> None:
    from lagbias.artefacts import provenance, store
    from lagbias.artefacts.code_hash import code_hash
    from lagbias.cli.predicted_field import PredictedField
    from lagbias.model.arguments import default_threads

    named = ("density", "positions", "lagrangian_index", "box_size", "grid", "transfer")
    params = {name: getattr(options, name) for name in named}
    description = provenance.describe(
        "lagbias predict",
        params={**params, "model": options.model, "model_sha256": _digest(Path(options.model))},
        inputs=_identifiers([value for value in params.values() if isinstance(value, str)]),
        code=code_hash(Path(__file__), "lagbias.model.loading"),  # `lagbias.load` is lazy
        threads=default_threads(options.threads),
    )
    predicted = PredictedField(overdensity=field, box_size=options.box_size, model=options.model)
    store.write(options.output, predicted, provenance=description)
    print(f"{options.output}: δ_h on {options.grid}³ nodes, standard deviation {field.std():.3f}")


def _digest(path: Path) -> str:
    """Return the SHA-256 of a model's file; empty for names and directories."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _identifiers(arrays: Iterable[str]) -> dict[str, str]:
    """Return the identifiers of those files of arrays that are results of a run."""
    from lagbias.artefacts import store
    from lagbias.schema.file_names import split_array

    found = {}
    for path in {split_array(array)[0] for array in arrays}:
        try:
            found[str(path)] = store.header(path).provenance["artefact_id"]
        except (store.ArtefactError, KeyError):  # any other file
            continue
    return found


def _write_comparison(options: argparse.Namespace, model: Model, spectra: Spectra) -> None:
    if options.power is not None:
        columns = {
            "k": spectra.k,
            "n_modes": spectra.n_modes,
            "model_power": spectra.average_model_power,
            "halo_power": spectra.halo_power,
            "cross_power": spectra.average_cross_power,
            "ratio": spectra.ratio,
            "correlation": spectra.correlation,
        }
        outputs.write_table(options.power, columns)
    if options.figure is not None:
        outputs.write_figure(options.figure, model.plot_power(spectra))
