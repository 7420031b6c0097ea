"""Write a synthetic box with the sizes, the tree and the formats of an AbacusSummit small box.

    python benchmarks/paper_scale/make_box.py --root TREE
    python benchmarks/paper_scale/make_box.py --root TREE --box-size 125 --n-ic 144 --ppd 432

The first takes minutes and writes a box of the size of the paper's; the second, of the same
resolution, takes seconds. What the box is and is not good for is in docs/paper-scale.md.
"""

from __future__ import annotations

import argparse
import logging
import re
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from synthetic_field import density, displacements, linear_modes, smoothed_density
from synthetic_files import simulation_header, write_checksums, write_file
from synthetic_halos import Peaks, halo_masses, mean_counts, place_halos
from synthetic_particles import Lattice, count_groups, pack_group

from lagbias.cosmology import abacus_linear_power
from lagbias.grids.fourier import RealFFT
from lagbias.runtime.threads import numba_threads
from lagbias.sources.abacus.paths import box_paths

__all__ = ["Settings", "main", "make_box"]

log = logging.getLogger("make_box")

_DENSE_RADIUS = 1.0  # Mpc/h: of the density that tells groups from field
_SHARE_IN_GROUPS = 0.38  # of subsample A, from the sizes of AbacusSummit's files
_SAMPLED_NODES = 1_000_000


class Settings(NamedTuple):
    """What to make; the defaults are those of an AbacusSummit small box.

    Attributes
    ----------
    simulation : str
        Name.
    seed : int
        Seed of everything random.
    box_size : float
        L [Mpc/h].
    n_ic : int
        Nodes per side of the linear density.
    ppd : int
        Particles per side of the lattice.
    fraction : float
        Share of the particles in subsample A, in (0, 1].
    redshift : float
        Of the snapshot.
    min_halo_particles : int
        Particles of the smallest halo.
    threads : int
        Threads of transforms and kernels.
    """

    simulation: str = "AbacusSummit_small_c000_ph3100"
    seed: int = 3100
    box_size: float = 500.0
    n_ic: int = 576
    ppd: int = 1728
    fraction: float = 0.03
    redshift: float = 0.5
    min_halo_particles: int = 35
    threads: int = 2


def make_box(root: Path, settings: Settings) -> dict[str, int]:
    """Write a box.

    Parameters
    ----------
    root : Path
        Root of the tree.
    settings : Settings
        What to make.

    Returns
    -------
    dict of str to int
        Numbers of particles in groups and outside, and of halos.

    Raises
    ------
    ValueError
        If the lattice is coarser than the density, too fine for its packing, or the share of
        particles is no share.
    """
    _check(settings)
    paths = {
        name: Path(root, path)
        for name, path in box_paths(
            settings.simulation, settings.redshift, n_ic=settings.n_ic
        ).items()
    }
    header = _header(settings)
    with numba_threads(settings.threads):
        peaks, psi, dense = _grids(paths["ic_density"], settings, header)
        with _stage("writing halos"):
            _write_halos(paths["halo_info"], peaks, psi, header)
        return {"halos": len(peaks.node)} | _write_particles(paths, settings, header, psi, dense)


def _grids(
    density_path: Path, settings: Settings, header: dict
) -> tuple[Peaks, np.ndarray, np.ndarray]:
    """Write the linear density; return halos, displacements [boxes] and a smoothed density."""
    table = header["GrowthTable"]
    growth = table[settings.redshift] / table[0.0]
    fft = RealFFT(settings.n_ic, threads=settings.threads)
    with _stage("linear density"):
        modes = linear_modes(settings.box_size, fft, np.random.default_rng(settings.seed))
        _write_density(density_path, modes, header, fft)

    def smoothed(radius: float) -> np.ndarray:
        return smoothed_density(modes, growth, radius, box_size=settings.box_size, fft=fft)

    with _stage("halos on peaks"):
        peaks = _peaks(settings, header, growth, smoothed)
    with _stage("displacements"):
        psi = displacements(modes, growth, box_size=settings.box_size, fft=fft)
        psi /= np.float32(settings.box_size)
        return peaks, psi, smoothed(_DENSE_RADIUS)


def _check(settings: Settings) -> None:
    problem = None
    if settings.ppd < settings.n_ic:
        problem = f"ppd = {settings.ppd} is below n_ic = {settings.n_ic}"
    elif settings.ppd > 1 << 15:
        problem = f"ppd = {settings.ppd} does not fit into the 15 bits of a lattice index"
    elif not 0.0 < settings.fraction <= 1.0:
        problem = f"fraction = {settings.fraction} is not in (0, 1]"
    if problem:
        raise ValueError(f"No box can be made: {problem}. Give other sizes.")


def _header(settings: Settings) -> dict[str, Any]:
    sizes = settings._asdict()
    return simulation_header(
        **{key: sizes[key] for key in ("simulation", "redshift", "box_size", "ppd")},
        **{key: sizes[key] for key in ("fraction", "seed")},
    )


