"""``lagbias summary``: a table of the spectra of a run."""

import argparse
from pathlib import Path

from lagbias.cli.arguments import Commands, add_command, add_file

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "summary",
        run,
        summary="print how good the ensembles of a run are",
        details="Power ratio, correlation and ⟨f⟩ on large scales, on every box.",
        example="lagbias summary results/embedded --k-max 0.2",
    )
    add_file(parser, "run", type=Path, help="directory of the run, such as results/embedded")
    parser.add_argument("--k-max", type=float, default=0.1, help="maximum wavenumber [h/Mpc]")


def run(options: argparse.Namespace) -> None:
    """Print the table."""
    from lagbias.artefacts import store
    from lagbias.bias import summary
    from lagbias.bias.spectra import Spectra

    paths = sorted(options.run.glob("spectra/**/*.h5"))
    if not paths:
        raise store.ArtefactError(
            f"{options.run} contains no spectra. Name the directory of a finished run, such as "
            f"results/embedded."
        )
    spectra = [store.read(path, Spectra) for path in paths]
    print(summary.table(spectra, k_max=options.k_max))
