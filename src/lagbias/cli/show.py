"""``lagbias show``: what a file or a model holds and how it was made."""

import argparse
import json
from pathlib import Path

from lagbias.cli.arguments import Commands, add_command, add_file

__all__ = ["add"]

#: Endings of artefacts; whatever else is named is a model.
_ARTEFACTS = (".h5", ".hdf5")

_EXAMPLE = """\
lagbias show results/embedded/boxes/box0/halos.h5
lagbias show model.safetensors
lagbias show results/embedded/networks/box0/threshold/3Rf/full"""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "show",
        run,
        summary="describe results of a run and models",
        details="Prints contents and provenance of HDF5 results, and the cards of models: portable "
        "files,\nensembles of a run, and pretrained models by name (`lagbias fetch --list`).",
        example=_EXAMPLE,
    )
    add_file(parser, "source", nargs="+", metavar="FILE", help="file, directory or name of a model")


def run(options: argparse.Namespace) -> None:
    """Describe each source."""
    for source in options.source:
        path = Path(source)
        if path.suffix in _ARTEFACTS or (path.is_file() and path.suffix != ".safetensors"):
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
    print("provenance:", json.dumps(artefact.provenance, indent=2, sort_keys=True))
