"""What the headers of a box's files say, and whether the files belong together.

Everything here is known before any data are read, so that a wrong or missing file costs seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lagbias.runtime.messages import shown
from lagbias.sources.abacus.asdf_files import read_header
from lagbias.sources.abacus.paths import BoxFiles

__all__ = ["Survey", "growth_at", "particle_files", "survey_box"]

_COMMON = ("SimName", "BoxSize", "ppd", "NP", "ParticleMassHMsun", "Redshift", "InitialRedshift")
_COMMON_WITH_DENSITY = ("SimName", "BoxSize", "ZD_Seed")  # its "ppd" is the grid's
_NEEDED = (*_COMMON, "ParticleSubsampleA", "Omega_M", "VelZSpace_to_kms")
#: Lowest and highest value of what is a number; below and above, it means nothing or is damaged.
_RANGES = {
    "BoxSize": (1e-3, 1e6),
    "ppd": (1, 1 << 15),  # packed IDs have 15 bits for a lattice index
    "NP": (1, 1 << 45),
    "ParticleMassHMsun": (1e-3, 1e18),
    "ParticleSubsampleA": (1e-9, 1.0),
    "Redshift": (-1e-3, 1e4),
    "InitialRedshift": (1e-3, 1e4),
    "Omega_M": (1e-6, 10.0),
    "VelZSpace_to_kms": (1e-9, 1e9),
}
_REDSHIFT_TOLERANCE = 1e-3  # names of directories have three decimals
_COUNT_TOLERANCE = 0.05
_LARGEST_GROWTH = 1e6  # tables are normalised to one at some time or to the scale factor
_LARGEST = 1e300  # of what is compared as floating-point numbers; YAML has larger ones


class Survey(NamedTuple):
    """What the headers say.

    Attributes
    ----------
    header : dict
        Header of the first halo catalogue.
    density_header : dict
        Header of the linear density.
    n_grid : int
        Nodes per side of the linear density.
    rows : dict of Path to int
        Objects in each file of halos or particles.
    """

    header: dict[str, Any]
    density_header: dict[str, Any]
    n_grid: int
    rows: dict[Path, int]


def survey_box(files: BoxFiles, redshift: float) -> Survey:
    """Look at every header, and refuse files that do not belong together.

    Parameters
    ----------
    files : BoxFiles
        The files.
    redshift : float
        Redshift that they must be of.

    Returns
    -------
    Survey
        What was found.

    Raises
    ------
    OSError
        If a file is absent or damaged at its beginning.
    ValueError
        If files are of different boxes or redshifts, or lack something.
    """
    reference, rows = None, {}
    for path, column in _contents(files):
        header, shape = _read_header(path, column)
        rows[path] = shape[0]
        if path not in files.cleaned_halo_info:  # another product, whose headers say less
            _require(header, _COMMON if reference else _NEEDED, path)
        reference = reference or header
        _compare(header, reference, _COMMON, path, files.halo_info[0])
    if abs(reference["Redshift"] - redshift) > _REDSHIFT_TOLERANCE:
        raise ValueError(
            f"{files.halo_info[0]} is at redshift {reference['Redshift']:g}, but redshift = "
            f"{redshift:g} was asked for. Give the files of that redshift, or correct it."
        )
    _check_rows(files, rows, reference)
    density_header, shape = _read_header(files.ic_density, "density")
    _require(density_header, ("GrowthTable",), files.ic_density)
    _compare(density_header, reference, _COMMON_WITH_DENSITY, files.ic_density, files.halo_info[0])
    if shape != (shape[0],) * 3 or not 0 < shape[0] ** 3 <= np.iinfo(np.int32).max:
        raise ValueError(
            f"{files.ic_density} holds a density of shape {shape}; expected a cube of at most 1290 "
            "nodes per side (sites are 32-bit numbers). Use the file of 576 nodes per side."
        )
    return Survey(reference, density_header, shape[0], rows)


def _contents(files: BoxFiles) -> Iterator[tuple[Path, str]]:
    """Yield every file but the density's, with the name of a column that it must have."""
    if not files.halo_info:
        raise ValueError("No file of halo_info was given; a box needs at least one.")
    yield from ((path, "N") for path in files.halo_info)
    yield from ((path, "N_total") for path in files.cleaned_halo_info)
    yield from ((path, "rvint") for path in files.halo_rv + files.field_rv)
    yield from ((path, "packedpid") for path in files.halo_pid + files.field_pid)


def particle_files(files: BoxFiles) -> list[tuple[Path, Path]]:
    """Return files of positions with those of the IDs of the same particles, groups first.

    Parameters
    ----------
    files : BoxFiles
        The files.

    Returns
    -------
    list of tuple of Path
        Positions, IDs.

    Raises
    ------
    ValueError
        If there are not as many of one as of the other.
    """
    for group in ("halo", "field"):
        rv, pid = (getattr(files, f"{group}_{kind}") for kind in ("rv", "pid"))
        if len(rv) != len(pid):
            raise ValueError(
                f"There are {len(rv)} files of {group}_rv and {len(pid)} of {group}_pid; every "
                "file of positions needs the one of IDs with the same number. Download the "
                "missing ones."
            )
    return list(zip(files.halo_rv + files.field_rv, files.halo_pid + files.field_pid, strict=True))


