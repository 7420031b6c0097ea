"""Command line: ``python -m benchmarks.suite``."""

import argparse
import json
import os
import sys
from pathlib import Path

from . import report

STAGES = ("features", "training", "evaluation", "painting", "spectra", "simulation")


def main(arguments: list[str] | None = None) -> None:
    """Measure what the arguments ask for, print tables, and write JSON."""
    chosen = _parser().parse_args(arguments)
    if chosen.render:
        results = json.loads(chosen.render.read_text(encoding="utf-8"))
        how = {"as_markdown": chosen.markdown, "document": chosen.document}
        sys.stdout.write(report.tables(results, **how))
        return
    # before NumPy, torch and Numba are imported: they read these once
    for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[f"{library}_NUM_THREADS"] = str(chosen.threads)
    # OpenBLAS measures the rate of products; it does not use AVX-512 on AMD unless told to
    processor = Path("/proc/cpuinfo")
    forced = "NUMBA_CPU_FEATURES" in os.environ
    if not forced and processor.exists() and "avx512f" in processor.read_text(encoding="utf-8"):
        os.environ["OPENBLAS_CORETYPE"] = "SkylakeX"
    from . import runner

    sys.stdout.write(runner.run(chosen))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.suite", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="small sizes: does everything run and agree?")
    add("--only", nargs="*", choices=STAGES, metavar="STAGE", help=f"of {', '.join(STAGES)}")
    add("--threads", type=int, default=1, help="threads of every contender (default 1)")
    add("--scaling", action="store_true", help="also how costs grow with sizes")
    add("--run-directory", type=Path, default=Path(), help="where a workflow has run (default .)")
    add("--run-name", help="break down this finished run, for example embedded")
    add("--run", choices=["tiny"], help="run the workflow in a temporary directory, break it down")
    add("--cores", type=int, default=os.cpu_count(), help="cores of that workflow (default all)")
    add("--json", type=Path, default=Path("benchmarks/suite.json"), help="where results go")
    add("--update", action="store_true", help="keep what that file holds and is not measured now")
    add("--markdown", action="store_true", help="print Markdown instead of plain tables")
    add("--document", type=Path, metavar="FILE", help="put the tables into this Markdown file")
    add("--render", type=Path, metavar="JSON", help="print the tables of a file; measure nothing")
    return parser


if __name__ == "__main__":
    main()
