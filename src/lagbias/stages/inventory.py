"""Report on the files of AbacusSummit, with a list of the missing ones for Globus."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lagbias.runtime.atomic import write_text
from lagbias.sources.abacus import inventory as tree

if TYPE_CHECKING:
    from lagbias.config.sections import AbacusSettings

__all__ = ["inventory"]


def inventory(
    settings: AbacusSettings,
    simulations: Mapping[str, str],
    *,
    batch: str | Path,
    results_bytes: int,
) -> str:
    """Verify all files that are on disk and report; nothing is downloaded.

    `simulations` are by box; `results_bytes` is the size of all results. A batch file for
    ``globus transfer`` is written to `batch` when files are missing.
    """
    found = tree.take_inventory(settings, simulations, verify=True)
    report = tree.format_table(found) + tree.summary(settings, found)
    report += f"\nThe results of this run take about {tree.format_bytes(results_bytes)}.\n"
    if wanted := tree.globus_batch(found):
        write_text(batch, wanted)
        collection = settings.globus_collection or "COLLECTION"
        report += (
            f"Missing files are listed in {batch}, for `globus transfer --batch {batch} "
            f"{collection}:/PATH YOUR_COLLECTION:/PATH`, where both paths are roots of the tree.\n"
        )
    return report
