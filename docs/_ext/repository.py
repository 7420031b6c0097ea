"""Links from pages to files of the repository that are outside of ``docs``.

A file that is shown by a page (``repository_pages``) becomes a link to that page, any other text
file a link to a page of the site with its highlighted content. Links of pages that show a file are
resolved from where that file is.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LEXERS = {".smk": "python", ".cff": "yaml", ".def": "text"}


class RepositoryLinks(SphinxTransform):
    """Replace MyST's links to files outside of ``docs``, or from where an included file is."""

    default_priority = 400

    def apply(self) -> None:
        """Rewrite the links of one document."""
        for node in list(self.document.findall(addnodes.pending_xref)):
            self._rewrite(node)
        for node in list(self.document.findall(addnodes.download_reference)):
            self._rewrite(node)

    def _rewrite(self, node: nodes.Element) -> None:
        if node.get("reftype") != "myst":
            return
        target, _, anchor = node["reftarget"].partition("#")
        path = self._file(node, target)
        if path is None:
            return
        docname = self.config.repository_pages.get(path.relative_to(ROOT).as_posix())
        if docname is None and path.is_relative_to(DOCS) and path.suffix in {".md", ".py"}:
            docname = path.relative_to(DOCS).with_suffix("").as_posix()
        new = self._page(node, docname, anchor) if docname else self._source(path)
        new += node.children
        node.replace_self(new)

    def _file(self, node: nodes.Element, target: str) -> Path | None:
        """Return the file that a link means, or None where MyST knows better."""
        if not target:
            return None
        here = (DOCS / self.env.docname).parent
        bases = [DOCS] if node.get("refdomain") == "doc" else [here, *self._included_from()]
        for base in bases:
            for suffix in ("", *self.config.source_suffix):
                path = Path(os.path.normpath(f"{base / target}{suffix}"))
                if path.is_file() and path.is_relative_to(ROOT):
                    outside = not path.is_relative_to(DOCS)
                    return path if outside or base not in (DOCS, here) else None
        return None

    def _included_from(self) -> list[Path]:
        """Return the directories of the files that this page shows."""
        pages = self.config.repository_pages.items()
        return [(ROOT / file).parent for file, page in pages if page == self.env.docname]

    def _page(self, node: nodes.Element, docname: str, anchor: str) -> nodes.Element:
        return addnodes.pending_xref(
            refdomain="doc",
            reftype="myst",
            refdoc=self.env.docname,
            refexplicit=node.get("refexplicit", True),
            reftarget=docname,
            reftargetid=node.get("reftargetid") or anchor or None,
        )

    def _source(self, path: Path) -> nodes.Element:
        page = f"_repository/{path.relative_to(ROOT).as_posix()}"
        _linked(self.env).setdefault(self.env.docname, set()).add(page)
        if self.app.builder.format != "html":
            return nodes.inline()
        uri = self.app.builder.get_relative_uri(self.env.docname, page)
        return nodes.reference(internal=True, refuri=uri)


def _linked(env) -> dict[str, set[str]]:
    """Pages of source files, by the document that links to them."""
    if not hasattr(env, "repository_linked"):
        env.repository_linked = {}
    return env.repository_linked


def _purge(app: Sphinx, env, docname: str) -> None:
    _linked(env).pop(docname, None)


def _merge(app: Sphinx, env, docnames: list[str], other) -> None:
    _linked(env).update({k: v for k, v in _linked(other).items() if k in docnames})


def _pages(app: Sphinx) -> Iterator[tuple[str, dict, str]]:
    """Yield a page for every source file that a document links to."""
    if app.builder.format != "html":
        return
    for page in sorted(set().union(*_linked(app.env).values())):
        name = page.removeprefix("_repository/")
        text = (ROOT / name).read_text("utf-8")
        body = app.builder.highlighter.highlight_block(text, _lexer(name), linenos=False)
        title = f"<code>{name}</code>"
        yield page, {"title": name, "body": f"<h1>{title}</h1>{body}", "parents": []}, "page.html"


def _lexer(name: str) -> str:
    try:
        return LEXERS.get(Path(name).suffix) or get_lexer_for_filename(name).aliases[0]
    except ClassNotFound:
        return "text"


def setup(app: Sphinx) -> dict:
    """Register the extension."""
    app.add_config_value("repository_pages", {}, "env", dict)
    app.add_transform(RepositoryLinks)
    app.connect("env-purge-doc", _purge)
    app.connect("env-merge-info", _merge)
    app.connect("html-collect-pages", _pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
