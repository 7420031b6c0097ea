"""Command line: look into artefacts, sum up spectra, keep docs in step."""

import argparse
import json
import os
import sys
from pathlib import Path

from lagbias.artefacts import store
from lagbias.bias import summary
from lagbias.config import docs as config_docs

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        Words after the program's name; those of the process when omitted.

    Returns
    -------
    int
        Exit status, dimensionless: 0 when all is well.
    """
    parser = argparse.ArgumentParser(prog="lagbias", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", help="print what an artefact holds and how it was made")
    show.add_argument("file", nargs="+", type=Path)
    table = commands.add_parser("summary", help="sum up the spectra of a run in a table")
    table.add_argument("run", type=Path, help="directory of the run, such as results/embedded")
    table.add_argument("--k-max", type=float, default=0.1, help="largest k counted [h/Mpc]")
    config = commands.add_parser("config", help="documentation of the configuration")
    action = config.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help="write config/README.md and schema")
    action.add_argument("--check", action="store_true", help="fail if they are out of step")
    options = parser.parse_args(arguments)
    try:
        if options.command == "show":
            for path in options.file:
                print(_describe(path), flush=True)
            return 0
        if options.command == "summary":
            paths = sorted(options.run.glob("spectra/**/*.h5"))
            if not paths:
                raise store.ArtefactError(
                    f"{options.run} holds no spectra. Name the directory of a finished run, such "
                    f"as results/embedded."
                )
            print(summary.table(paths, k_max=options.k_max), flush=True)
            return 0
        return _config_files(write=options.write)
    except BrokenPipeError:  # `... | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (store.ArtefactError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1


def _describe(path: Path) -> str:
    """Format an artefact: kind, attributes, datasets, provenance."""
    artefact = store.read(path)
    lines = [f"{path}: {artefact.kind}"]
    lines += [f"  {name} = {value}" for name, value in artefact.attributes.items()]
    for name, values in artefact.arrays.items():
        unit = artefact.units[name]
        text = f"  {name}: {values.dtype} {values.shape}"
        lines.append(text + (f" [{unit}]" if unit not in ("", "1") else ""))
    lines.append("provenance: " + json.dumps(artefact.provenance, indent=2, sort_keys=True))
    return "\n".join(lines)


def _config_files(*, write: bool) -> int:
    """Write the generated files, or say which are out of step."""
    stale = []
    for path, make in config_docs.FILES.items():
        text = make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
            if write:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    if stale and not write:
        print(
            f"Out of step with src/lagbias/config.py: {', '.join(map(str, stale))}. Run "
            f"`python -m lagbias config --write` in the repository's root.",
            file=sys.stderr,
        )
        return 1
    return 0
