"""Check, before the first download, that the files and the results fit on their disks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lagbias.sources.abacus.acquisition import check_space
from lagbias.sources.abacus.inventory import summary, take_inventory

if TYPE_CHECKING:
    from lagbias.config.sections import AbacusSettings

__all__ = ["plan_acquisition"]


def plan_acquisition(
    settings: AbacusSettings,
    simulations: Mapping[str, str],
    *,
    results: str | Path,
    results_bytes: int,
) -> str:
    """Check that there is room for downloads and results, and describe the downloads in one line.

    `simulations` are by box; `results_bytes` is the size of all results below `results`.
    """
    found = take_inventory(settings, simulations)
    downloads = 0 if settings.link_from else sum(file.bytes_to_fetch for file in found)
    present = sum(path.stat().st_size for path in Path(results).rglob("*.h5"))
    check_space({settings.directory: downloads, results: max(results_bytes - present, 0)})
    return summary(settings, found) + "\n"
