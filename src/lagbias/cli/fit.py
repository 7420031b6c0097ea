"""``lagbias fit``: a model of a simulation."""

import argparse
from pathlib import Path
from typing import Any

from lagbias.cli import outputs
from lagbias.cli.arguments import (
    Commands,
    add_array,
    add_box,
    add_command,
    add_file,
    add_threads,
)

__all__ = ["add"]

_DETAILS = """\
Arrays are given as file.h5:dataset, file.npz:name or file.npy. Lengths are in Mpc/h, masses in any
unit. With --checkpoints, an interrupted fit continues when the same command is run again."""
_EXAMPLE = """\
lagbias fit --box-size 250 --output model.safetensors --checkpoints fit.checkpoints \\
    --density box.h5:delta --positions box.h5:position --lagrangian-index box.h5:lagrangian_site \\
    --halo-positions halos.npz:position --halo-masses halos.npz:mass"""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "fit",
        run,
        summary="train a model on a simulation",
        details=_DETAILS,
        example=_EXAMPLE,
    )
    add_box(parser)
    add_array(
        parser, "--halo-positions", "--halos", required=True, help="positions of the halos [Mpc/h]"
    )
    add_array(parser, "--halo-masses", required=True, help="masses of the halos")
    add_file(
        parser, "--output", required=True, type=Path, metavar="FILE.safetensors", help="the model"
    )
    parser.add_argument(
        "--radii",
        nargs="+",
        type=float,
        default=[1.41, 2.83, 5.66],
        metavar="R",
        help="smoothing radii [Mpc/h] (default: 1.41 2.83 5.66)",
    )
    parser.add_argument(
        "--seeds", type=int, default=5, metavar="N", help="number of networks (default: 5)"
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="passes over the particles")
    parser.add_argument(
        "--cell-size", type=float, metavar="D", help="cells in which halos are counted [Mpc/h]"
    )
    add_file(
        parser, "--checkpoints", type=Path, metavar="DIRECTORY", help="where to keep checkpoints"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add_threads(parser)


def run(options: argparse.Namespace) -> None:
    """Fit and save."""
    if options.seeds < 1:
        options.parser.error(f"--seeds {options.seeds}: give a positive number of networks.")
    outputs.prepare(options.output, [".safetensors"])
    import lagbias
    from lagbias.runtime import termination
    from lagbias.sources.files.arrays import read_array

    names = ("density", "positions", "halo_positions", "halo_masses")
    density, positions, halos, masses = (read_array(getattr(options, name)) for name in names)
    index = options.lagrangian_index and read_array(options.lagrangian_index)
    training: dict[str, Any] = {} if options.epochs is None else {"epochs": options.epochs}
    with termination.as_exception():
        model = lagbias.fit(
            density,
            positions,
            halos,
            masses,
            index,
            box_size=options.box_size,
            smoothing_radii=tuple(options.radii),
            seeds=tuple(range(options.seeds)),
            cell_size=options.cell_size,
            device=options.device,
            threads=options.threads,
            checkpoints=options.checkpoints,
            **training,
        )
    model.save(options.output)
    print(model.card())