def _read_header(path: Path, column: str) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Return a header whose numbers are numbers, and the shape of a column."""
    header, shape = read_header(path, column)
    return header | {key: _number(header[key], key, path) for key in _RANGES & header.keys()}, shape


def _number(value: Any, key: str, path: Path) -> float:
    lowest, highest = _RANGES[key]
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not lowest <= number <= highest:
        raise ValueError(
            f"The header of {path} has {key} = {shown(value)}; expected is a number from "
            f"{lowest:g} to {highest:g}: it is damaged. Download it again."
        )
    return number


def _require(header: Mapping[str, Any], keys: tuple[str, ...], path: Path) -> None:
    missing = [key for key in keys if key not in header]
    if missing:
        raise ValueError(
            f"The header of {path} lacks {', '.join(missing)}: it is no file of AbacusSummit, or "
            "not the one that belongs here. Download it again."
        )


def _compare(
    header: Mapping[str, Any],
    reference: Mapping[str, Any],
    keys: tuple[str, ...],
    path: Path,
    reference_path: Path,
) -> None:
    """Refuse a file whose header differs from that of the first halo catalogue."""
    for key in keys:
        if key in header and key in reference and not _equal(header[key], reference[key]):
            raise ValueError(
                f"{path} has {key} = {shown(header[key])}, but {reference_path} has "
                f"{shown(reference[key])}: they are of different boxes or redshifts. Put files of "
                "one simulation and one redshift together."
            )


def _equal(one: Any, other: Any) -> bool:
    numbers = [value for value in (one, other) if isinstance(value, int | float)]
    if len(numbers) < 2 or max(map(abs, numbers)) > _LARGEST:
        return one == other
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)  # text with fewer digits is fine


def _check_rows(files: BoxFiles, rows: Mapping[Path, int], header: Mapping[str, Any]) -> None:
    """Refuse files that differ in length where they must not, and incomplete sets of files."""
    pairs = particle_files(files)
    if files.cleaned_halo_info:
        if len(files.cleaned_halo_info) != len(files.halo_info):
            raise ValueError(
                f"There are {len(files.halo_info)} files of halo_info and "
                f"{len(files.cleaned_halo_info)} of cleaned_halo_info; every one needs its "
                "partner. Download the missing ones, or read the halos without cleaning."
            )
        pairs += zip(files.halo_info, files.cleaned_halo_info, strict=True)
    for one, other in pairs:
        if rows[one] != rows[other]:
            raise ValueError(
                f"{one} has {rows[one]} rows and {other} has {rows[other]}, but row i of both is "
                "the same object. One of them is of another box or incomplete: download both again."
            )
    positions = [*files.halo_rv, *files.field_rv]
    found = sum(rows[path] for path in positions)
    expected = float(header["ParticleSubsampleA"]) * float(header["NP"])
    if not found or abs(found - expected) > _COUNT_TOLERANCE * expected + 5.0 * np.sqrt(expected):
        raise ValueError(
            f"The files of particles, {', '.join(map(str, positions))}, hold {found} particles, "
            f"but subsample A has about {expected:.0f}. Give all files of halo_rv_A and "
            "field_rv_A (with halo_pid_A and field_pid_A), each once, and none of B."
        )


def growth_at(table: Mapping[Any, Any], redshift: float, path: Path) -> float:
    """Return the linear growth factor that a GrowthTable has for a redshift.

    Only ratios mean something: how the table is normalised differs between descriptions.

    Parameters
    ----------
    table : Mapping
        Redshift to growth factor; keys and values may be strings.
    redshift : float
        The redshift.
    path : Path
        The table's file, for messages.

    Returns
    -------
    float
        Its entry within 0.001 of `redshift`.

    Raises
    ------
    ValueError
        If there is none, or the table is no table of numbers.
    """
    try:
        table = {float(z): float(d) for z, d in table.items()}
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(_bad_table(path)) from error
    nearest = min(table, key=lambda z: abs(z - redshift), default=np.inf)
    if not abs(nearest - redshift) <= _REDSHIFT_TOLERANCE:
        raise ValueError(
            f"GrowthTable of {path} has no entry for redshift {redshift:g} (it has: "
            f"{', '.join(f'{z:g}' for z in sorted(table)) or 'none'}). Use a snapshot at one of "
            "these redshifts."
        )
    if not 0.0 < table[nearest] < _LARGEST_GROWTH:
        raise ValueError(_bad_table(path))
    return table[nearest]


def _bad_table(path: Path) -> str:
    return (
        f"GrowthTable of {path} does not have a positive number for each redshift: the file is "
        "damaged. Download it again."
    )
