"""Names and paths in tables may break after a separator, so that columns can be narrow."""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform


class Breaks(SphinxPostTransform):
    """Offer line breaks in the code of tables."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: object) -> None:
        """Put ``<wbr>`` between the parts of a name."""
        for entry in self.document.findall(nodes.entry):
            for literal in entry.findall(nodes.literal):
                parts = re.split(r"(?<=[/_.])(?=\w|<)", literal.astext())
                if len(parts) > 1 and len(literal.children) == 1:
                    literal.clear()
                    for part in parts:
                        literal += [nodes.Text(part), nodes.raw("", "<wbr>", format="html")]
                    literal.pop()


def setup(app: Sphinx) -> dict:
    """Register the extension."""
    app.add_post_transform(Breaks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
