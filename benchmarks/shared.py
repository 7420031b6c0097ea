"""What several of the benchmarks here need: making artefacts with the workflow, and tables."""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path


def make(targets: Iterable[str], configfiles: Iterable[Path], threads: int) -> None:
    """Run the workflow in the working directory until some artefacts are made."""
    command = [sys.executable, "-m", "snakemake", "--cores", str(threads), "--quiet"]
    command += ["--configfile", *map(str, configfiles), "--"]
    subprocess.run([*command, *targets], check=True)


def markdown_table(head: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown, with a line break at its end."""
    head_line, *lines = (f"| {' | '.join(cells)} |\n" for cells in (head, *rows))
    return "".join((head_line, f"|{'---|' * len(head)}\n", *lines))
