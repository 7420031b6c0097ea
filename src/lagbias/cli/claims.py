"""``lagbias claims``: the paper's claims, run by run."""

import argparse
import json
from pathlib import Path

from lagbias.cli.arguments import Commands, add_command, add_file

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "claims",
        run,
        summary="print the claims of several runs side by side",
        example="lagbias claims results/embedded/claims.json --missing abacus > claims.md",
    )
    add_file(parser, "run", nargs="+", type=Path, help="claims.json of a run")
    parser.add_argument(
        "--missing", action="append", default=[], metavar="NAME", help="a run without results yet"
    )


def run(options: argparse.Namespace) -> None:
    """Print the table."""
    from lagbias.claims.table import side_by_side

    tables = [json.loads(path.read_text(encoding="utf-8")) for path in options.run]
    print(side_by_side(tables, options.missing), end="")
