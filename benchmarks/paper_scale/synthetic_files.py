"""Files of a synthetic box: AbacusSummit's headers, ASDF with Blosc, checksums beside them.

A file is written under another name and moved when it is whole. The checksum file of a directory
comes last, so a directory that has one is complete.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asdf
import numpy as np
from abacusnbody.metadata import get_meta

from lagbias.sources.abacus.checksum import CHECKSUM_FILE, cksum

__all__ = ["COMMENT", "simulation_header", "write_checksums", "write_file"]

COMMENT = "Synthetic: Zel'dovich displacements and peaks of the linear density, no simulation"
"""What the headers of all files say of themselves."""

_TEMPLATE = "AbacusSummit_small_c000_ph3000"  # the small box whose header abacusutils knows
_KEYS = (
    "CPD H0 InitialRedshift L0DensityThreshold Omega_DE Omega_K Omega_M Omega_Smooth "
    "ParticleSubsampleB SODensityL1 SODensityL2 ScaleFactor f_growth n_s omega_b omega_cdm "
    "omega_ncdm w0 wa Redshift"
).split()
_COMPRESSION = {"clevel": 1, "cname": "zstd", "shuffle": "bitshuffle"}


def simulation_header(
    simulation: str, *, redshift: float, box_size: float, ppd: int, fraction: float, seed: int
) -> dict[str, Any]:
    """Return a header like that of AbacusSummit's small boxes, for a box of another size.

    Parameters
    ----------
    simulation : str
        Name.
    redshift : float, keyword-only
        Redshift of the snapshot, one of those of the small boxes.
    box_size : float, keyword-only
        L [Mpc/h].
    ppd : int, keyword-only
        Particles per side of the lattice.
    fraction : float, keyword-only
        Share of the particles in subsample A.
    seed : int, keyword-only
        Seed of the initial conditions.

    Returns
    -------
    dict
        Header, with the key GrowthTable as in the initial conditions.
    """
    known = get_meta(_TEMPLATE, redshift=redshift)
    volumes = (box_size / ppd) ** 3 / (known["BoxSize"] / known["ppd"]) ** 3
    return {key: known[key] for key in _KEYS} | {
        "SimName": simulation,
        "SimComment": COMMENT,
        "BoxSize": float(box_size),
        "BoxSizeHMpc": float(box_size),
        "ppd": float(ppd),
        "NP": ppd**3,
        "ParticleMassHMsun": known["ParticleMassHMsun"] * volumes,
        "ParticleSubsampleA": fraction,
        "VelZSpace_to_kms": known["VelZSpace_to_kms"] * box_size / known["BoxSize"],
        "ZD_Seed": seed,
        "GrowthTable": dict(known["GrowthTable"]),
    }


def write_file(path: Path, header: Mapping[str, Any], columns: Mapping[str, np.ndarray]) -> None:
    """Write one file as AbacusSummit's are: compressed with Blosc.

    Parameters
    ----------
    path : Path
        The file; it is replaced.
    header : Mapping
        Content of ``header``.
    columns : Mapping of str to ndarray
        Content of ``data``; contiguous.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp")
    # later versions of the standard refuse numbers as keys, which GrowthTable has
    file = asdf.AsdfFile({"header": dict(header), "data": dict(columns)}, version="1.5.0")
    size = max(column.dtype.itemsize for column in columns.values())
    try:
        file.write_to(
            temporary,
            all_array_compression="blsc",
            compression_kwargs={"typesize": size, **_COMPRESSION},
        )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_checksums(directory: Path) -> Path:
    """Write the checksum file of all data in a directory.

    Parameters
    ----------
    directory : Path
        The directory.

    Returns
    -------
    Path
        The checksum file, in the form that ``cksum`` prints.
    """
    sums = {path.name: cksum(path) for path in sorted(directory.glob("*.asdf"))}
    text = "".join(f"{found.crc} {found.size} {name}\n" for name, found in sums.items())
    listing = directory / CHECKSUM_FILE
    temporary = listing.with_name(f".checksums.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    return temporary.replace(listing)
