# What the other rules share: the checked configuration, the hash of the code that a rule uses, and
# the paths of groups of artefacts.

import os
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# the library beside this workflow, here and in the jobs, installed or not
SOURCE = Path(workflow.basedir, "src")
sys.path.insert(0, str(SOURCE))
PATHS = [str(SOURCE), *os.getenv("PYTHONPATH", "").split(os.pathsep)]
os.environ.update(PYTHONPATH=os.pathsep.join(dict.fromkeys(filter(None, PATHS))))

from lagbias import code_hash as library
from lagbias.config import ConfigError, format_radius, load

try:
    CONFIG = load(config)
except ConfigError as error:
    raise WorkflowError(str(error)) from None


def any_of(names):
    """Write a regular expression that matches one of some names and nothing else."""
    return "|".join(map(re.escape, names))


wildcard_constraints:
    run=any_of([CONFIG.run]),
    box=any_of(CONFIG.box_names()),
    train_box=any_of(CONFIG.boxes.train),
    sample=any_of(CONFIG.halo_samples),
    smoothing_set=any_of(CONFIG.smoothing_sets),
    inputs="full",
    rf=r"[0-9.]+",
    seed=r"[0-9]+",


def code(script):
    """Hash the library code that the script `workflow/scripts/<script>.py` uses."""
    return library.code_hash(
        Path(workflow.basedir, "workflow", "scripts", f"{script}.py")
    )


def section(name, *parts):
    """Turn a section of the configuration, or a member of it, into plain values for `params`."""
    value = getattr(CONFIG, name)
    for part in parts:
        value = value[part]
    return value.model_dump()


def radii(smoothing_set):
    """Smoothing radii of a set, as they appear in paths."""
    return [format_radius(radius) for radius in CONFIG.smoothing_sets[smoothing_set]]


def features_of(box, smoothing_set):
    """Feature grids of a box, one per radius of the set."""
    return expand(
        "results/{run}/features/{box}/rf{rf}.h5",
        run=CONFIG.run,
        box=box,
        rf=radii(smoothing_set),
    )


def networks_of(wildcards):
    """The ensemble: one network per seed."""
    return expand(
        "results/{run}/networks/{train_box}/{sample}/{smoothing_set}/{inputs}/seed{seed}.h5",
        seed=CONFIG.seeds,
        **wildcards,
    )


def spectra(smoothing_sets, train_boxes, boxes):
    """Spectra of the ensembles of some sets, trained on some boxes, evaluated on some boxes."""
    return expand(
        "results/{run}/spectra/{train_box}/{sample}/{smoothing_set}/full/on_{box}.h5",
        run=CONFIG.run,
        sample=CONFIG.sample,
        smoothing_set=smoothing_sets,
        train_box=train_boxes,
        box=boxes,
    )


def all_figures():
    """Every figure that the configuration asks for."""
    return expand(
        "results/{run}/figures/{name}.{extension}",
        run=CONFIG.run,
        name=CONFIG.figures,
        extension=["pdf", "png"],
    )
