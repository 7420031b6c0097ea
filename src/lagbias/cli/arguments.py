"""What the parsers of the commands share.

This module and those of the commands import nothing heavy: help appears at once, and a command
imports what it needs when it runs.
"""

import argparse
from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["Command", "Commands", "add_array", "add_box", "add_command", "add_file", "add_threads"]

#: What `argparse.ArgumentParser.add_subparsers` returns, for annotations.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
#: Carries a command out; returns the exit status, or None for success.
Command = Callable[[argparse.Namespace], int | None]

#: Names of shtab's functions that complete file names; a test holds them to `shtab.FILE`.
COMPLETE_FILES = {"bash": "_shtab_compgen_files", "zsh": "_files", "tcsh": "f"}


def add_command(
    commands: Commands, name: str, run: Command, *, summary: str, details: str = "", example: str
) -> argparse.ArgumentParser:
    """Add a command.

    Parameters
    ----------
    commands : Commands
        The program's commands.
    name : str
        What is typed.
    run : callable
        Carries it out.
    summary : str, keyword-only
        One line for the list of commands.
    details : str, keyword-only
        Further lines for the help of the command itself.
    example : str, keyword-only
        One or several command lines.
    """
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.\n\n{details}".strip(),
        epilog="example:\n" + "\n".join(f"  {line}" for line in example.splitlines()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run_command=run, parser=parser)
    return parser


def add_file(parser: argparse.ArgumentParser, *names: str, **options: Any) -> None:
    """Add an argument that shells complete with the names of files.

    The arguments are those of `argparse.ArgumentParser.add_argument`.
    """
    argument: Any = parser.add_argument(*names, **options)
    argument.complete = COMPLETE_FILES  # what shtab looks for


def add_array(parser: argparse.ArgumentParser, *names: str, **options: Any) -> None:
    """Add an option that takes an array in a file (see `lagbias.sources.files.arrays`)."""
    add_file(parser, *names, metavar="FILE:DATASET", **options)


def add_box(parser: argparse.ArgumentParser) -> None:
    """Add the options that describe a simulation's density, particles and size."""
    add_array(
        parser,
        "--density",
        required=True,
        help="linear density contrast on the cubic grid of the initial conditions, at any redshift",
    )
    add_array(parser, "--positions", required=True, help="final positions of the particles [Mpc/h]")
    add_array(
        parser,
        "--lagrangian-index",
        help="flat index (C order) of the node of the density that each particle started from; "
        "without it there is one particle for each node, in the order of the nodes",
    )
    parser.add_argument(
        "--box-size", required=True, type=float, metavar="L", help="side of the box [Mpc/h]"
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add the option for the number of threads."""
    parser.add_argument(
        "--threads", type=int, metavar="N", help="threads (default: all cores that may be used)"
    )
