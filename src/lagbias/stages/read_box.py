"""Reading of one AbacusSummit box."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lagbias.artefacts import store
from lagbias.sources import base, diagnosis
from lagbias.sources.abacus import read
from lagbias.sources.abacus.paths import AcquiredFiles, find_box, snapshot_of

if TYPE_CHECKING:
    from lagbias.config.sections import AbacusSettings

__all__ = ["read_box"]


def read_box(files: str | Path, settings: AbacusSettings, *, threads: int) -> base.Box:
    """Read the acquired files of a box (see `lagbias.sources.abacus.read`) and check it."""
    acquired = store.read(files, AcquiredFiles)
    found = find_box(acquired.directory, acquired.simulation, **snapshot_of(settings))
    box = read.read_box(
        found,
        redshift=settings.redshift,
        min_halo_particles=settings.min_halo_particles,
        kept_fraction=settings.kept_fraction,
        threads=threads,
    )
    read.check_sizes(box, settings)
    base.check_contract(box)
    diagnosis.check_alignment(box)
    return box
