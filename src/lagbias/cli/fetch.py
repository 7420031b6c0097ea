"""``lagbias fetch``: pretrained models."""

import argparse
import shutil
from pathlib import Path

from lagbias.cli.arguments import Commands, add_command, add_file
from lagbias.runtime.atomic import replacing

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "fetch",
        run,
        summary="list pretrained models, and get the file of one",
        details="Prints the path of the file, whose checksum has been verified.",
        example="lagbias fetch --list\nlagbias fetch NAME --output model.safetensors",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("name", nargs="?", help="name of a pretrained model")
    what.add_argument("--list", action="store_true", help="list the pretrained models")
    add_file(parser, "--output", type=Path, metavar="FILE.safetensors", help="copy the file there")


def run(options: argparse.Namespace) -> None:
    """List the models, or print and copy the file of one."""
    from lagbias.model import pretrained

    if options.list:
        import lagbias

        for name in pretrained.names():
            print(f"{name}: {lagbias.load(name).about['description']}")
        return
    path = pretrained.path_of(options.name)
    if options.output is not None:
        with replacing(options.output) as temporary:
            shutil.copyfile(path, temporary)
    print(options.output or path)
