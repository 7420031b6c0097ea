"""Drawing of any figure."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from lagbias.figures import common

__all__ = ["draw_figure"]


def draw_figure(
    name: str,
    inputs: Mapping[str, str | Sequence[str]],
    settings: Mapping[str, Any],
    stem: Path,
    description: Mapping,
) -> None:
    """Draw a figure from artefacts as ``<stem>.pdf`` and ``<stem>.png``.

    `name` is a module of `lagbias.figures`; `settings` are passed to its function ``load``, and
    `description` is the provenance in the metadata of the files.
    """
    module = import_module(f"lagbias.figures.{name}")
    common.save(module.draw(**module.load(inputs, **settings)), stem, description)
