"""Headers of a box's files, and the checks that the files belong together.

They come before any data are read, so that a wrong or missing file costs seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lagbias.sources.abacus.asdf_files import read_header
from lagbias.sources.abacus.paths import BoxFiles

__all__ = ["BoxHeaders", "growth_at", "particle_files", "read_headers"]

_COMMON = ("SimName", "BoxSize", "ppd", "NP", "ParticleMassHMsun", "Redshift", "InitialRedshift")
_COMMON_WITH_DENSITY = ("SimName", "BoxSize", "ZD_Seed")  # its "ppd" is that of its own grid
_REQUIRED = (*_COMMON, "ParticleSubsampleA", "Omega_M", "VelZSpace_to_kms")
_TYPES = {"SimName": str, "GrowthTable": Mapping}
_REDSHIFT_TOLERANCE = 1e-3  # names of directories have three decimals
_COUNT_TOLERANCE = 0.05


@dataclass(frozen=True)
class BoxHeaders:
    """Headers of the files of a box."""

    header: dict[str, Any]  #: of the first halo catalogue
    growth_table: Mapping  #: redshift to growth factor, from the header of the linear density
    n_grid: int  #: nodes per side of the linear density
    rows: dict[Path, int]  #: number of halos or particles in each file


def read_headers(files: BoxFiles, redshift: float) -> BoxHeaders:
    """Read all headers and check that the files belong together and have a redshift.

    Raises
    ------
    OSError
        If a file is absent, truncated or damaged.
    ValueError
        If files are of different simulations or redshifts, or one is missing or incomplete.
    """
    first = files.halo_info[0]
    reference: dict[str, Any] = {}
    rows = {}
    for path, column in _contents(files):
        header, shape = read_header(path, column)
        rows[path] = shape[0]
        if path not in files.cleaned_halo_info:  # headers of the cleaned catalogue are shorter
            _require(header, _COMMON if reference else _REQUIRED, path)
        reference = reference or header
        _compare(header, reference, _COMMON, path, first)
    if abs(reference["Redshift"] - redshift) > _REDSHIFT_TOLERANCE:
        raise ValueError(
            f"{first} has redshift {reference['Redshift']:g}, but redshift {redshift:g} is "
            "wanted. Correct the redshift or use the files of that snapshot."
        )
    _check_rows(files, rows, reference)
    header, shape = read_header(files.ic_density, "density")
    _require(header, ("GrowthTable",), files.ic_density)
    _compare(header, reference, _COMMON_WITH_DENSITY, files.ic_density, first)
    if shape != (shape[0],) * 3 or shape[0] ** 3 > np.iinfo(np.int32).max:
        raise ValueError(
            f"{files.ic_density} holds a density of shape {shape}; a cube of at most 1290 nodes "
            "per side is needed (sites are 32-bit integers). Use the file with 576 nodes per side."
        )
    return BoxHeaders(reference, header["GrowthTable"], shape[0], rows)


def particle_files(files: BoxFiles) -> list[tuple[Path, Path]]:
    """Return pairs of files (positions, IDs) of the same particles, those in groups first."""
    return list(zip(files.halo_rv + files.field_rv, files.halo_pid + files.field_pid, strict=True))


def growth_at(table: Mapping, redshift: float, path: Path) -> float:
    """Look up the linear growth factor of a redshift within 0.001 in a table of the file `path`.

    Only ratios of growth factors have a meaning: the normalisation of the table is not documented.

    Raises
    ------
    ValueError
        If there is no such entry, or the table is damaged.
    """
    try:
        table = {float(z): float(growth) for z, growth in table.items()}
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"GrowthTable of {path} is not a table of numbers ({error}). Download it again."
        ) from error
    nearest = min(table, key=lambda z: abs(z - redshift), default=math.inf)
    if abs(nearest - redshift) > _REDSHIFT_TOLERANCE:
        raise ValueError(
            f"GrowthTable of {path} has no entry for redshift {redshift:g} (it has: "
            f"{', '.join(f'{z:g}' for z in sorted(table)) or 'none'}). Use a snapshot at one of "
            "these redshifts."
        )
    return table[nearest]


def _contents(files: BoxFiles) -> Iterator[tuple[Path, str]]:
    """Yield every file but the density with a column that it must have."""
    yield from ((path, "N") for path in files.halo_info)
    yield from ((path, "N_total") for path in files.cleaned_halo_info)
    yield from ((path, "rvint") for path in files.halo_rv + files.field_rv)
    yield from ((path, "packedpid") for path in files.halo_pid + files.field_pid)


def _require(header: Mapping[str, Any], keys: tuple[str, ...], path: Path) -> None:
    wrong = [key for key in keys if not isinstance(header.get(key), _TYPES.get(key, int | float))]
    if wrong:
        raise ValueError(
            f"The header of {path} has no valid {', '.join(wrong)}: the file is damaged, or "
            "another one than its name says. Download it again."
        )


def _compare(
    header: Mapping, reference: Mapping, keys: tuple[str, ...], path: Path, reference_path: Path
) -> None:
    """Raise ValueError where a header differs from that of the first halo catalogue."""
    for key in keys:
        if key in header and key in reference and not _equal(header[key], reference[key]):
            raise ValueError(
                f"{path} has {key} = {header[key]!r}, but {reference_path} has "
                f"{reference[key]!r}: they are of different simulations or redshifts. Replace the "
                "wrong one."
            )


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    return one == other


def _check_rows(files: BoxFiles, rows: Mapping[Path, int], header: Mapping[str, Any]) -> None:
    """Check that files of the same objects have equal lengths, and that all particles are there."""
    pairs = particle_files(files)
    if files.cleaned_halo_info:
        pairs += zip(files.halo_info, files.cleaned_halo_info, strict=True)
    for one, other in pairs:
        if rows[one] != rows[other]:
            raise ValueError(
                f"{one} has {rows[one]} rows and {other} has {rows[other]}, but row i of both is "
                "the same object: one is of another box or incomplete. Download both again."
            )
    found = sum(rows[rv] for rv, _ in particle_files(files))
    expected = float(header["ParticleSubsampleA"]) * float(header["NP"])
    if not found or abs(found - expected) > _COUNT_TOLERANCE * expected + 5.0 * np.sqrt(expected):
        raise ValueError(
            f"The particle files of {header['SimName']} ({', '.join(map(str, pairs[0]))}, ...) "
            f"hold {found} particles, but subsample A has about {expected:.0f}. Use all files of "
            "halo_rv_A, halo_pid_A, field_rv_A and field_pid_A, each once, and none of subsample B."
        )
