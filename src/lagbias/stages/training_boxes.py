"""The artefacts of the boxes that a job trains on, one or several."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["TrainingBox", "training_boxes"]


class TrainingBox(NamedTuple):
    """Paths of the artefacts of one box."""

    particles: str
    halo_fields: str
    features: Sequence[str]  # one for each smoothing radius


def training_boxes(paths: Mapping, prefix: str = "") -> list[TrainingBox]:
    """Group a job's inputs by box.

    `paths`: ``particles`` and ``halo_fields``, one of each for a box, and ``features``, box after
    box; all with the same `prefix`.
    """
    particles, halo_fields, features = (
        _several(paths[prefix + name]) for name in ("particles", "halo_fields", "features")
    )
    radii = len(features) // len(particles)
    return [
        TrainingBox(each, field, features[radii * box : radii * (box + 1)])
        for box, (each, field) in enumerate(zip(particles, halo_fields, strict=True))
    ]


def _several(value: str | Sequence[str]) -> list[str]:
    """Return a list: Snakemake hands over one path as it is."""
    return [value] if isinstance(value, str) else list(value)
