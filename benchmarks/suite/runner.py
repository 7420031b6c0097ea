"""Runs the chosen stages and gathers their results."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from . import report
from .data import ROOT, Scene
from .machine import Limits, describe, narrower
from .settings import FULL, QUICK, Settings
from .timing import measure, say

__all__ = ["run"]

#: Stages whose kernels are made for the registers that there are.
_OF_NETWORKS = ("training", "evaluation")


def run(chosen: argparse.Namespace) -> str:
    """Measure, write JSON, and return the tables.

    Parameters
    ----------
    chosen : argparse.Namespace
        The command line, see `benchmarks.suite.__main__`.
    """
    started = time.perf_counter()
    settings = Settings(QUICK if chosen.quick else FULL, chosen.threads)
    results = {"machine": describe(chosen.threads), "quick": chosen.quick}
    results["comparisons"] = _comparisons(chosen.only, settings)
    if not chosen.quick and (environment := narrower()):
        results["narrower"] = _in_environment(environment, chosen)
    if chosen.scaling:
        from .scaling import measure_scaling

        results["scaling"] = measure_scaling(settings)
    if chosen.run or chosen.run_name:
        results["whole_run"] = _whole_run(chosen)
    if chosen.update and chosen.json.exists():
        results = _merged(json.loads(chosen.json.read_text(encoding="utf-8")), results)
    results["machine"]["limits"] = _overall_limits(results["comparisons"])
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, ensure_ascii=False)
    chosen.json.write_text(text + "\n", encoding="utf-8")
    say(f"wrote {chosen.json} after {time.perf_counter() - started:.0f} s")
    return report.tables(results, as_markdown=chosen.markdown, document=chosen.document)


def _stages() -> dict:
    """Import the stages: not before, since tables need none of them."""
    from . import (
        evaluation_stage,
        feature_stage,
        painting_stage,
        simulation_stage,
        spectrum_stage,
        training_stage,
    )

    return {
        "features": feature_stage,
        "training": training_stage,
        "evaluation": evaluation_stage,
        "painting": painting_stage,
        "spectra": spectrum_stage,
        "simulation": simulation_stage,
    }


def _comparisons(only: list[str] | None, settings: Settings) -> list[dict]:
    limits, scene = Limits(settings.threads), Scene(settings)
    sizes = settings.sizes
    return [
        measure(comparison, limits, rounds=sizes.rounds, seconds=sizes.seconds)
        for name, stage in _stages().items()
        if only is None or name in only
        for comparison in stage.comparisons(settings, scene)
    ]


def _in_environment(environment: dict[str, str], chosen: argparse.Namespace) -> dict | None:
    """Measure the stages that depend on the instruction set in a process of their own."""
    stages = [name for name in _OF_NETWORKS if chosen.only is None or name in chosen.only]
    if not stages:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "suite.json")
        command = [sys.executable, "-m", "benchmarks.suite", "--only", *stages]
        command += ["--threads", str(chosen.threads), "--json", str(path)]
        subprocess.run(
            command,
            env={**os.environ, **environment},
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return json.loads(path.read_text(encoding="utf-8"))


def _whole_run(chosen: argparse.Namespace) -> dict:
    from . import whole_run

    if not chosen.run:
        return whole_run.breakdown(chosen.run_directory, chosen.run_name)
    with tempfile.TemporaryDirectory() as folder:
        wall = whole_run.run_workflow(chosen.run, Path(folder), chosen.cores)
        found = whole_run.breakdown(Path(folder), chosen.run)
        return found | {"wall_s": wall, "cores": chosen.cores}


def _merged(before: dict, now: dict) -> dict:
    """Return new results with those of stages that were not measured now."""
    measured = {comparison["stage"] for comparison in now["comparisons"]}
    kept = [c for c in before["comparisons"] if c["stage"] not in measured]
    order = list(_stages())
    both = sorted(kept + now["comparisons"], key=lambda c: order.index(c["stage"]))
    return before | now | {"comparisons": both}


def _overall_limits(comparisons: list[dict]) -> dict[str, float] | None:
    if not comparisons:
        return None
    probes = [comparison["machine"] for comparison in comparisons]
    return {name: float(np.median([probe[name] for probe in probes])) for name in probes[0]}
