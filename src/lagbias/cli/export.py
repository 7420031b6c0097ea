"""``lagbias export``: write an ensemble of a run, or any other model, as one portable file."""

import argparse
from dataclasses import replace
from pathlib import Path

from lagbias.cli import outputs
from lagbias.cli.arguments import Commands, add_command, add_file

__all__ = ["add"]

_EXAMPLE = """\
lagbias export results/embedded/networks/box0/threshold/3Rf/full --output 3Rf.safetensors
lagbias export wu2023-3Rf --output 3Rf.onnx"""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "export",
        run,
        summary="write a model as one portable file",
        details="The ending of the output chooses the format: .safetensors, which lagbias.load\n"
        "and docs/how-to/export.md read, or .onnx.",
        example=_EXAMPLE,
    )
    add_file(parser, "source", metavar="MODEL", help="directory of an ensemble, file, or name")
    parser.add_argument("--name", help="name that the card of the model shows")
    parser.add_argument("--description", help="a sentence for the card of the model")
    add_file(
        parser,
        "--transfer",
        nargs="+",
        type=Path,
        metavar="SPECTRA",
        help="spectra of the ensemble on boxes that transfer functions are fitted to",
    )
    add_file(
        parser,
        "--output",
        required=True,
        type=Path,
        metavar="FILE.safetensors|.onnx",
        help="the portable file",
    )


def run(options: argparse.Namespace) -> None:
    """Read the model and write it."""
    outputs.prepare(options.output, [".safetensors", ".onnx"])
    import lagbias
    from lagbias.artefacts import store
    from lagbias.bias.spectra import Spectra

    model = lagbias.load(options.source)
    given = {"name": options.name, "description": options.description}
    about = {**model.about, **{key: text for key, text in given.items() if text}}
    model = replace(model, about=about)
    if options.transfer:
        model = model.with_transfer([store.read(path, Spectra) for path in options.transfer])
    write = lagbias.Model.to_onnx if options.output.suffix == ".onnx" else lagbias.Model.save
    write(model, options.output)
