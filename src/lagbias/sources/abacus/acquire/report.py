"""An inventory as a text table and as JSON."""

from __future__ import annotations

import json
from collections import Counter

from lagbias.sources.abacus.acquire.inventory import FileStatus, Inventory, State
from lagbias.sources.abacus.acquire.places import format_bytes

__all__ = ["as_json", "as_table"]


def as_json(inventory: Inventory) -> str:
    """Return an inventory as JSON; sizes are in bytes."""
    document = {
        "place": inventory.place,
        "complete": inventory.complete,
        "bytes_present": inventory.bytes_present,
        "bytes_to_fetch": inventory.bytes_to_fetch,
        "unknown_sizes": inventory.unknown_sizes,
        "bytes_free": inventory.free,
        "files": [
            {**vars(file), "plan": file.plan, "bytes_to_fetch": file.bytes_to_fetch}
            for file in inventory.files
        ],
    }
    return json.dumps(document, indent=2)


def as_table(inventory: Inventory) -> str:
    """Return an inventory as a text table, with totals and the plan underneath."""
    rows = [("box", "file", "state", "on disk", "whole", "plan")]
    for file in inventory.files:
        state = f"{file.state} (verified)" if file.verified else str(file.state)
        on_disk = format_bytes(file.size) if file.size else "-"
        rows.append((file.box, file.path, state, on_disk, _whole(file), file.plan))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if column in (3, 4) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    notes = [f"{file.path}: {file.note}" for file in inventory.distinct if file.note]
    return "\n".join([*lines, "", *notes, *_totals(inventory)]) + "\n"


def _whole(file: FileStatus) -> str:
    if file.expected_size is None:
        return "?"
    return ("~" if file.estimated else "") + format_bytes(file.expected_size)


def _totals(inventory: Inventory) -> list[str]:
    counts = Counter(file.state for file in inventory.distinct)
    found = ", ".join(f"{counts[state]} {state}" for state in State if counts[state])
    files = len(inventory.distinct)
    about = "about " if any(file.estimated for file in inventory.distinct) else ""
    plan = f"to fetch: {about}{inventory.bytes_to_fetch / 1e9:.2f} GB"
    if inventory.unknown_sizes:
        plan += f" and {inventory.unknown_sizes} file(s) of unknown size"
    if inventory.complete:
        plan = "nothing to fetch"
    enough = "" if inventory.bytes_to_fetch <= inventory.free else " - NOT ENOUGH"
    return [
        f"{inventory.place}: {files} files ({found or 'none asked for'}), "
        f"{inventory.bytes_present / 1e9:.2f} GB present",
        f"{plan}; free on this disk: {inventory.free / 1e9:.2f} GB{enough}",
    ]
