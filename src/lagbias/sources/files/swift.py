"""Dark-matter particles of snapshots of SWIFT, read with swiftsimio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lagbias.sources.files.arrays import blocks_of
from lagbias.sources.files.particles import Stated

__all__ = ["SwiftParticles"]


class SwiftParticles:
    """Dark-matter particles of a snapshot; one array of it is in memory at a time.

    SWIFT's units have no factors of h, which are inserted here with the h of the snapshot. Its
    velocities are peculiar ones, a dx/dt.

    Parameters
    ----------
    path : str or Path
        The snapshot.

    Raises
    ------
    OSError
        If the file is absent or damaged.
    ValueError
        If swiftsimio is not installed, or the masses of particles differ.
    """

    def __init__(self, path: str | Path):
        self._data = _load(Path(path))
        metadata = self._data.metadata
        self._h = float(metadata.cosmology_raw["h"][0])  # astropy's is rounded in units
        masses = self._data.dark_matter.masses
        if masses.min() != masses.max():
            raise ValueError(
                f"Particles of {path} have masses from {masses.min()} to {masses.max()}; equal "
                f"masses are needed."
            )
        self.count = len(masses)
        self.moving = "velocities" in metadata.dark_matter_properties.field_names
        self.stated = Stated(
            box_size=float(metadata.boxsize[0].to_value("Mpc")) * self._h,
            redshift=float(metadata.redshift),
            particle_mass=float(masses[0].to_value("Msun")) * self._h,
        )
        del self._data.dark_matter.masses

    def positions(self) -> Iterator[np.ndarray]:
        """Yield blocks of comoving positions [Mpc/h], of shape (b, 3)."""
        for block in self._blocks("coordinates"):
            yield block.to_comoving().to_value("Mpc") * self._h

    def velocities(self) -> Iterator[np.ndarray]:
        """Yield blocks of peculiar velocities [km/s], of shape (b, 3)."""
        for block in self._blocks("velocities"):
            yield block.to_physical().to_value("km/s")

    def ids(self) -> Iterator[np.ndarray]:
        """Yield blocks of particle IDs, of shape (b,)."""
        for block in self._blocks("particle_ids"):
            yield np.asarray(block)

    def _blocks(self, name: str) -> Iterator[Any]:
        values = getattr(self._data.dark_matter, name)
        for part in blocks_of(values.shape):
            yield values[part]
        delattr(self._data.dark_matter, name)  # out of memory again


def _load(path: Path) -> Any:
    try:
        import swiftsimio
    except ImportError:
        raise ValueError(
            "Snapshots of SWIFT are read with swiftsimio, which is not installed. Run "
            "`pip install lagbias[swift]`."
        ) from None
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist. Correct the name of the snapshot.")
    return swiftsimio.load(path)
