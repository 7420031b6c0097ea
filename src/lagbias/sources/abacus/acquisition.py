"""From settings to the files of AbacusSummit boxes on this disk: plan, bring, take stock."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Protocol

from lagbias.sources.abacus.acquire.checksum import (
    CHECKSUM_FILE,
    Checksum,
    checksums_below,
    cksum,
    mismatch,
)
from lagbias.sources.abacus.acquire.errors import CorruptFileError
from lagbias.sources.abacus.acquire.inventory import Inventory, take_inventory
from lagbias.sources.abacus.acquire.local_tree import link_files
from lagbias.sources.abacus.acquire.places import format_bytes, place
from lagbias.sources.abacus.acquire.products import fetch_products, product_files
from lagbias.sources.abacus.paths import box_paths

__all__ = [
    "SUBSAMPLE_A",
    "AbacusSettings",
    "bring_box",
    "globus_batch",
    "inventory",
    "plan",
    "results_bytes",
]

logger = logging.getLogger(__name__)

#: Share of all particles that is in subsample A.
SUBSAMPLE_A = 0.03
#: Bytes of a particle in the results: position and Lagrangian site; of a node: features of one R_f.
_BYTES_PER_PARTICLE, _BYTES_PER_NODE, _BYTES_PER_NODE_AND_RADIUS = 16, 4, 12


class AbacusSettings(Protocol):
    """What acquisition needs to know; the configuration's section ``abacus`` has these attributes.

    Attributes
    ----------
    directory : str
        Where the files are, or come to.
    base_url : str
        Address of the collection's root.
    link_from : str or None
        Root of a tree that is on disk already; files are linked from it and nothing is downloaded.
    redshift : float
        Of the snapshot.
    density_grid : int
        Nodes per side of the linear density.
    cleaned, small : bool
        Whether cleaned halos are wanted, and whether these are the collection's small boxes.
    verify : bool
        Whether checksums of linked files are computed.
    """

    directory: str
    base_url: str
    link_from: str | None
    redshift: float
    density_grid: int
    cleaned: bool
    small: bool
    verify: bool


def _paths_of(settings: AbacusSettings, simulation: str) -> list[PurePosixPath]:
    """Return the file and the products that a box needs, relative to the collection's root."""
    paths = box_paths(
        simulation,
        settings.redshift,
        n_ic=settings.density_grid,
        cleaned=settings.cleaned,
        small=settings.small,
    )
    return list(paths.values())


def bring_box(settings: AbacusSettings, simulation: str) -> dict[PurePosixPath, Checksum]:
    """Bring the files of a box to the directory of the data: link them, or download them.

    Parameters
    ----------
    settings : AbacusSettings
        Where from and where to.
    simulation : str
        The box.

    Returns
    -------
    dict of PurePosixPath to Checksum
        Every file, relative to ``settings.directory``, with what it holds.

    Raises
    ------
    AcquisitionError
        If a file cannot be had, or is not what its checksum says.
    ValueError
        If a path or the address is not usable.
    """
    root, paths = settings.directory, _paths_of(settings, simulation)
    if settings.link_from is None:
        fetch_products(settings.base_url, root, paths)
        files = product_files(root, paths)
    else:
        files = product_files(settings.link_from, paths)
        link_files(settings.link_from, files, root)
    listed = checksums_below(root, files)
    # what was downloaded is verified already
    if settings.verify and settings.link_from is not None:
        _verify(root, listed)
    for relative in files:
        if relative not in listed:
            logger.warning("%s is in no checksum file: its content was not checked", relative)
    return {file: listed.get(file) or cksum(place(root, file)) for file in files}


def _verify(root: str | Path, listed: Mapping[PurePosixPath, Checksum]) -> None:
    for relative, expected in listed.items():
        path = place(root, relative)
        if problem := mismatch(path, expected):
            raise CorruptFileError(
                f"{path.resolve()}, linked at {path}, is corrupt: {problem}. Transfer it again; "
                "`snakemake inventory` says which other files are."
            )


def inventory(
    settings: AbacusSettings, boxes: Mapping[str, str], *, verify: bool = False
) -> Inventory:
    """Take stock of where the files come from; nothing is fetched or changed.

    Parameters
    ----------
    settings : AbacusSettings
        Where to look: in ``link_from`` if it is set, in ``directory`` otherwise.
    boxes : Mapping of str to str
        Name of each box in use and its simulation.
    verify : bool, keyword-only
        Compute checksums, which reads every file.

    Returns
    -------
    Inventory
        One entry for each box and file.
    """
    root = settings.link_from or settings.directory
    files = {box: product_files(root, _paths_of(settings, boxes[box])) for box in boxes}
    return take_inventory(files, root, verify=verify)


def plan(settings: AbacusSettings, found: Inventory) -> str:
    """Say in a line what acquisition will do.

    Parameters
    ----------
    settings : AbacusSettings
        Where from and where to.
    found : Inventory
        What `inventory` found.

    Returns
    -------
    str
        Number of files, and the bytes to download or the tree to link from.
    """
    missing = sum(file.plan != "keep" for file in found.distinct)
    present = format_bytes(found.bytes_present)
    have = f"{len(found.distinct)} files, {present} of them in {found.place}"
    if settings.link_from is not None:
        lack = f"; {missing} are not there whole" if missing else ""
        return f"AbacusSummit: {have}, to be linked in {settings.directory}{lack}."
    about = "about " if any(file.estimated for file in found.distinct) else ""
    unknown = f" and {found.unknown_sizes} file(s) of unknown size" if found.unknown_sizes else ""
    return (
        f"AbacusSummit: {have}; to download: {missing} files, {about}"
        f"{format_bytes(found.bytes_to_fetch)}{unknown}, from {settings.base_url} "
        f"({format_bytes(found.free)} free)."
    )


def globus_batch(found: Inventory) -> str:
    """Return the lines of a batch file for ``globus transfer``: files that are not there whole.

    Parameters
    ----------
    found : Inventory
        What `inventory` found.

    Returns
    -------
    str
        Source and destination of each file and of the checksum file beside it, both relative.
    """
    wanted = [PurePosixPath(file.path) for file in found.distinct if file.plan != "keep"]
    listings = {path.parent / CHECKSUM_FILE for path in wanted}
    # lines are split as a shell does
    names = [shlex.quote(str(path)) for path in sorted({*wanted, *listings})]
    return "".join(f"{name} {name}\n" for name in names)


def results_bytes(settings: AbacusSettings, particles_per_side: int, radii: Mapping) -> int:
    """Estimate the bytes of the results that are as large as a box.

    Parameters
    ----------
    settings : AbacusSettings
        For the density's grid.
    particles_per_side : int
        Of the simulation, of which subsample A is used.
    radii : Mapping of str to int
        Number of smoothing radii whose features are computed, for each box.

    Returns
    -------
    int
        Densities, particles and features of all boxes; everything else is small beside them.
    """
    nodes = settings.density_grid**3
    particles = SUBSAMPLE_A * particles_per_side**3
    per_box = _BYTES_PER_NODE * nodes + _BYTES_PER_PARTICLE * particles
    return round(
        sum(per_box + _BYTES_PER_NODE_AND_RADIUS * nodes * count for count in radii.values())
    )
