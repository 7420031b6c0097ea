"""The batch system."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from lagbias.cli.doctor.finding import Finding, Mark

__all__ = ["Cluster", "judge", "measure"]

_PLUGIN = "snakemake-executor-plugin-slurm"


@dataclass(frozen=True)
class Cluster:
    """What there is of SLURM.

    Attributes
    ----------
    sbatch : bool
        Whether jobs can be submitted from here.
    plugin : bool
        Whether Snakemake's plugin is installed.
    """

    sbatch: bool
    plugin: bool


def measure() -> Cluster:
    """Look for SLURM's commands and Snakemake's plugin."""
    try:
        metadata.version(_PLUGIN)
        plugin = True
    except metadata.PackageNotFoundError:
        plugin = False
    return Cluster(shutil.which("sbatch") is not None, plugin)


def judge(facts: Cluster) -> Iterator[Finding]:
    """Judge whether jobs can be submitted."""
    if not facts.sbatch:
        yield Finding(Mark.OK, "SLURM", "no sbatch here; jobs run on this machine")
    elif facts.plugin:
        yield Finding(Mark.OK, "SLURM", "sbatch found; use --workflow-profile profiles/slurm")
    else:
        yield Finding(
            Mark.NOTE,
            "SLURM",
            f"sbatch found, but not {_PLUGIN}",
            "jobs cannot be submitted, and would run on this node",
            f"Run pip install {_PLUGIN}.",
        )