def _write_density(path: Path, modes: np.ndarray, header: dict, fft: RealFFT) -> None:
    """Write the density at the initial redshift; its header's ppd is that of its own grid."""
    table = header["GrowthTable"]
    initial = density(modes, table[header["InitialRedshift"]] / table[0.0], fft)
    write_file(path, header | {"ppd": float(fft.n), "NP": fft.n**3}, {"density": initial})
    write_checksums(path.parent)


def _peaks(settings: Settings, header: dict, growth: float, smoothed) -> Peaks:
    smallest = settings.min_halo_particles * header["ParticleMassHMsun"]
    table = mean_counts(abacus_linear_power(), growth, header["Omega_M"], smallest)
    masses = halo_masses(*table, settings.box_size**3)
    sizes = {"box_size": settings.box_size, "omega_m": header["Omega_M"]}
    return place_halos(masses, smoothed, **sizes)


def _write_halos(directory: Path, peaks: Peaks, psi: np.ndarray, header: dict) -> None:
    """Write halos at their displaced nodes, with the velocity of the displacement."""
    n = len(psi)
    shift = psi.reshape(-1, 3)[peaks.node]
    centre = np.stack(np.unravel_index(peaks.node, (n,) * 3), axis=-1) / n - 0.5 + shift
    centre -= np.floor(centre + 0.5)
    columns = {
        "N": np.rint(peaks.mass / header["ParticleMassHMsun"]).astype(np.uint32),
        "x_com": centre.astype(np.float32),
        "v_com": (shift * header["f_growth"]).astype(np.float32),
    }
    _write_product(directory, header, columns)


def _write_particles(
    paths: dict[str, Path], settings: Settings, header: dict, psi: np.ndarray, dense: np.ndarray
) -> dict[str, int]:
    """Write particles of one kind after the other."""
    lattice = Lattice(
        ppd=settings.ppd,
        fraction=settings.fraction,
        psi=psi,
        # the growing mode: v = f aH psi, and VelZSpace_to_kms is aH L
        to_kms=header["f_growth"] * header["VelZSpace_to_kms"],
        dense=dense,
        threshold=_threshold(dense),
        generator=lambda plane: np.random.default_rng([settings.seed, 1, plane]),
    )
    with _stage("counting particles"):
        counts = count_groups(lattice)
    for name, column in (("halo", 1), ("field", 0)):
        with _stage(f"{name} particles"):
            rvint, packedpid = pack_group(lattice, counts[:, column], in_groups=name == "halo")
        with _stage(f"writing {name} particles"):
            _write_product(paths[f"{name}_rv"], header, {"rvint": rvint})
            del rvint
            _write_product(paths[f"{name}_pid"], header, {"packedpid": packedpid})
    outside, inside = counts.sum(axis=0)
    return {"in_groups": int(inside), "in_field": int(outside)}


def _threshold(dense: np.ndarray) -> float:
    """Return the density that so many nodes exceed as particles are in groups."""
    some = dense.ravel()[:: max(1, dense.size // _SAMPLED_NODES)]
    return float(np.quantile(some, 1.0 - _SHARE_IN_GROUPS))


def _write_product(directory: Path, header: dict, columns: dict[str, np.ndarray]) -> None:
    """Write the one file of a product; only the density's header has the growth table."""
    header = {key: value for key, value in header.items() if key != "GrowthTable"}
    write_file(directory / f"{directory.name}_000.asdf", header, columns)
    write_checksums(directory)


@contextmanager
def _stage(what: str) -> Iterator[None]:
    """Say how long something took, and the largest memory so far."""
    started = time.perf_counter()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    log.info("%-26s %7.1f s   peak %5.2f GiB", what, time.perf_counter() - started, peak)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = Settings()
    parser.add_argument("--root", type=Path, required=True, help="directory of the tree")
    parser.add_argument("--simulation", default=default.simulation, help="its name")
    parser.add_argument("--seed", type=int, help="default: the phase in the name")
    for key in ("box_size", "n_ic", "ppd", "fraction", "min_halo_particles", "threads"):
        value = getattr(default, key)
        option = f"--{key.replace('_', '-')}"
        parser.add_argument(option, type=type(value), default=value, help=f"default: {value}")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Run from the command line.

    Parameters
    ----------
    argv : list of str, optional
        Arguments; those of the process by default.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    chosen = vars(_arguments(argv))
    root = chosen.pop("root")
    if chosen["seed"] is None:
        phase = re.search(r"(\d+)$", chosen["simulation"])
        chosen["seed"] = int(phase[1]) if phase else Settings().seed
    try:
        with _stage("all"):
            counts = make_box(root, Settings(**chosen))
    except (OSError, ValueError) as error:
        sys.exit(f"make_box.py: {error}")
    log.info("%s", ", ".join(f"{value} {key}" for key, value in counts.items()))


if __name__ == "__main__":
    main()
