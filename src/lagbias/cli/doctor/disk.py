"""Disks: the working directory, and the cache of FFT plans."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lagbias.cli.doctor.finding import Finding, Mark, gigabytes
from lagbias.config.sections import AbacusSettings

if TYPE_CHECKING:
    from lagbias.config.model import Config

__all__ = [
    "DEFAULT_RUN",
    "Disk",
    "Need",
    "cache_directory",
    "count_plans",
    "judge",
    "judge_cache",
    "measure",
    "need_of",
]

#: Bytes written to measure a rate.
_PROBE = 32 << 20


@dataclass(frozen=True)
class Need:
    """What a run writes.

    Attributes
    ----------
    run : str
        Its name.
    bytes : float
        Approximate size of its results.
    """

    run: str
    bytes: float


def _bytes(boxes: int, nodes: float, particles: float) -> float:
    """Estimate the size of densities (4 bytes a node), particles (28 bytes each) and features.

    Boxes of the default run have features of five radii on average, 12 bytes a particle and radius.
    """
    return boxes * (4 * nodes + (28 + 5 * 12) * particles)


#: An eighth of 400³ particles in each of five boxes (README).
DEFAULT_RUN = Need("embedded", _bytes(5, 400**3, 400**3 / 8))
#: Writing the default run at this rate [bytes/s] takes a tenth of its 25 minutes (README).
_SLOW = DEFAULT_RUN.bytes / 150
#: Files and results of an AbacusSummit small box (config/abacus.yaml).
_BYTES_PER_ABACUS_BOX = (18.6e9 + 72e9) / 5


@dataclass(frozen=True)
class Disk:
    """The disk below a directory.

    Attributes
    ----------
    directory : str
        The directory, or the closest one around it that exists.
    free : int
        Bytes.
    filesystem : str
        Type, such as ``"ext4"`` or ``"nfs4"``; empty where unknown.
    rate : float
        Bytes/s of writing and flushing 32 MB; zero if nothing can be written.
    error : str
        Why nothing can be written.
    """

    directory: str
    free: int
    filesystem: str
    rate: float = 0.0
    error: str = ""


def measure(directory: Path) -> Disk:
    """Measure how much and how fast can be written; the file is removed."""
    place = directory.absolute()
    while not place.is_dir():
        place = place.parent
    free, kind = shutil.disk_usage(place).free, _filesystem(place)
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            content = os.urandom(_PROBE)
            started = time.perf_counter()
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            seconds = time.perf_counter() - started
    except OSError as error:
        return Disk(str(place), free, kind, error=error.strerror or str(error))
    return Disk(str(place), free, kind, rate=_PROBE / seconds)


def need_of(config: Config) -> Need:
    """Estimate what a run writes."""
    boxes = len(config.box_names())
    settings = config.settings()
    if isinstance(settings, AbacusSettings):
        return Need(config.run, boxes * _BYTES_PER_ABACUS_BOX)
    assert settings is not None  # a configuration has the section of its source
    particles = settings.kept_fraction * settings.particles_per_side**3
    return Need(config.run, _bytes(boxes, settings.density_grid**3, particles))


def judge(facts: Disk, need: Need, *, present: int = 0) -> Iterator[Finding]:
    """Judge the disk of the working directory.

    Parameters
    ----------
    facts : Disk
    need : Need
        What is to be written.
    present : int, keyword-only
        Bytes of its results that are there already.
    """
    if facts.error:
        yield Finding(
            Mark.PROBLEM,
            "disk",
            f"{facts.directory} cannot be written to ({facts.error})",
            "the workflow stops before its first job",
            "Give yourself write permission, or work in a copy elsewhere.",
        )
        return
    kind = f", {facts.filesystem}" if facts.filesystem else ""
    what = f"{gigabytes(facts.free)} free{kind}, writes {facts.rate / 1e6:.0f} MB/s"
    writes = f"run {need.run} writes some {gigabytes(need.bytes)}"
    if present:
        writes += f", of which {gigabytes(present)} are there"
    if (lacking := need.bytes - present - facts.free) > 0:
        remedy = f"Free {gigabytes(lacking)}, or work on another disk."
        yield Finding(Mark.PROBLEM, "disk", what, writes, remedy)
    elif facts.rate < _SLOW:
        minutes = need.bytes / facts.rate / 60
        cost = f"{writes}, which takes {minutes:.0f} minutes"
        yield Finding(Mark.NOTE, "disk", what, cost, "Work on a local disk.")
    else:
        yield Finding(Mark.OK, "disk", f"{what}; {writes}")


def judge_cache(facts: Disk, cache: Path, plans: int) -> Iterator[Finding]:
    """Judge the directory of FFT plans.

    Parameters
    ----------
    facts : Disk
    cache : Path
        The directory, which need not exist.
    plans : int
        Plans in it.
    """
    if facts.error:
        yield Finding(
            Mark.NOTE,
            "FFT plans",
            f"{facts.directory} cannot be written to ({facts.error})",
            "slower plans are used that need no measurement",
            "Set LAGBIAS_CACHE_DIR to a writable directory.",
        )
    elif plans:
        yield Finding(Mark.OK, "FFT plans", f"{plans} in {cache}")
    else:
        yield Finding(
            Mark.OK,
            "FFT plans",
            f"none yet in {cache}; each size of grid is measured once and kept",
        )


def cache_directory() -> Path | None:
    """Return the directory of FFT plans, or None if pyFFTW cannot be imported."""
    try:
        from lagbias.grids.fourier import cache_directory
    except ImportError:  # reported among the packages
        return None
    return cache_directory()


def count_plans(cache: Path) -> int:
    """Count the plans in a cache."""
    return sum(path.stat().st_size > 0 for path in cache.glob("fftw_*.wisdom"))


def _filesystem(place: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """Return the type of the file system that holds a directory."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:  # not Linux
        return ""
    kinds = {Path(where): kind for _, where, kind, *_ in map(str.split, lines)}
    return next((kinds[each] for each in (place, *place.parents) if each in kinds), "")
