"""Where AbacusSummit keeps the files of a box, and finding them in a copy of its tree.

Paths are relative to the collection's root and the same on every server that carries it::

    small/SIMULATION/halos/z0.500/{halo_info,halo_rv_A,halo_pid_A,field_rv_A,field_pid_A}/
    ic/small/SIMULATION/ic_dens_N576.asdf
    cleaning/small/SIMULATION/z0.500/cleaned_halo_info/

Simulations other than the small boxes lack the level ``small``. A product is a directory of files
``PRODUCT_000.asdf``, ``PRODUCT_001.asdf``, ...: one for a small box, one per superslab otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path, PurePosixPath

__all__ = ["PARTICLE_PRODUCTS", "BoxFiles", "box_paths", "find_box"]

PARTICLE_PRODUCTS = ("halo_rv", "halo_pid", "field_rv", "field_pid")
"""Products of particles, here without the suffix of the subsample (A, 3 % of all particles)."""

_NUMBER = re.compile(r"_([0-9]{3,})\.asdf$")
_MOST_NAMED = 20  # missing files of a product in a message


@dataclass(frozen=True)
class BoxFiles:
    """The files of one box.

    Attributes
    ----------
    ic_density : Path
        The linear density at the initial redshift.
    halo_info : tuple of Path
        Halo catalogue, one file per superslab.
    halo_rv, halo_pid : tuple of Path
        Packed positions and packed IDs of the particles in groups, in the same order.
    field_rv, field_pid : tuple of Path
        The same of all other particles.
    cleaned_halo_info : tuple of Path
        Corrections to `halo_info`, in its order; empty to read halos as they were found.
    """

    ic_density: Path
    halo_info: tuple[Path, ...]
    halo_rv: tuple[Path, ...]
    halo_pid: tuple[Path, ...]
    field_rv: tuple[Path, ...]
    field_pid: tuple[Path, ...]
    cleaned_halo_info: tuple[Path, ...] = ()

    @property
    def all(self) -> tuple[Path, ...]:
        """Every file, that of the density first."""
        found = []
        for field in fields(self):
            value = getattr(self, field.name)
            found += [value] if field.name == "ic_density" else value
        return tuple(found)


def box_paths(
    simulation: str,
    redshift: float,
    *,
    n_ic: int = 576,
    cleaned: bool = False,
    small: bool = True,
) -> dict[str, PurePosixPath]:
    """Return where everything that a box needs is, relative to the collection's root.

    Parameters
    ----------
    simulation : str
        Full name, such as ``AbacusSummit_small_c000_ph3000``.
    redshift : float
        Redshift of the snapshot; directories carry it with three decimals.
    n_ic : int, keyword-only
        Nodes per side of the linear density (576 is all that small boxes have).
    cleaned : bool, keyword-only
        Whether the cleaned catalogue is wanted too.
    small : bool, keyword-only
        Whether the simulation is among the small boxes, which have a directory of their own.

    Returns
    -------
    dict of str to PurePosixPath
        Keys are those of :class:`BoxFiles`. ``ic_density`` is a file; everything else is the
        directory of a product, which holds its files and ``checksums.crc32``.
    """
    level = PurePosixPath("small") if small else PurePosixPath()
    snapshot = f"z{redshift:.3f}"
    halos = level / simulation / "halos" / snapshot
    paths = {
        "ic_density": PurePosixPath("ic") / level / simulation / f"ic_dens_N{n_ic}.asdf",
        "halo_info": halos / "halo_info",
        **{product: halos / f"{product}_A" for product in PARTICLE_PRODUCTS},
    }
    if cleaned:
        cleaning = PurePosixPath("cleaning") / level / simulation / snapshot
        paths["cleaned_halo_info"] = cleaning / "cleaned_halo_info"
    return paths


def find_box(
    root: str | Path,
    simulation: str,
    redshift: float,
    *,
    n_ic: int = 576,
    cleaned: bool = False,
    small: bool = True,
) -> BoxFiles:
    """Find the files of a box in a copy of the collection's tree.

    Parameters
    ----------
    root : str or Path
        The directory that holds ``small/``, ``ic/`` and ``cleaning/``.
    simulation, redshift, n_ic, cleaned, small
        As in :func:`box_paths`.

    Returns
    -------
    BoxFiles
        Files of a product in the order of their numbers.

    Raises
    ------
    FileNotFoundError
        With one line for everything that is missing.
    """
    root = Path(root)
    paths = box_paths(simulation, redshift, n_ic=n_ic, cleaned=cleaned, small=small)
    density = root / paths.pop("ic_density")
    found = {name: _numbered_files(root / path) for name, path in paths.items()}
    problems = [] if density.is_file() else [f"no file {density.relative_to(root)}"]
    # Any product's highest number says how many files all must have, so a gap anywhere is seen.
    last = max(set().union(*found.values()), default=0)
    for name, files in found.items():
        absent = (n for n in range(last + 1) if n not in files)
        missing = [f"{paths[name].name}_{n:03d}.asdf" for n in islice(absent, _MOST_NAMED)]
        if missing:
            more = last + 1 - len(files) - len(missing)
            missing += [f"and {more} more"] if more else []
            problems.append(f"{paths[name]}/ lacks {', '.join(missing)}")
    if problems:
        raise FileNotFoundError(
            f"Box {simulation} at redshift {redshift:g} is not complete below {root}:\n  - "
            + "\n  - ".join(problems)
            + "\nDownload what is missing, or correct the directory, the name of the simulation, "
            "its redshift or the number of nodes of the density (not every simulation has every "
            "redshift, and few small boxes have a cleaned catalogue)."
        )
    return BoxFiles(density, **{name: _in_order(files) for name, files in found.items()})


def _numbered_files(directory: Path) -> dict[int, Path]:
    """Return the files of a product by their number."""
    matches = ((_NUMBER.search(path.name), path) for path in directory.glob("*.asdf"))
    return {int(match[1]): path for match, path in matches if match}


def _in_order(files: dict[int, Path]) -> tuple[Path, ...]:
    return tuple(files[number] for number in sorted(files))
