"""AbacusSummit as a source: reads the linear density, the A particles and the halos of a box.

AbacusSummit's boxes run from -L/2 to L/2. Particles and halos are shifted by L/2 here; the density
is not, since its node [0, 0, 0] is at -L/2, which is 0 after the shift. Particles carry the integer
index of their initial lattice point, from which their node of the density follows exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from abacusnbody.data.asdf import set_nthreads
from abacusnbody.data.bitpacked import unpack_pids, unpack_rvint

from lagbias.artefacts import blocks
from lagbias.runtime.progress import bar
from lagbias.sources.abacus.asdf_files import read_column
from lagbias.sources.abacus.headers import Survey, growth_at, particle_files, survey_box
from lagbias.sources.abacus.paths import BoxFiles
from lagbias.sources.base import BoxData
from lagbias.sources.site_order import sort_by_site

__all__ = ["check_sizes", "lagrangian_nodes", "read_box"]

_CHUNK = 1 << 20  # particles unpacked at a time
_LARGEST_DENSITY = 1e4  # linear density contrast at the snapshot; it scatters by a few
_LARGEST_SPEED = 299_792.458  # km/s


class Sizes(Protocol):
    """What the configuration says of all boxes: side [Mpc/h] and particles per side."""

    box_size: float
    particles_per_side: int


def read_box(
    files: BoxFiles, *, redshift: float, min_halo_particles: int, threads: int = 1
) -> BoxData:
    """Read one box.

    Parameters
    ----------
    files : BoxFiles
        Its files; :func:`lagbias.sources.abacus.paths.find_box` finds them.
    redshift : float, keyword-only
        Redshift that the files must be of.
    min_halo_particles : int, keyword-only
        Halos with fewer particles are left out.
    threads : int, keyword-only
        Threads that unpack compressed data (of this process, until set otherwise).

    Returns
    -------
    BoxData
        With all particles of subsample A in the order of their sites, at one site in that of the
        files, those in groups first;
        the linear density scaled from the initial redshift by the ratio of AbacusSummit's own
        growth factors; halos with centres of mass and mean velocities of all their particles.
        With the cleaned catalogue, particle counts are those after cleaning, and halos that it
        merged into others are left out; centres and velocities stay those of the halo itself.

    Raises
    ------
    OSError
        If a file is absent, truncated or damaged.
    ValueError
        If files do not belong together, are of another redshift, or lack something.

    Notes
    -----
    At its peak this holds the result and one file of one product, unpacked, or the positions
    twice, while they are sorted. All files' headers are compared before any data are read.
    """
    set_nthreads(threads)
    survey = survey_box(files, redshift)
    n, centres, velocities = _read_halos(files, survey.header, min_halo_particles)
    lagrangian_site, positions = sort_by_site(*_read_particles(files, survey), survey.n_grid**3)
    linear_density, growth = _read_density(files.ic_density, survey)
    mass = float(survey.header["ParticleMassHMsun"])
    return BoxData(
        linear_density=linear_density,
        lagrangian_site=lagrangian_site,
        positions=positions,
        halo_positions=centres,
        halo_mass=(n * mass).astype(np.float32),
        halo_particles=n.astype(np.int32),
        halo_velocities=velocities,
        attributes=_attributes(files, survey, growth) | {"min_halo_particles": min_halo_particles},
    )


def check_sizes(box: BoxData, settings: Sizes) -> None:
    """Refuse a box whose files are of other sizes than the configuration says.

    Parameters
    ----------
    box : BoxData
        As read.
    settings : Sizes
        The configuration's section ``abacus``.

    Raises
    ------
    ValueError
        Naming the keys, their values and what the files have.
    """
    wrong = [
        f"abacus.{key} is {getattr(settings, key):g}, the files have {box.attributes[key]:g}"
        for key in ("box_size", "particles_per_side")
        if not np.isclose(getattr(settings, key), box.attributes[key], rtol=1e-6)
    ]
    if wrong:
        raise ValueError(
            f"{box.attributes['simulation']} is not what the configuration says: "
            f"{'; '.join(wrong)}. Correct the keys, or name another simulation in abacus.boxes."
        )


def lagrangian_nodes(particles_per_side: int, n_grid: int) -> np.ndarray:
    """Return the node of a grid that is nearest to each point of the particles' lattice.

    Both have their first point at the box's corner. The nearest node of point i is
    round(i n_grid / particles_per_side) modulo n_grid, in integers; halves are rounded up.

    Parameters
    ----------
    particles_per_side : int
        Points per side of the lattice.
    n_grid : int
        Nodes per side of the grid.

    Returns
    -------
    ndarray, shape (particles_per_side,), int32
        Node of each point along one axis.
    """
    index = np.arange(particles_per_side, dtype=np.int64)
    nearest = (2 * index * n_grid + particles_per_side) // (2 * particles_per_side)
    return (nearest % n_grid).astype(np.int32)


def _read_density(path: Path, survey: Survey) -> tuple[np.ndarray, float]:
    """Return the linear density at the snapshot's redshift, and D / D(0)."""
    redshifts = (survey.header["Redshift"], 0.0, survey.header["InitialRedshift"])
    growth, today, initial = (
        growth_at(survey.density_header["GrowthTable"], redshift, path) for redshift in redshifts
    )
    # asdf gives a new array that may be changed; a copy is made only if it ever should not be
    density = np.require(read_column(path, "density"), np.float32, ["C", "W"])
    # Only ratios are used: how the table itself is normalised differs between descriptions.
    _check_within(density, _LARGEST_DENSITY * initial / growth, path, "density")
    density *= np.float32(growth / initial)
    return density, growth / today


