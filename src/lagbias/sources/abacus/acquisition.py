"""Acquisition of a box of AbacusSummit: its files are linked or downloaded, and verified.

One rule holds for both ways: a file that ``checksums.crc32`` in its directory lists must have that
size and checksum, or the box is refused; a file that no checksum file lists is accepted with a
warning. With ``verify: false`` only the sizes of linked files are compared. What is recorded of
each file is its checksum, from the list or computed.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from lagbias.sources.abacus import checksum, inventory
from lagbias.sources.abacus.checksum import CHECKSUM_FILE, AcquisitionError
from lagbias.sources.abacus.download import MissingFileError, download, open_pool
from lagbias.sources.abacus.inventory import format_bytes
from lagbias.sources.abacus.paths import AcquiredFiles, box_paths, snapshot_of

if TYPE_CHECKING:
    from lagbias.config.sections import AbacusSettings

__all__ = ["SUBSAMPLE_A", "acquire_box", "check_space", "results_bytes"]

log = logging.getLogger(__name__)

SUBSAMPLE_A = 0.03
"""Share of all particles in subsample A."""


def acquire_box(settings: AbacusSettings, simulation: str) -> AcquiredFiles:
    """Link or download the files of a box into ``settings.directory``, and verify them.

    Raises
    ------
    AcquisitionError
        If a file cannot be had or does not have its checksum.
    """
    root = Path(settings.directory)
    if settings.link_from is None:
        files = _download(settings, simulation, root)
    else:
        source = Path(settings.link_from).absolute()
        files = inventory.files_of_box(settings, simulation, source)
        _link(source, root, files)
    listed = checksum.listed_checksums(root, files)
    for file in files:
        if file not in listed:
            log.warning("%s is in no %s: its content was not verified", file, CHECKSUM_FILE)
        elif settings.link_from is not None:  # downloads are verified already
            problem = checksum.mismatch(root / file, listed[file], size_only=not settings.verify)
            if problem:
                raise AcquisitionError(
                    f"{(root / file).resolve()} is corrupt: {problem}. Transfer it again; "
                    "`snakemake inventory` lists all such files."
                )
    sums = [listed.get(file) or checksum.cksum(root / file) for file in files]
    return AcquiredFiles(
        path=np.array([str(file).encode() for file in files]),
        size=np.array([one.size for one in sums], np.int64),
        crc=np.array([one.crc for one in sums], np.int64),
        directory=str(settings.directory),
        simulation=simulation,
    )


def _download(settings: AbacusSettings, simulation: str, root: Path) -> list[PurePosixPath]:
    """Download the checksum files of a box, then the files that they list."""
    base, pool = settings.base_url.rstrip("/"), open_pool(settings.base_url)
    paths = box_paths(simulation, **snapshot_of(settings)).values()
    for directory in dict.fromkeys(path.parent if path.suffix else path for path in paths):
        listing = root / directory / CHECKSUM_FILE
        try:
            download(f"{base}/{quote(str(directory))}/{CHECKSUM_FILE}", listing, pool=pool)
            checksum.read_checksums(listing)
        except MissingFileError:
            log.warning("the server has no %s in %s", CHECKSUM_FILE, directory)
    found = inventory.take_inventory(settings, {simulation: simulation})
    check_space({root: sum(file.bytes_to_fetch for file in found)})
    files = inventory.files_of_box(settings, simulation, root)
    listed = checksum.listed_checksums(root, files)
    for file in files:
        download(f"{base}/{quote(str(file))}", root / file, listed.get(file), pool=pool)
    return files


def _link(source: Path, root: Path, files: list[PurePosixPath]) -> None:
    """Link files, and the checksum files beside them, from one tree into another."""
    missing = [str(file) for file in files if not os.access(source / file, os.R_OK)]
    if missing:
        raise AcquisitionError(
            f"{len(missing)} of {len(files)} files are not in the tree {source} or cannot be "
            "read:\n  - " + "\n  - ".join(missing) + "\nCorrect abacus.link_from, the directory "
            "that holds small/, ic/ and cleaning/, or transfer these files into it."
        )
    listings = dict.fromkeys(file.parent / CHECKSUM_FILE for file in files)
    for file in [*filter(lambda listing: (source / listing).is_file(), listings), *files]:
        path = root / file
        if path.exists() and path.samefile(source / file):
            continue
        if path.exists() and not path.is_symlink():
            raise AcquisitionError(
                f"{path} is a file, not a link to {source / file}. Move it away to use that one, "
                "or remove abacus.link_from to use this one."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.link")
        temporary.symlink_to(source / file)
        temporary.replace(path)


def check_space(needs: Mapping[str | Path, int]) -> None:
    """Check that each disk has room for the bytes that will be written below directories on it.

    Raises
    ------
    AcquisitionError
        Naming the directories that share a disk, what they need and what is free; quotas are not
        known.
    """
    by_disk: dict[int, dict[str | Path, int]] = {}
    for path, count in needs.items():
        by_disk.setdefault(inventory.existing_directory(path).stat().st_dev, {})[path] = count
    for group in by_disk.values():
        free = shutil.disk_usage(inventory.existing_directory(next(iter(group)))).free
        total = sum(group.values())
        if total > free:
            parts = " and ".join(f"{format_bytes(n)} in {path}" for path, n in group.items())
            raise AcquisitionError(
                f"This run needs {parts}, but that disk has {format_bytes(free)} free. Free "
                f"{format_bytes(total - free)}, choose another disk (abacus.directory, or the "
                "directory of the run), use fewer boxes or smoothing radii, or link files that "
                "are on disk already (abacus.link_from)."
            )


def results_bytes(
    settings: AbacusSettings, particles_per_side: int, radii: Mapping[str, int]
) -> int:
    """Estimate the bytes of densities, particles and features; everything else is small.

    `radii` is the number of smoothing radii whose features are computed, for each box.
    """
    kept = SUBSAMPLE_A * settings.kept_fraction
    nodes, particles = settings.density_grid**3, kept * particles_per_side**3
    # 4 bytes per node of the density, 28 per particle (position, velocity and site), 12 more for
    # each radius
    return round(sum(4 * nodes + (28 + 12 * count) * particles for count in radii.values()))
