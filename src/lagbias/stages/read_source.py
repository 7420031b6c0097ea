"""Reading of one box of a source whose boxes are read by one function.

The source ``<name>`` has its settings in `lagbias.config.sections.<Name>Settings`, and in the
module `lagbias.sources.<name>` a function ``read_box(settings, box, *, threads)``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from lagbias.config import sections
from lagbias.schema import fields
from lagbias.sources import base, diagnosis

if TYPE_CHECKING:
    from lagbias.config.sections import SourceSettings

__all__ = ["content_of", "read_and_check", "read_source"]


def read_source(source: str, settings: Mapping[str, Any], box: str, *, threads: int) -> base.Box:
    """Read a box and check it.

    Parameters
    ----------
    source : str
        Name of the source, such as ``files``.
    settings : mapping
        Its section of the configuration.
    box : str
        Name of the box.
    threads : int, keyword-only
        Threads.

    Raises
    ------
    OSError, ValueError
        See `lagbias.sources.files.read_box`, `lagbias.sources.base.check_contract` and
        `lagbias.sources.diagnosis.check_alignment`.
    """
    model = getattr(sections, f"{source.capitalize()}Settings")
    found, _ = read_and_check(source, model.model_validate(settings), box, threads=threads)
    return found


def read_and_check(
    source: str, settings: SourceSettings, box: str, *, threads: int
) -> tuple[base.Box, diagnosis.Findings]:
    """Read a box, check it, and return it with what was found about it."""
    found = import_module(f"lagbias.sources.{source}").read_box(settings, box, threads=threads)
    unique = settings.particles_per_side == settings.density_grid
    base.check_contract(found, unique_sites=unique)
    return found, diagnosis.check_alignment(found)


def content_of(box: base.Box) -> str:
    """Hash the arrays of a box: what the files held, wherever they are and whenever written."""
    digest = hashlib.sha256()
    for part in (box.linear_density, box.particles, box.halos):
        for _, values, _ in fields.datasets(part):
            digest.update(np.ascontiguousarray(values))
    return digest.hexdigest()[:16]
