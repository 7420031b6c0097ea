"""Command line: describe artefacts, summarise spectra, compare runs, generate documentation."""

import argparse
import json
import os
import sys
from pathlib import Path

from lagbias.artefacts import store
from lagbias.bias import summary
from lagbias.bias.spectra import Spectra
from lagbias.claims.table import side_by_side
from lagbias.config import docs

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        Arguments after the program name; those of the process when omitted.

    Returns
    -------
    int
        Exit status: 0 on success.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run_command(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (store.ArtefactError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lagbias", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", help="print contents and provenance of artefacts")
    show.add_argument("file", nargs="+", type=Path)
    show.set_defaults(run_command=_show)
    table = commands.add_parser("summary", help="print a table of the spectra of a run")
    table.add_argument("run", type=Path, help="directory of the run, such as results/embedded")
    table.add_argument("--k-max", type=float, default=0.1, help="maximum wavenumber [h/Mpc]")
    table.set_defaults(run_command=_summary)
    claims = commands.add_parser("claims", help="print the claims of several runs side by side")
    claims.add_argument("run", nargs="+", type=Path, help="claims.json of a run")
    claims.add_argument(
        "--missing", action="append", default=[], metavar="NAME", help="a run without results yet"
    )
    claims.set_defaults(run_command=_claims)
    config = commands.add_parser("config", help="config/README.md and the JSON Schema")
    action = config.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help="write both files")
    action.add_argument("--check", action="store_true", help="fail if one is out of date")
    config.set_defaults(run_command=_config)
    return parser


def _show(options: argparse.Namespace) -> None:
    for path in options.file:
        artefact = store.header(path)
        print(f"{path}: {artefact.kind}")
        for name, value in artefact.attributes.items():
            print(f"  {name} = {value}")
        for name, about in artefact.datasets.items():
            unit = "" if about["units"] in ("", "1") else f" [{about['units']}]"
            print(f"  {name}: {about['dtype']} {about['shape']}{unit}")
        print("provenance:", json.dumps(artefact.provenance, indent=2, sort_keys=True))


def _summary(options: argparse.Namespace) -> None:
    paths = sorted(options.run.glob("spectra/**/*.h5"))
    if not paths:
        raise store.ArtefactError(
            f"{options.run} contains no spectra. Name the directory of a finished run, such as "
            f"results/embedded."
        )
    spectra = [store.read(path, Spectra) for path in paths]
    print(summary.table(spectra, k_max=options.k_max))


def _claims(options: argparse.Namespace) -> None:
    tables = [json.loads(path.read_text(encoding="utf-8")) for path in options.run]
    print(side_by_side(tables, options.missing), end="")


def _config(options: argparse.Namespace) -> None:
    for path, make in docs.FILES.items():
        text = make()
        if options.write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            raise ValueError(
                f"{path} is out of date. Run `python -m lagbias config --write` in the root of the "
                f"repository."
            )
