"""AbacusSummit as a source: linear density, particles of subsample A and halos of a box.

AbacusSummit's coordinates run from -L/2 to L/2. Particles and halos are shifted by L/2; the
density is not, because its node [0, 0, 0] is at -L/2, which is 0 after the shift. Particles carry
the integer index of their initial lattice point, from which their node follows exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from abacusnbody.data.asdf import set_nthreads
from abacusnbody.data.bitpacked import unpack_pids, unpack_rvint

from lagbias.runtime.progress import bar
from lagbias.schema.fields import not_finite
from lagbias.sources.abacus.asdf_files import read_column
from lagbias.sources.abacus.headers import BoxHeaders, growth_at, particle_files, read_headers
from lagbias.sources.abacus.paths import BoxFiles
from lagbias.sources.base import Box
from lagbias.sources.site_order import lagrangian_nodes, sort_by_site

if TYPE_CHECKING:
    from lagbias.config.sections import AbacusSettings

__all__ = ["check_sizes", "lagrangian_nodes", "read_box"]

_CHUNK = 1 << 20  # particles unpacked at a time


def read_box(
    files: BoxFiles,
    *,
    redshift: float,
    min_halo_particles: int,
    kept_fraction: float = 1.0,
    threads: int = 1,
) -> Box:
    """Read one box.

    Parameters
    ----------
    files : BoxFiles
        Its files, see `lagbias.sources.abacus.paths.find_box`.
    redshift : float, keyword-only
        Redshift that the files must have.
    min_halo_particles : int, keyword-only
        Minimum number of particles of a halo.
    kept_fraction : float, keyword-only
        Fraction of the particles of subsample A that is kept, chosen at random with a fixed seed.
    threads : int, keyword-only
        Threads for decompression; stays set in this process.

    Returns
    -------
    Box
        Particles of subsample A, sorted by site (at one site in the order of the files, those in
        groups first). The linear density is scaled from the initial redshift by AbacusSummit's own
        growth factors. Halo centres and velocities are means over all particles of the halo; from
        the cleaned catalogue only the particle counts are taken, and merged halos are dropped.

    Raises
    ------
    OSError
        If a file is absent, truncated or damaged.
    ValueError
        If files do not belong together, have another redshift, or lack something.

    Notes
    -----
    Peak memory: the result and one decompressed column of one file, or the result and positions or
    velocities once more while they are sorted. The result takes 28 bytes for each particle kept.
    All headers are checked before data are read.
    """
    set_nthreads(threads)
    headers = read_headers(files, redshift)
    n, centre, halo_velocity = _read_halos(files, headers.header, min_halo_particles)
    lagrangian_site, (position, velocity) = sort_by_site(
        *_read_particles(files, headers, kept_fraction), headers.n_grid**3
    )
    delta, growth = _read_density(files.ic_density, headers)
    mass = float(headers.header["ParticleMassHMsun"])
    return Box.from_arrays(
        delta=delta,
        lagrangian_site=lagrangian_site,
        position=position,
        velocity=velocity,
        halo_position=centre,
        halo_mass=(n * mass).astype(np.float32),
        halo_particles=n.astype(np.int32),
        halo_velocity=halo_velocity,
        attributes=_attributes(files, headers, growth)
        | {"min_halo_particles": min_halo_particles, "kept_fraction": float(kept_fraction)},
    )


def check_sizes(box: Box, settings: AbacusSettings) -> None:
    """Check that a box has the `box_size` and `particles_per_side` of the configuration.

    Raises
    ------
    ValueError
        Naming the keys, their values and those of the files.
    """
    wrong = [
        f"abacus.{key} is {getattr(settings, key):g}, the files have {box.attributes[key]:g}"
        for key in ("box_size", "particles_per_side")
        if not np.isclose(getattr(settings, key), box.attributes[key], rtol=1e-6)
    ]
    if wrong:
        raise ValueError(
            f"{box.attributes['simulation']} does not fit the configuration: {'; '.join(wrong)}. "
            "Correct these keys or the simulations in abacus.boxes."
        )


def _read_density(path: Path, headers: BoxHeaders) -> tuple[np.ndarray, float]:
    """Return the linear density at the snapshot's redshift, and D / D(0)."""
    redshifts = (headers.header["Redshift"], 0.0, headers.header["InitialRedshift"])
    growth, today, initial = (growth_at(headers.growth_table, z, path) for z in redshifts)
    density = np.require(_read_finite(path, "density"), np.float32, ["C", "W"])
    density *= np.float32(growth / initial)
    return density, growth / today


