"""``lagbias completion``: scripts with which shells complete commands, options and files."""

import argparse
from typing import Any

from lagbias.cli.arguments import Commands, add_command

__all__ = ["SHELLS", "add", "add_option"]

SHELLS = ("bash", "zsh", "tcsh")

_DETAILS = """\
Put the script where the shell looks for it, once; new shells then complete commands, options and
files."""
_EXAMPLE = """\
lagbias completion bash > ~/.local/share/bash-completion/completions/lagbias
lagbias completion zsh > "${fpath[1]}/_lagbias"
lagbias completion tcsh > ~/.lagbias.tcsh    # and `source ~/.lagbias.tcsh` in ~/.tcshrc"""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "completion",
        run,
        summary="print a script of completions for a shell",
        details=_DETAILS,
        example=_EXAMPLE,
    )
    parser.add_argument("shell", choices=SHELLS)


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--print-completion``, by which packagers install the scripts of many programs."""
    parser.add_argument("--print-completion", choices=SHELLS, action=_Print, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> None:
    """Print the script of a shell."""
    print(_script(options.root, options.shell))


class _Print(argparse.Action):
    """Prints the script and exits, like ``--version``."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        print(_script(parser, values))
        parser.exit()


def _script(parser: argparse.ArgumentParser, shell: str) -> str:
    import shtab

    return str(shtab.complete(parser, shell))
