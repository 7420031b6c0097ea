"""Files of an AbacusSummit box: paths in the collection, and what is found on disk.

Paths relative to the root of the collection are the same on every server::

    small/SIMULATION/halos/z0.500/{halo_info,halo_rv_A,halo_pid_A,field_rv_A,field_pid_A}/
    ic/small/SIMULATION/ic_dens_N576.asdf
    cleaning/small/SIMULATION/z0.500/cleaned_halo_info/

Simulations other than the small boxes have no level ``small``. A product is a directory of files
``PRODUCT_000.asdf``, ``PRODUCT_001.asdf``, ...: one for a small box, one per superslab otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lagbias.schema.fields import array, label

if TYPE_CHECKING:
    from lagbias.config.sections import AbacusSettings

__all__ = ["AcquiredFiles", "BoxFiles", "box_paths", "find_box", "snapshot_of"]

_NUMBER = re.compile(r"_([0-9]{3})\.asdf$")


@dataclass(frozen=True)
class BoxFiles:
    """Files of one box on disk: a tuple per product, one file per superslab, in the same order."""

    ic_density: Path  #: linear density at the initial redshift
    halo_info: tuple[Path, ...]
    halo_rv: tuple[Path, ...]  #: packed positions of the particles in groups
    halo_pid: tuple[Path, ...]  #: their packed IDs
    field_rv: tuple[Path, ...]  #: of all other particles
    field_pid: tuple[Path, ...]
    cleaned_halo_info: tuple[Path, ...] = ()  #: empty to read the halos uncleaned

    @property
    def all(self) -> tuple[Path, ...]:
        """Every file, the density first."""
        products = (getattr(self, field.name) for field in fields(self)[1:])
        return (self.ic_density, *(path for product in products for path in product))


@dataclass(frozen=True, kw_only=True)
class AcquiredFiles:
    """Verified files of one box on disk."""

    KIND: ClassVar[str] = "box_files"
    path: np.ndarray = array("1", "file", "path relative to directory", code="S")
    size: np.ndarray = array("byte", "file", "length", code="i")
    crc: np.ndarray = array("1", "file", "CRC-32 as cksum prints it", code="i")
    directory: str = label("root of the tree")
    simulation: str = label("name of the simulation")

    @property
    def identity(self) -> dict[str, list[int]]:
        """Checksum and size of each file: what the box holds, wherever the files are."""
        rows = zip(self.path.tolist(), self.crc.tolist(), self.size.tolist(), strict=True)
        return {path.decode(): [crc, size] for path, crc, size in rows}


def box_paths(
    simulation: str,
    redshift: float,
    *,
    n_ic: int = 576,
    cleaned: bool = False,
    small: bool = True,
) -> dict[str, PurePosixPath]:
    """Return the paths of a box.

    Parameters
    ----------
    simulation : str
        Name, such as ``AbacusSummit_small_c000_ph3000``.
    redshift : float
        Redshift of the snapshot.
    n_ic : int, keyword-only
        Nodes per side of the linear density.
    cleaned, small : bool, keyword-only
        Whether to include the cleaned halo catalogue; whether this is a small box (500 Mpc/h).

    Returns
    -------
    dict of str to PurePosixPath
        By field of `BoxFiles`: ``ic_density`` is a file, all others are directories that hold the
        files of a product and ``checksums.crc32``.
    """
    level = PurePosixPath("small") if small else PurePosixPath()
    snapshot = f"z{redshift:.3f}"
    halos = level / simulation / "halos" / snapshot
    paths = {
        "ic_density": PurePosixPath("ic") / level / simulation / f"ic_dens_N{n_ic}.asdf",
        "halo_info": halos / "halo_info",
    }
    # _A is the 3 % subsample of particles
    paths |= {
        name: halos / f"{name}_A" for name in ("halo_rv", "halo_pid", "field_rv", "field_pid")
    }
    if cleaned:
        cleaning = PurePosixPath("cleaning") / level / simulation / snapshot
        paths["cleaned_halo_info"] = cleaning / "cleaned_halo_info"
    return paths


def snapshot_of(settings: AbacusSettings) -> dict[str, Any]:
    """Return the arguments of `box_paths` that the configuration sets."""
    return {
        "redshift": settings.redshift,
        "n_ic": settings.density_grid,
        "cleaned": settings.cleaned,
        "small": settings.small,
    }


def find_box(root: str | Path, simulation: str, redshift: float, **options: Any) -> BoxFiles:
    """Find the files of a box in a copy of the collection, in the order of their numbers.

    Parameters
    ----------
    root : str or Path
        Directory that holds ``small/``, ``ic/`` and ``cleaning/``.
    simulation, redshift, **options
        As in `box_paths`.

    Raises
    ------
    FileNotFoundError
        With one line per product that is incomplete.
    """
    root = Path(root)
    paths = box_paths(simulation, redshift, **options)
    density = root / paths.pop("ic_density")
    found = {name: _numbered_files(root / path) for name, path in paths.items()}
    problems = [] if density.is_file() else [f"no file {density.relative_to(root)}"]
    # all products have as many files as the one with the highest number
    last = max((number for files in found.values() for number in files), default=0)
    for name, files in found.items():
        absent = [number for number in range(last + 1) if number not in files]
        if absent:
            names = ", ".join(f"{paths[name].name}_{number:03d}.asdf" for number in absent)
            problems.append(f"{paths[name]}/ lacks {names}")
    if problems:
        raise FileNotFoundError(
            f"Box {simulation} at redshift {redshift:g} is incomplete below {root}:\n  - "
            + "\n  - ".join(problems)
            + "\nDownload the missing files, or correct the directory, the simulation, the "
            "redshift or the nodes of the density (not every simulation reached every redshift, "
            "and few small boxes have a cleaned catalogue)."
        )
    return BoxFiles(density, **{n: tuple(f[i] for i in sorted(f)) for n, f in found.items()})


def _numbered_files(directory: Path) -> dict[int, Path]:
    """Return the files of a product by number."""
    matches = ((_NUMBER.search(path.name), path) for path in directory.glob("*.asdf"))
    return {int(match[1]): path for match, path in matches if match}
