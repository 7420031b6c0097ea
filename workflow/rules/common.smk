# What the other rules share: the checked configuration, its parts that rules are passed, and the hash
# of the code that a rule uses.

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

from lagbias.artefacts import code_hash as library
from lagbias.config.model import ConfigError, format_radius, load

try:
    CONFIG = load(config)
except ConfigError as error:
    raise WorkflowError(str(error)) from None


def any_of(names):
    """Write a regular expression that matches one of some names and nothing else."""
    return "|".join(map(re.escape, names))


# the box that trains every set, and the one that judges
TRAINING_BOX, VALIDATION_BOX = CONFIG.boxes.train[0], CONFIG.boxes.validation[0]


wildcard_constraints:
    run=any_of([CONFIG.run]),
    box=any_of(CONFIG.box_names()),
    train_box=any_of(CONFIG.boxes.train),
    sample=any_of(CONFIG.halo_samples),
    smoothing_set=any_of(CONFIG.smoothing_sets),
    inputs="full|density|nested|pc2",
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


def radii_of(smoothing_sets):
    """Smoothing radii of some sets, for legends."""
    return {name: CONFIG.smoothing_sets[name] for name in smoothing_sets}


def roles():
    """Which boxes, samples and sets play which part in the paper's claims."""
    return {
        "run": CONFIG.run,
        "train_boxes": CONFIG.boxes.train,
        "validation_boxes": CONFIG.boxes.validation,
        "sample": CONFIG.sample,
        "thin_samples": CONFIG.thin_samples,
        "epochs": CONFIG.training.epochs,
        "cell_size": CONFIG.training.cell_size,
        "constraint": CONFIG.training.constraint,
        **CONFIG.figure_sets.model_dump(),
    }


def refuse_closed_places():
    """Stop before Snakemake removes what it is about to make anew where nothing can be written."""
    closed = [
        place
        for place in ("results", "logs", "benchmarks")
        if Path(place).exists() and not os.access(place, os.W_OK | os.X_OK)
    ]
    if closed:
        raise WorkflowError(
            f"{' and '.join(closed)} in {os.getcwd()} may not be written to. Nothing was done. "
            "Give yourself write permission, have the file system mounted for writing, or work in "
            "a copy elsewhere; then run the workflow again."
        )
