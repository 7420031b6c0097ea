"""Text for one reader only: the site, or people who read the Markdown in the repository.

``<!-- site`` … ``-->`` is a comment in the repository and text of the site;
``<!-- repository -->`` … ``<!-- /repository -->`` is the reverse.
``<!-- section README.md: Title -->`` on the site is the text below that heading of the README.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

ROOT = Path(__file__).parents[2]
_SITE = re.compile(r"^<!-- site\n(.*?)^-->$", re.MULTILINE | re.DOTALL)
_REPOSITORY = re.compile(
    r"^<!-- repository -->\n.*?^<!-- /repository -->$", re.MULTILINE | re.DOTALL
)
_SECTION = re.compile(r"^<!-- section (\S+): (.+) -->$", re.MULTILINE)


def _section(found: re.Match) -> str:
    """Return a section of a file in the root, with its images as seen from ``docs``."""
    name, title = found.groups()
    text = (ROOT / name).read_text("utf-8")
    section = re.search(
        rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
    )
    if section is None:
        raise ExtensionError(f"{name} has no section {title!r}, which a page of the site shows.")
    return section[1].replace("](docs/images/", "](images/")


def _choose(app: Sphinx, docname: str, content: list[str]) -> None:
    for found in _SECTION.finditer(content[0]):
        app.env.note_dependency(str(ROOT / found[1]), docname=docname)
    text = _SECTION.sub(_section, content[0])
    content[0] = _SITE.sub(r"\1", _REPOSITORY.sub("", text))


def setup(app: Sphinx) -> dict:
    """Register the extension."""
    app.connect("source-read", _choose)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
