"""Dark-matter particles of HDF5 snapshots of Gadget-4."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from lagbias.runtime.progress import bar
from lagbias.schema.file_names import numbered_files
from lagbias.sources.files.arrays import blocks_of
from lagbias.sources.files.particles import Stated

__all__ = ["GadgetParticles"]

_TYPE = 1  # halo particles
_GROUP = f"PartType{_TYPE}"
_MPC = 3.085678e24  # cm, as parameter files of Gadget give it
_SOLAR_MASS = 1.989e33  # g, likewise
_KM = 1e5  # cm
#: Units of Gadget-4's own examples, where a file states none: Mpc/h, 1e10 Msun/h and km/s.
_DEFAULT_UNITS = {
    "UnitLength_in_cm": _MPC,
    "UnitMass_in_g": 1e10 * _SOLAR_MASS,
    "UnitVelocity_in_cm_per_s": _KM,
}


class GadgetParticles:
    """Particles of type 1 of a snapshot in one or several files.

    Units are those in the group ``Parameters`` (or ``Header``) of the first file, in which lengths
    and masses are divided by h. Velocities are stored divided by the root of the scale factor.

    Parameters
    ----------
    path : str or Path
        The snapshot, or its first file, such as ``snap_005.0.hdf5``.

    Raises
    ------
    OSError
        If a file is absent or damaged.
    ValueError
        If it is not such a snapshot.
    """

    def __init__(self, path: str | Path):
        self._files = numbered_files(path)
        with _opened(self._files[0]) as first:
            header = _attributes(first, "Header", self._files[0])
            parameters = dict(first["Parameters"].attrs) if "Parameters" in first else {}
            units = {
                name: float(parameters.get(name, header.get(name, default)))
                for name, default in _DEFAULT_UNITS.items()
            }
            self._check_complete(int(header.get("NumFilesPerSnapshot", 1)))
            self._length = units["UnitLength_in_cm"] / _MPC
            scale_factor = 1.0 / (1.0 + float(header["Redshift"]))
            self._velocity = np.sqrt(scale_factor) * units["UnitVelocity_in_cm_per_s"] / _KM
            self.stated = Stated(
                box_size=float(header["BoxSize"]) * self._length,
                redshift=float(header["Redshift"]),
                particle_mass=_particle_mass(first, header) * units["UnitMass_in_g"] / _SOLAR_MASS,
            )
        self._counts, self.moving = [], True
        for file in self._files:
            with _opened(file) as part:
                header = _attributes(part, "Header", file)
                self._counts.append(int(header["NumPart_ThisFile"][_TYPE]))
                self.moving &= not self._counts[-1] or "Velocities" in part.get(_GROUP, ())
        self.count = sum(self._counts)

    def positions(self) -> Iterator[np.ndarray]:
        """Yield blocks of comoving positions [Mpc/h], of shape (b, 3)."""
        for block in self._blocks("Coordinates"):
            yield block * np.float64(self._length)

    def velocities(self) -> Iterator[np.ndarray]:
        """Yield blocks of peculiar velocities [km/s], of shape (b, 3)."""
        for block in self._blocks("Velocities"):
            yield block * np.float32(self._velocity)

    def ids(self) -> Iterator[np.ndarray]:
        """Yield blocks of particle IDs, of shape (b,)."""
        return self._blocks("ParticleIDs")

    def _blocks(self, name: str) -> Iterator[np.ndarray]:
        files = zip(self._files, self._counts, strict=True)
        for path, count in bar(list(files), desc=f"reading {name}", unit="file"):
            if not count:  # such a file lacks the group
                continue
            with _opened(path) as file:
                if name not in file.get(_GROUP, ()):
                    found = ", ".join(file.get(_GROUP, ())) or "nothing"
                    raise ValueError(
                        f"{path} has no {_GROUP}/{name}, only: {found}. Have the snapshot written "
                        f"with it."
                    )
                values = file[_GROUP][name]
                for part in blocks_of(values.shape):
                    yield values[part]

    def _check_complete(self, expected: int) -> None:
        if len(self._files) != expected:
            raise ValueError(
                f"{self._files[0]} is one of {expected} files, but {len(self._files)} with such "
                f"names are in {self._files[0].parent}. Name the first file, and put all of them "
                f"there."
            )


def _opened(path: Path) -> h5py.File:
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist. Correct the name of the snapshot.")
    try:
        return h5py.File(path)
    except OSError as error:
        raise OSError(f"{path} is no HDF5 file ({error}). Write the snapshot in HDF5.") from None


def _attributes(file: h5py.File, group: str, path: Path) -> dict[str, Any]:
    needed = ("BoxSize", "Redshift", "MassTable", "NumPart_ThisFile")
    found = dict(file[group].attrs) if group in file else {}
    if missing := [name for name in needed if name not in found]:
        raise ValueError(
            f"{path} is no snapshot of Gadget: {group} lacks {', '.join(missing)}. Correct "
            f"snapshot or format, or name arrays instead."
        )
    return found


def _particle_mass(file: h5py.File, header: Mapping[str, Any]) -> float:
    """Return the mass of a particle in the file's units."""
    mass = float(header["MassTable"][_TYPE])
    if mass:
        return mass
    masses = file[_GROUP]["Masses"][:1000]
    if masses.min() != masses.max():
        raise ValueError(
            f"Particles of {file.filename} have masses from {masses.min()} to {masses.max()}; "
            f"equal masses are needed."
        )
    return float(masses[0])
