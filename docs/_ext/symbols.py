"""Symbols of the text, which is plain Markdown: R_f and 10^y with sub- and superscripts."""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

_SYMBOL = re.compile(
    r"(?<![A-Za-z0-9_])(?:"
    r"(?P<base>[RPNnkbfymtAδσΩωΣ])_"
    r"(?:\{(?P<braced>[^{}]+)\}|(?P<sub>f|hm|(?:h|model)(?:,j)?|uncorr|part|cell|sub|ij|jm|[ijkzmps]|∇²))"
    r"|(?P<power>10|Λ|Σ)\^(?:\((?P<group>[^()]+)\)|(?P<sup>y))"
    r")(?![A-Za-z0-9_])"
)
_VERBATIM = (nodes.literal, nodes.FixedTextElement, nodes.math, nodes.raw, nodes.comment)


class Symbols(SphinxTransform):
    """Typeset the symbols of a document."""

    default_priority = 870

    def apply(self) -> None:
        """Replace the text nodes that have symbols."""
        for text in list(self.document.findall(nodes.Text)):
            if _SYMBOL.search(text) and not _inside(text, _VERBATIM):
                text.parent.replace(text, _typeset(text))


def _inside(node: nodes.Node, kinds: tuple[type, ...]) -> bool:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False


def _typeset(text: str) -> list[nodes.Node]:
    """Split a text into text, subscripts and superscripts."""
    result, end = [], 0
    for found in _SYMBOL.finditer(text):
        raised = found["group"] or found["sup"]
        lowered = found["braced"] or found["sub"]
        kind, mark = (nodes.superscript, raised) if raised else (nodes.subscript, lowered)
        result.append(nodes.Text(text[end : found.start()] + (found["power"] or found["base"])))
        result.append(kind(mark, mark))
        end = found.end()
    return [*result, nodes.Text(text[end:])]


def setup(app: Sphinx) -> dict:
    """Register the extension."""
    app.add_transform(Symbols)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