def _read_particles(
    files: BoxFiles, headers: BoxHeaders, kept_fraction: float
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return Lagrangian sites (P,) int32, and positions [Mpc/h] and velocities [km/s] (P, 3)."""
    pairs, box_size = particle_files(files), float(headers.header["BoxSize"])
    # chosen again where they are read: masks of all files together can be large
    chosen = [
        partial(_chosen, n, headers.rows[rv], kept_fraction) for n, (rv, _) in enumerate(pairs)
    ]
    counts = [np.count_nonzero(of_file()) for of_file in chosen]
    sites = np.empty(sum(counts), np.int32)
    positions, velocities = (np.empty((len(sites), 3), np.float32) for _ in range(2))
    nodes = lagrangian_nodes(round(headers.header["ppd"]), headers.n_grid)
    start = 0
    for number, (rv, pid) in enumerate(bar(pairs, desc="reading particles", unit="file")):
        here, kept = slice(start, start + counts[number]), chosen[number]()
        # one after the other, so that only one column is in memory
        _fill_vectors(rv, kept, positions[here], velocities[here], box_size)
        _fill_sites(pid, kept, sites[here], nodes, headers.n_grid)
        start = here.stop
    return sites, [positions, velocities]


def _chosen(number: int, rows: int, fraction: float) -> np.ndarray:
    """Return whether each particle of a file is kept."""
    if fraction == 1.0:
        return np.ones(rows, bool)
    return np.random.default_rng(number).random(rows, np.float32) < fraction


def _fill_vectors(
    path: Path, kept: np.ndarray, positions: np.ndarray, velocities: np.ndarray, box_size: float
) -> None:
    packed = read_column(path, "rvint")
    packed = packed if kept.all() else packed[kept]
    for part in _parts(len(positions)):
        unpacked, _ = unpack_rvint(packed[part], box_size, velout=velocities[part])
        positions[part] = _shifted(unpacked, box_size)


def _fill_sites(
    path: Path, kept: np.ndarray, out: np.ndarray, nodes: np.ndarray, n_grid: int
) -> None:
    packed = read_column(path, "packedpid")
    packed = packed if kept.all() else packed[kept]
    for part in _parts(len(out)):
        index = unpack_pids(packed[part], lagr_idx=True)["lagr_idx"]
        if index.max() >= len(nodes):
            raise ValueError(
                f"{path} has a particle with lattice index {index.max()}, but the lattice has "
                f"{len(nodes)} points per side (ppd): the file is damaged. Download it again."
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
        counts, column = path, "N"
        if files.cleaned_halo_info:
            counts, column = files.cleaned_halo_info[number], "N_total"
        n = read_column(counts, column)
        kept = n >= max(min_particles, 1)  # cleaning leaves merged halos with no particles
        centres = _shifted(_read_finite(path, "x_com")[kept] * box_size, box_size)
        velocities = (_read_finite(path, "v_com")[kept] * to_kms).astype(np.float32)
        found.append((n[kept].astype(np.int64), centres, velocities))
    n, centres, velocities = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(-n, kind="stable")
    return n[order], centres[order], velocities[order]


def _read_finite(path: Path, column: str) -> np.ndarray:
    """Read a column and check that its values are finite."""
    values = read_column(path, column)
    if problem := not_finite(values):
        raise ValueError(
            f"{path}, column {column!r}: {problem}. The file is damaged: compare it with "
            "checksums.crc32 in its directory and download it again."
        )
    return values


def _shifted(positions: np.ndarray, box_size: float) -> np.ndarray:
    """Move positions from [-L/2, L/2] to [0, L), as float32; the upper edge becomes 0."""
    shifted = positions.astype(np.float32, copy=False) + np.float32(box_size / 2)
    shifted[shifted < 0] += np.float32(box_size)
    # also for what the line above, or rounding to float32, put at L
    shifted[shifted >= box_size] -= np.float32(box_size)
    return shifted


def _parts(length: int) -> Iterator[slice]:
    yield from (slice(start, start + _CHUNK) for start in range(0, length, _CHUNK))


def _attributes(files: BoxFiles, headers: BoxHeaders, growth: float) -> dict[str, Any]:
    header = headers.header
    return {
        "source": "abacus",
        "simulation": str(header["SimName"]),
        "box_size": float(header["BoxSize"]),
        "n_grid": headers.n_grid,
        "redshift": float(header["Redshift"]),
        "growth": growth,
        "omega_m": float(header["Omega_M"]),
        "particle_mass": float(header["ParticleMassHMsun"]),
        "particles_per_side": round(header["ppd"]),
        "initial_redshift": float(header["InitialRedshift"]),
        "cleaned": bool(files.cleaned_halo_info),
        "n_files": len(files.all),
    }
