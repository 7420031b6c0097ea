"""The provenance below each figure of the gallery, from the metadata of the figures' PNG files.

Run by ``make gallery``; a test holds that the page says what the files say.
"""

import re
from pathlib import Path

from lagbias.artefacts.figure_files import Origin

__all__ = ["updated"]

_DOCS = Path(__file__).parents[1]
#: The two lines below a figure, and what this module put there before.
_ORIGIN = re.compile(
    r"(?P<lines>^Code: \[`figures/(?P<name>\w+)\.py`\][^\n]*\nData: [^\n]*\n)"
    r"(?:\n<details>.*?</details>\n)?",
    re.MULTILINE | re.DOTALL,
)


def updated(page: str) -> str:
    """Return the gallery with the provenance of each figure as a block that readers open."""
    return _ORIGIN.sub(_with_provenance, page)


def _with_provenance(found: re.Match) -> str:
    origin = Origin(str(_DOCS / "images" / "embedded" / f"{found['name']}.png"))
    return (
        f"{found['lines']}\n<details><summary>Provenance</summary>\n\n{origin.caption()}\n\n"
        "</details>\n"
    )


if __name__ == "__main__":
    gallery = _DOCS / "gallery.md"
    gallery.write_text(updated(gallery.read_text("utf-8")), "utf-8")
