"""``lagbias check``: whether a simulation of one's own fulfils the contract."""

import argparse
from pathlib import Path

from lagbias.cli import configfile
from lagbias.cli.arguments import Commands, add_command, add_file, add_threads
from lagbias.runtime.messages import did_you_mean

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "check",
        run,
        summary="check the files of your own simulation (source: files)",
        details="Reads the boxes of a configuration with `source: files` as the workflow would, "
        "and says what is\nwrong with them.",
        example="lagbias check mine.yaml box0",
    )
    add_file(parser, "config", type=Path, metavar="CONFIG.yaml", help="the configuration")
    parser.add_argument("box", nargs="*", help="boxes to check (default: all that are used)")
    add_threads(parser)


def run(options: argparse.Namespace) -> None:
    """Check each box."""
    config = configfile.load(options.config)
    if config.source != "files" or config.files is None:
        raise ValueError(
            f"{options.config} has source = {config.source}, whose boxes the workflow makes and "
            "checks itself. Set source to files to check your own (config/README.md)."
        )
    known = config.files.boxes
    for box in options.box:
        if box not in known:
            raise ValueError(
                f"{options.config} has no box {box!r}{did_you_mean(box, known)} "
                f"Boxes: {', '.join(known)}."
            )
    from lagbias.model.arguments import default_threads
    from lagbias.stages.check_files import check_files

    threads = default_threads(options.threads)
    for box in options.box or config.box_names():
        print(check_files(config.files, box, threads=threads))
