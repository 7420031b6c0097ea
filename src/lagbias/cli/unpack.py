"""``lagbias unpack``: the archive of a run, verified, in place for the workflow."""

import argparse
from pathlib import Path

from lagbias.cli.arguments import Commands, add_command, add_file

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "unpack",
        run,
        summary="unpack the archive of a run, which `make archive` wrote",
        details="Verifies the archive, unpacks what figures and claims are made from to "
        "results/<run>/, and prints\nthat directory. Files that are there and differ are not "
        "overwritten. `make figures FROM=ARCHIVE`\nalso draws the figures.",
        example="lagbias unpack embedded.tar",
    )
    add_file(parser, "archive", type=Path, metavar="ARCHIVE", help="the tar file")
    add_file(
        parser,
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIRECTORY",
        help="where the directory of the run goes (default: results)",
    )


def run(options: argparse.Namespace) -> None:
    """Unpack the archive and print the directory of the run."""
    from lagbias.archive.unpack import unpack

    print(unpack(options.archive, options.results))
