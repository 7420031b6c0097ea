"""``lagbias doctor``: measure, judge and print."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lagbias.cli.arguments import Commands, add_command, add_file

if TYPE_CHECKING:
    from lagbias.cli.doctor.finding import Finding
    from lagbias.config.model import Config

__all__ = ["add"]

_DETAILS = """\
Each line is marked ok, note (it costs something, and the line says what) or problem (a run would
fail). The exit status is 1 if there is a problem. To measure disks, 32 MB are written for a
moment."""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "doctor",
        run,
        summary="check this machine and environment, and say what to change",
        details=_DETAILS,
        example="lagbias doctor\nlagbias doctor config/abacus.yaml --json",
    )
    add_file(
        parser,
        "config",
        nargs="?",
        type=Path,
        metavar="CONFIG.yaml",
        help="configuration of the run to check for (default: the default run)",
    )
    parser.add_argument("--json", action="store_true", help="findings and facts as JSON")


def run(options: argparse.Namespace) -> int:
    """Print all findings; return 1 if one is a problem."""
    from lagbias.cli import configfile
    from lagbias.cli.doctor.finding import Mark

    config = None if options.config is None else configfile.load(options.config)
    facts: dict[str, Any] = {}
    findings = []
    for finding in _examine(config, facts):
        findings.append(finding)
        if not options.json:
            print(finding, flush=True)
    if options.json:
        found = {"findings": findings, "facts": facts}
        print(json.dumps(found, default=asdict, indent=2, ensure_ascii=False))
    return int(any(finding.mark is Mark.PROBLEM for finding in findings))


def _examine(config: Config | None, facts: dict[str, Any]) -> Iterator[Finding]:
    """Measure and judge one thing after another; facts are added to `facts`."""
    from lagbias.cli.doctor import cluster, data, disk, gpu, memory, packages, processor

    facts["packages"] = packages.measure()
    yield from packages.judge(facts["packages"])
    facts["cluster"] = cluster.measure()
    yield from cluster.judge(facts["cluster"])
    facts["processor"] = processor.measure()
    yield from processor.judge(facts["processor"])
    facts["gpu"] = gpu.measure()
    device = "auto" if config is None else config.training.device
    yield from gpu.judge(facts["gpu"], device=device)
    facts["memory"] = memory.measure()
    largest = memory.DEFAULT_RUN if config is None else memory.largest_job(config)
    yield from memory.judge(facts["memory"], largest, facts["processor"].usable)
    facts["disk"] = disk.measure(Path())
    need = disk.DEFAULT_RUN if config is None else disk.need_of(config)
    yield from disk.judge(facts["disk"], need, present=_size(Path("results", need.run)))
    if cache := disk.cache_directory():
        facts["cache"] = disk.measure(cache)
        yield from disk.judge_cache(facts["cache"], cache, disk.count_plans(cache))
    if config is not None:
        facts["data"] = data.measure(config)
        yield from data.judge(facts["data"])


def _size(directory: Path) -> int:
    """Return the bytes of all files in a directory."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
