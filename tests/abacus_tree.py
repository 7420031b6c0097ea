"""Writes a small simulation in AbacusSummit's layout and formats.

Its particles follow its linear density (Zel'dovich), so statistics that a wrong origin or order of
axes would spoil can be tested on it; its halos are random. Nothing of the reader is used here: the
packing is written down from its description, so that reader and writer check each other.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import asdf
import numpy as np

#: Step of packed velocities [km/s].
VELOCITY_UNIT = 6000.0 / 2048
GROWTH_TABLE = {0.0: 77.8654, 0.5: 59.9115, 1.0: 47.3048, 99.0: 1.0}
SIMULATION = "AbacusSummit_small_c000_ph3000"


def write_tree(
    root: Path,
    *,
    simulation: str = SIMULATION,
    redshift: float = 0.5,
    box_size: float = 120.0,
    n_ic: int = 16,
    ppd: int = 48,
    subsample: float = 0.3,
    n_halos: int = 40,
    n_files: int = 1,
    cleaned: bool = False,
    small: bool = True,
    seed: int = 1,
) -> SimpleNamespace:
    """Write a tree and return what is in it, in its units, in the order of its files.

    The result has `header`, `density` (at z = 99), `lattice` (P, 3) int64, `positions` (P, 3) in
    [-L/2, L/2), `moving` (P, 3) in km/s, `n`, `n_total`, `centres` (H, 3) in [-L/2, L/2),
    `velocities` (H, 3) in km/s, and `find`, the arguments with which the reader finds the box.
    """
    rng = np.random.default_rng(seed)
    density, displacement = linear_fields(n_ic, box_size, redshift, rng)
    lattice = chosen_lattice(ppd, subsample, rng)
    nearest = np.rint(lattice * (n_ic / ppd)).astype(int) % n_ic
    positions = lattice * (box_size / ppd) - box_size / 2 + displacement[tuple(nearest.T)]
    halos = random_halos(n_halos, box_size, rng)
    box = SimpleNamespace(
        root=root,
        header=simulation_header(simulation, redshift, box_size, ppd, len(lattice), seed),
        density=density,
        lattice=lattice,
        positions=(positions + box_size / 2) % box_size - box_size / 2,
        moving=(7 * lattice % 401 - 200) * VELOCITY_UNIT,
        **vars(halos),
        find={
            "root": root,
            "simulation": simulation,
            "redshift": redshift,
            "n_ic": n_ic,
            "cleaned": cleaned,
            "small": small,
        },
    )
    level = "small" if small else ""
    snapshot = root / level / simulation / "halos" / f"z{redshift:.3f}"
    cleaning = root / "cleaning" / level / simulation / f"z{redshift:.3f}"
    for number in range(n_files):
        write_particles(snapshot, box, number, n_files, rng)
        write_halos(snapshot, cleaning if cleaned else None, box, number, n_files)
    # the density's "ppd" is that of its own grid, as in the published files
    header = box.header | {"ppd": float(n_ic), "NP": n_ic**3, "GrowthTable": GROWTH_TABLE}
    write(root / "ic" / level / simulation / f"ic_dens_N{n_ic}.asdf", {"density": density}, header)
    return box


def write_particles(
    snapshot: Path, box: SimpleNamespace, number: int, n_files: int, rng: np.random.Generator
) -> None:
    """Write one superslab of particles; the first third of all is in groups."""
    count = len(box.lattice)
    for group, start, stop in (("halo", 0, count // 3), ("field", count // 3, count)):
        part = share(start, stop, number, n_files)
        columns = {
            "rv": {"rvint": packed(box.positions[part], box.moving[part], box.header["BoxSize"])},
            "pid": {"packedpid": packed_ids(box.lattice[part], rng)},
        }
        for kind, column in columns.items():
            product = f"{group}_{kind}_A"
            write(snapshot / product / f"{product}_{number:03d}.asdf", column, box.header)


def write_halos(
    snapshot: Path, cleaning: Path | None, box: SimpleNamespace, number: int, n_files: int
) -> None:
    """Write one superslab of halos, and its cleaned version if there is a place for it."""
    part = share(0, len(box.n), number, n_files)
    to_kms = box.header["VelZSpace_to_kms"]
    columns = {
        "N": box.n[part],
        "x_com": (box.centres[part] / box.header["BoxSize"]).astype(np.float32),
        "v_com": (box.velocities[part] / to_kms).astype(np.float32),
    }
    write(snapshot / "halo_info" / f"halo_info_{number:03d}.asdf", columns, box.header)
    if cleaning is not None:
        path = cleaning / "cleaned_halo_info" / f"cleaned_halo_info_{number:03d}.asdf"
        write(path, {"N_total": box.n_total[part]}, box.header)


def linear_fields(
    n: int, box_size: float, redshift: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return a density at z = 99 (n, n, n) float32 and displacements at `redshift` (n, n, n, 3).

    The displacement is along the density's gradient in Fourier space, psi = i k / k^2 delta.
    """
    wave = np.fft.fftfreq(n, d=box_size / n) * 2 * np.pi
    k = np.stack(np.meshgrid(wave, wave, wave[: n // 2 + 1], indexing="ij"), axis=-1)
    squared = np.sum(k**2, axis=-1)
    squared[0, 0, 0] = 1.0
    modes = np.fft.rfftn(rng.standard_normal((n, n, n))) * squared**-0.75  # P(k) ~ k^-3
    modes[0, 0, 0] = 0.0
    nyquist = np.any(np.abs(k) >= np.pi * n / box_size * (1 - 1e-9), axis=-1)
    modes[nyquist] = 0.0
    density = np.fft.irfftn(modes, s=(n, n, n), axes=(0, 1, 2))
    modes *= 0.5 / density.std()  # mildly non-linear at the snapshot's redshift
    potential = (1j * modes / squared)[..., None] * k
    displacement = np.fft.irfftn(potential, s=(n, n, n), axes=(0, 1, 2))
    growth = GROWTH_TABLE[redshift] / GROWTH_TABLE[99.0]
    return (density * (0.5 / density.std() / growth)).astype(np.float32), displacement


def chosen_lattice(ppd: int, subsample: float, rng: np.random.Generator) -> np.ndarray:
    """Return lattice points (P, 3) of a random part of the particles, corners always among them."""
    count = round(subsample * ppd**3)
    flat = rng.choice(ppd**3, size=count, replace=False)
    lattice = np.stack(np.unravel_index(flat, (ppd,) * 3), axis=-1)
    lattice[:2] = [[0, 0, 0], [ppd - 1] * 3]
    return lattice


def random_halos(count: int, box_size: float, rng: np.random.Generator) -> SimpleNamespace:
    """Return halos in no particular order; several have equal numbers of particles."""
    n = rng.integers(35, 35 + 3 * count // 2, size=count).astype(np.uint32)
    return SimpleNamespace(
        n=n,
        n_total=cleaned_counts(n),
        centres=rng.uniform(-box_size / 2, box_size / 2, (count, 3)),
        velocities=rng.normal(0.0, 300.0, (count, 3)),
    )


def cleaned_counts(n: np.ndarray) -> np.ndarray:
    """Return counts after every fourth halo was merged into the one before it."""
    total = n.copy()
    merged = np.arange(3, len(n), 4)
    total[merged - 1] += n[merged]
    total[merged] = 0
    return total


def simulation_header(
    simulation: str, redshift: float, box_size: float, ppd: int, particles: int, seed: int
) -> dict:
    """Return what the header of every product says, as far as it is ever read."""
    return {
        "SimName": simulation,
        "BoxSize": box_size,
        "ppd": float(ppd),
        "NP": ppd**3,
        "ParticleMassHMsun": 8.7e10 * (box_size / ppd) ** 3,
        "ParticleSubsampleA": particles / ppd**3,
        "Redshift": redshift,
        "InitialRedshift": 99.0,
        "Omega_M": 0.315192,
        "Omega_Smooth": 0.00142,
        "H0": 67.36,
        "VelZSpace_to_kms": 100.0 * box_size,
        "ZD_Seed": 12321 + seed,
    }


def packed(positions: np.ndarray, velocities: np.ndarray, box_size: float) -> np.ndarray:
    """Pack positions in 20 bits in units of L / 10^6, and velocities in 12 bits."""
    whole = np.rint(positions * (1e6 / box_size)).astype(np.int32)
    return (whole << 12) | np.rint(velocities / VELOCITY_UNIT + 2048).astype(np.int32)


def packed_ids(lattice: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pack lattice indices in bits 0-14, 16-30, 32-46, with random bits where others belong."""
    i, j, k = lattice.astype(np.uint64).T
    others = rng.integers(0, 2, size=(len(lattice), 5), dtype=np.uint64)
    packed = i | (j << np.uint64(16)) | (k << np.uint64(32))
    for bit, position in enumerate((15, 31, 47, 48, 52)):
        packed |= others[:, bit] << np.uint64(position)
    return packed


def share(start: int, stop: int, number: int, n_files: int) -> slice:
    """Return the rows of one of several files of unequal length."""
    edges = np.rint(start + (stop - start) * (np.arange(n_files + 1) / n_files) ** 2).astype(int)
    return slice(edges[number], edges[number + 1])


def write(path: Path, columns: dict[str, np.ndarray], header: dict) -> None:
    """Write one file as Abacus does: everything compressed with Blosc."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {name: np.ascontiguousarray(values) for name, values in columns.items()}
    # later versions of the standard refuse numbers as keys, which GrowthTable has
    file = asdf.AsdfFile({"header": dict(header), "data": columns}, version="1.5.0")
    # small blocks, so that a column has several, as large files have
    sizes = {"compression_block_size": 1 << 18, "blosc_block_size": 1 << 16}
    file.write_to(path, all_array_compression="blsc", compression_kwargs=sizes)


def write_checksums(root: Path) -> None:
    """Write the checksum file of every directory of a tree, with GNU cksum."""
    for directory in {path.parent for path in root.rglob("*.asdf")}:
        names = sorted(path.name for path in directory.glob("*.asdf"))
        with (directory / "checksums.crc32").open("w") as listing:
            subprocess.run(["cksum", *names], cwd=directory, stdout=listing, check=True)


def edit(path: Path, *, header: dict | None = None, columns: dict | None = None) -> None:
    """Rewrite a file with another header or other columns; None as a value removes it."""
    with asdf.open(path, lazy_load=False, memmap=False) as file:
        old_header = dict(file["header"])
        old_columns = {name: np.array(values) for name, values in file["data"].items()}
    for old, new in ((old_header, header), (old_columns, columns)):
        old.update(new or {})
        for name in [name for name, value in old.items() if value is None]:
            del old[name]
    write(path, old_columns, old_header)
