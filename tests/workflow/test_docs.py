"""The documentation builds without a warning, and everything that it links to is there."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytestmark = pytest.mark.workflow

#: Pages that are the text of another file.
SHOWN_FILES = {"configuration.md", "contribute.md", "changes.md"}
#: What readers of the repository do not see as links.
HIDDEN = re.compile(r"<!--.*?-->|^```.*?^ *```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


class Targets(HTMLParser):
    """Links, files and anchors of a page."""

    def __init__(self, page: Path):
        super().__init__()
        self.links, self.anchors = set(), {"", "top"}
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        """Collect what an element refers to, and its anchor."""
        for name, value in attributes:
            if name == "id":
                self.anchors.add(value)
            elif name in {"href", "src"} and tag in {"a", "img", "script", "link"}:
                self.links.add(value or "")


@pytest.fixture(scope="module")
def site(repository, tmp_path_factory):
    """Build the site in a process of its own; notebooks are not executed."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-E", "-q", "-b", "html"]
    command += ["-d", target / "doctrees", "-D", "nb_execution_mode=off"]
    built = subprocess.run(
        [*command, repository / "docs", target / "html"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert built.returncode == 0, built.stdout
    return target / "html"


@pytest.fixture(scope="module")
def pages(site):
    found = [page for page in site.rglob("*.html") if "_static" not in page.parts]
    return {page.resolve(): Targets(page) for page in found}


def local(page, link):
    """Return file and anchor of a link within the site, None of any other."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    path = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    return path, unquote(parts.fragment)


def test_every_page_of_the_repository_is_in_the_site(repository, site):
    docs = repository / "docs"
    sources = [page.relative_to(docs) for page in docs.rglob("*.md")]
    sources = [page for page in sources if page.parts[0] not in {"_build", "_ext"}]
    assert len(sources) > 20
    assert not [page for page in sources if not (site / page.with_suffix(".html")).is_file()]


def test_every_link_within_the_site_leads_somewhere(pages):
    wrong = []
    for page, targets in pages.items():
        for path, anchor in filter(None, (local(page, link) for link in targets.links)):
            # sources lead back to the documentation by names that it need not have
            anchor = "" if "_modules" in page.parts else anchor
            if not path.is_file() or (path in pages and anchor not in pages[path].anchors):
                wrong.append(f"{page.name}: {path}#{anchor}")
    assert not wrong


def test_the_site_needs_no_network(pages, site):
    loaded = {link for targets in pages.values() for link in targets.links if "//" in link}
    text = "".join(page.read_text("utf-8") for page in pages)
    assert not [link for link in loaded if f'src="{link}"' in text]
    assert 'href="http' not in "".join(
        line for line in text.splitlines() if line.lstrip().startswith("<link")
    )


def test_diagrams_are_drawn(site):
    assert "<svg" in (site / "pipeline.html").read_text("utf-8")


def test_every_public_name_has_a_page(site):
    import lagbias

    page = (site / "api" / "public.html").read_text("utf-8")
    names = set(lagbias.__all__) - {"__version__"}
    assert not [name for name in names if f'id="lagbias.{name}"' not in page]


def test_units_of_artefacts_are_shown(site):
    page = (site / "api" / "generated" / "lagbias.sources.base.html").read_text("utf-8")
    assert "shape (particle, 3), [Mpc/h]" in page


def anchors(page):
    """Return the anchors of the headings of a page, as they are in repositories."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_relative_link_in_the_repository_leads_somewhere(repository):
    pages = [page for page in (repository / "docs").rglob("*.md") if "_build" not in page.parts]
    pages += [*repository.glob("*.md"), repository / "config" / "README.md"]
    wrong = []
    for page in pages:
        for link in re.findall(r"\]\(([^)\s]+)\)", HIDDEN.sub("", page.read_text("utf-8"))):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            if "://" not in link and not (
                target.exists() and (not anchor or anchor in anchors(target))
            ):
                wrong.append(f"{page.relative_to(repository)}: {link}")
    assert not wrong


def test_pages_that_show_a_file_have_one_title(site):
    for name in SHOWN_FILES:
        assert (site / name).with_suffix(".html").read_text("utf-8").count("<h1") == 1
