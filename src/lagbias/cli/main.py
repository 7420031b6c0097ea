"""Neural Lagrangian halo bias: models, runs of the workflow, and the machine they run on."""

import argparse
import os
import sys

import lagbias
from lagbias.cli import (
    check,
    claims,
    completion,
    config,
    export,
    fetch,
    fit,
    predict,
    show,
    summary,
    unpack,
)
from lagbias.cli.doctor import command as doctor
from lagbias.runtime.atomic import ArtefactError
from lagbias.runtime.messages import did_you_mean

__all__ = ["main"]

#: In the order of the help.
COMMANDS = (
    *(fetch, predict, fit, show, export),  # models
    *(check, doctor),
    *(summary, claims, unpack),  # runs
    *(config, completion),
)
#: Errors that a user can act on; their message says how.
EXPECTED = (ArtefactError, ArithmeticError, MemoryError, OSError, ValueError)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        Arguments after the program name; those of the process when omitted.

    Returns
    -------
    int
        Exit status: 0 on success, 1 after an error, 130 after Ctrl-C.
    """
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    try:
        status = options.run_command(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except EXPECTED as error:
        print(str(error) or type(error).__name__, file=sys.stderr)
        return 1
    except ImportError as error:
        print(f"{error}. `lagbias doctor` says which packages are missing.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    return status or 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="lagbias",
        description=__doc__,
        epilog="`lagbias COMMAND --help` has the options of a command and an example.",
    )
    parser.add_argument("--version", action="version", version=f"lagbias {lagbias.__version__}")
    completion.add_option(parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add(commands)
    typed = arguments[0] if arguments and not arguments[0].startswith("-") else None
    if typed is not None and typed not in commands.choices:
        known = ", ".join(commands.choices)
        parser.error(
            f"unknown command {typed!r}{did_you_mean(typed, commands.choices)} Commands: {known}."
        )
    return parser.parse_args(arguments, argparse.Namespace(root=parser))