def _read_particles(files: BoxFiles, survey: Survey) -> tuple[np.ndarray, np.ndarray]:
    """Return Lagrangian sites (P,) int32 and positions (P, 3) float32 [Mpc/h] in [0, L)."""
    pairs, box_size = particle_files(files), float(survey.header["BoxSize"])
    total = sum(survey.rows[rv] for rv, _ in pairs)
    sites, positions = np.empty(total, np.int32), np.empty((total, 3), np.float32)
    nodes = lagrangian_nodes(round(survey.header["ppd"]), survey.n_grid)
    start = 0
    for rv, pid in bar(pairs, desc="reading particles", unit="file"):
        stop = start + survey.rows[rv]
        # one product after the other, so that only one is in memory
        _fill_positions(rv, positions[start:stop], box_size)
        _fill_sites(pid, sites[start:stop], nodes, survey.n_grid)
        start = stop
    return sites, positions


def _fill_positions(path: Path, out: np.ndarray, box_size: float) -> None:
    packed = read_column(path, "rvint")
    for part in _parts(len(out)):
        unpacked, _ = unpack_rvint(packed[part], box_size, velout=False)
        out[part] = _shifted(unpacked, box_size)


def _fill_sites(path: Path, out: np.ndarray, nodes: np.ndarray, n_grid: int) -> None:
    packed = read_column(path, "packedpid")
    for part in _parts(len(out)):
        index = unpack_pids(packed[part], lagr_idx=True)["lagr_idx"]
        if index.max() >= len(nodes):
            raise ValueError(
                f"{path} has a particle with lattice index {index.max()}, but there are only "
                f"{len(nodes)} per side (ppd): it is damaged. Compare it with the checksums.crc32 "
                "in its directory and download it again."
            )
        i, j, k = (nodes[index[:, axis]] for axis in range(3))
        out[part] = (i * n_grid + j) * n_grid + k


def _read_halos(
    files: BoxFiles, header: Mapping[str, Any], min_particles: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return particle counts (H,), centres (H, 3) [Mpc/h] and velocities (H, 3) [km/s]."""
    box_size, to_kms = float(header["BoxSize"]), float(header["VelZSpace_to_kms"])
    found = []
    for number, path in enumerate(bar(files.halo_info, desc="reading halos", unit="file")):
        counted, column = path, "N"
        if files.cleaned_halo_info:
            counted, column = files.cleaned_halo_info[number], "N_total"
        n = read_column(counted, column)
        _check_within(n, min(header["NP"], np.iinfo(np.int32).max), counted, column)
        kept = n >= max(min_particles, 1)  # cleaning leaves merged halos with no particles
        centres, velocities = _rows(path, "x_com", kept), _rows(path, "v_com", kept)
        _check_within(centres, 1.0, path, "x_com")  # within a box's length of the middle
        _check_within(velocities, _LARGEST_SPEED / to_kms, path, "v_com")
        centres = _shifted(centres * box_size, box_size)
        velocities = (velocities * to_kms).astype(np.float32)
        found.append((n[kept].astype(np.int64), centres, velocities))
    n, centres, velocities = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(-n, kind="stable")
    return n[order], centres[order], velocities[order]


def _rows(path: Path, column: str, kept: np.ndarray) -> np.ndarray:
    """Return some rows of a column that has as many as a mask."""
    values = read_column(path, column)
    if len(values) != len(kept):
        raise ValueError(
            f"{path} has {len(values)} rows of {column} for {len(kept)} halos: it is damaged. "
            "Download it again."
        )
    return values[kept]


def _check_within(values: np.ndarray, largest: float, path: Path, column: str) -> None:
    """Refuse values that are not finite or larger than anything real."""
    extremes = float(values.min(initial=0)), float(values.max(initial=0))
    if not -largest <= min(extremes) <= max(extremes) <= largest:  # False for NaN too
        problem = blocks.not_finite(values) or (
            f"values are from {extremes[0]:.4g} to {extremes[1]:.4g}, more than {largest:.4g} in "
            "size"
        )
        raise ValueError(
            f"{path}: of the values used of {column!r}, {problem}. The file is damaged: compare it "
            f"with the checksums.crc32 in its directory and download it again."
        )


def _shifted(positions: np.ndarray, box_size: float) -> np.ndarray:
    """Move positions from [-L/2, L/2] to [0, L), as float32; the upper edge becomes 0."""
    shifted = positions.astype(np.float32, copy=False) + np.float32(box_size / 2)
    shifted[shifted < 0] += np.float32(box_size)
    # also for what the line above, or rounding to float32, put at L
    shifted[shifted >= box_size] -= np.float32(box_size)
    return shifted


def _parts(length: int) -> Iterator[slice]:
    yield from (slice(start, start + _CHUNK) for start in range(0, length, _CHUNK))


def _attributes(files: BoxFiles, survey: Survey, growth: float) -> dict[str, float | int | str]:
    header = survey.header
    return {
        "source": "abacus",
        "simulation": str(header["SimName"]),
        "box_size": float(header["BoxSize"]),
        "n_grid": survey.n_grid,
        "redshift": float(header["Redshift"]),
        "growth": growth,
        "omega_m": float(header["Omega_M"]),
        "particle_mass": float(header["ParticleMassHMsun"]),
        "particles_per_side": round(header["ppd"]),
        "initial_redshift": float(header["InitialRedshift"]),
        "cleaned": bool(files.cleaned_halo_info),
        "n_files": len(files.all),
    }
