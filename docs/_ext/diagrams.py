"""Mermaid diagrams of pages, drawn beforehand, so that the site needs neither script nor network.

``docs/diagrams/<hash>.svg`` belongs to the text of one diagram. ``make diagrams`` (or this
file as a script) draws those that are missing and removes those that no page has any more; a page
whose diagram is not drawn does not build.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).parents[1]
DRAWN = DOCS / "diagrams"
_FENCE = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Colours of Mermaid's theme, and the colours of the site that take their place.
_COLOURS = {
    "#010101": "var(--pst-color-text-base)",
    "#020202": "var(--pst-color-border)",
    "#030303": "var(--pst-color-surface)",
    "#040404": "var(--pst-color-text-muted)",
    "#050505": "var(--pst-color-background)",
}
_PAGE = """<html><body><script src="{script}"></script><script>
mermaid.initialize({{
  startOnLoad: false, theme: "base", htmlLabels: false, fontFamily: "sans-serif",
  flowchart: {{ htmlLabels: false, useMaxWidth: false, nodeSpacing: 24, rankSpacing: 36 }},
  themeVariables: {{
    fontSize: "15px", textColor: "#010101", primaryTextColor: "#010101",
    primaryBorderColor: "#020202", primaryColor: "#030303", lineColor: "#040404",
    edgeLabelBackground: "#050505",
  }},
}});
mermaid.render("diagram", {source}).then(({{ svg }}) => {{ document.body.innerHTML = svg; }});
</script></body></html>"""


def path_of(source: str) -> Path:
    """Return where the drawing of a diagram is."""
    return DRAWN / f"{hashlib.sha256(source.strip().encode()).hexdigest()[:12]}.svg"


def sources() -> list[str]:
    """Return the text of every diagram in the pages."""
    pages = [page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts]
    return [source for page in pages for source in _FENCE.findall(page.read_text("utf-8"))]


def draw(source: str, *, script: Path, browser: str = "chromium") -> str:
    """Return a diagram as SVG in the colours of the site.

    Parameters
    ----------
    source : str
        Mermaid's text.
    script : Path
        ``mermaid.min.js`` of the npm package mermaid.
    browser : str
        A Chromium.
    """
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        page.write_text(
            _PAGE.format(script=script.resolve().as_uri(), source=repr(source)), "utf-8"
        )
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
        command += ["--virtual-time-budget=10000", page.as_uri()]
        document = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"<svg.*?</svg>", document, re.DOTALL)
    if not found or "error-icon" in found[0].split("</style>")[-1]:
        raise ValueError(f"Mermaid does not draw this:\n{source}")
    svg = found[0]
    name = path_of(source).stem  # Mermaid's style is for an id, of which a page may have several
    for colour, variable in _COLOURS.items():
        svg = re.sub(re.escape(colour), variable, svg, flags=re.IGNORECASE)
        svg = svg.replace(_rgb(colour), variable)
    return re.sub(r"(?<=[\"#])diagram(?=[\s\"_{-])", f"diagram-{name}", svg) + "\n"


def _rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"


def main(script: str) -> None:
    """Draw what is missing, remove what is no longer used."""
    DRAWN.mkdir(parents=True, exist_ok=True)
    wanted = {path_of(source): source for source in sources()}
    for old in set(DRAWN.glob("*.svg")) - set(wanted):
        old.unlink()
    for path, source in wanted.items():
        if not path.exists():
            path.write_text(draw(source, script=Path(script)), "utf-8")


def setup(app) -> dict:
    """Register the directive, which ```` ```mermaid ```` is on the site."""
    from docutils import nodes
    from sphinx.util.docutils import SphinxDirective

    class Mermaid(SphinxDirective):
        """A diagram, drawn beforehand."""

        has_content = True

        def run(self) -> list[nodes.Node]:
            path = path_of("\n".join(self.content))
            if not path.exists():
                raise self.error(f"this diagram is not drawn ({path.name}): make diagrams")
            self.env.note_dependency(str(path))
            svg = path.read_text("utf-8")
            return [nodes.raw("", f'<div class="diagram">{svg}</div>', format="html")]

    app.add_directive("mermaid", Mermaid)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    main(sys.argv[1])
