"""Making artefacts with the workflow, for several of the benchmarks here."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path


def make(targets: Iterable[str], configfiles: Iterable[Path], threads: int) -> None:
    """Run the workflow in the working directory until some artefacts are made."""
    command = [sys.executable, "-m", "snakemake", "--cores", str(threads), "--quiet"]
    command += ["--configfile", *map(str, configfiles), "--"]
    subprocess.run([*command, *targets], check=True)
