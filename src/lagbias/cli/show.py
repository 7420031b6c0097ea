"""``lagbias show``: what a result, a figure or a model holds and how it was made."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lagbias.cli.arguments import Commands, add_command, add_file

__all__ = ["add"]

#: Endings of artefacts; whatever else is named is a model.
_ARTEFACTS = (".h5", ".hdf5")

_EXAMPLE = """\
lagbias show results/embedded/boxes/box0/halos.h5
lagbias show results/embedded/figures/power_ratio_boxes.png
lagbias show model.safetensors
lagbias show results/embedded/networks/box0/threshold/3Rf/full"""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "show",
        run,
        summary="describe results of a run, figures and models",
        details="Prints contents and provenance of HDF5 results, the provenance of figures (PNG), "
        "and the\ncards of models: portable files, ensembles of a run, and pretrained models by "
        "name\n(`lagbias fetch --list`).",
        example=_EXAMPLE,
    )
    add_file(parser, "source", nargs="+", metavar="FILE", help="file, directory or name of a model")


def run(options: argparse.Namespace) -> None:
    """Describe each source."""
    for source in options.source:
        path = Path(source)
        if path.suffix == ".png":
            _show_figure(path)
        elif path.suffix in _ARTEFACTS or (path.is_file() and path.suffix != ".safetensors"):
            _show_artefact(path)
        else:
            import lagbias

            print(lagbias.load(source).card())


def _show_artefact(path: Path) -> None:
    from lagbias.artefacts import store

    artefact = store.header(path)
    print(f"{path}: {artefact.kind}")
    for name, value in artefact.attributes.items():
        print(f"  {name} = {value}")
    for name, about in artefact.datasets.items():
        unit = "" if about["units"] in ("", "1") else f" [{about['units']}]"
        print(f"  {name}: {about['dtype']} {about['shape']}{unit}")
    _show_provenance(artefact.provenance)


def _show_figure(path: Path) -> None:
    from lagbias.artefacts import figure_files

    description = figure_files.read(path)
    print(f"{path}: figure")
    _show_provenance(description)


def _show_provenance(description: Mapping[str, Any]) -> None:
    print("provenance:", json.dumps(description, indent=2, sort_keys=True))
