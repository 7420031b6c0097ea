"""What the documentation shows runs as printed: notebooks, Python, and command lines.

Blocks of Python on a page run in their order, in one namespace and one directory, which has the
results of the tiny run and, under the names that `lagbias.fit` gives them, the arrays of a small
simulation. Comments above a block say otherwise::

    <!-- executed in lagbias.training.losses -->     it is a part of this module
    <!-- not executed: needs AbacusSummit's files -->

Jupyter runs the notebooks here and in ``make docs``, nowhere else: the site of test_docs.py is
built without executing them.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbclient
import numpy as np
import pytest

pytestmark = pytest.mark.workflow

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NOTEBOOKS = sorted(DOCS.glob("notebooks/*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "config" / "README.md"]
PAGES += sorted(
    page for page in DOCS.rglob("*.md") if page.parent.name not in {"notebooks", "_build", "_ext"}
)
FENCE = re.compile(
    r"(?:^ *<!-- (?P<comment>[^\n]*?) -->\n\s*)?"
    r"^(?P<indent> *)```(?P<language>[^\s`]*)[^\n`]*\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
#: Packages that some examples need and lagbias does not.
OPTIONAL = ("jax", "onnx", "onnxruntime")
#: Runs the blocks of a page; the numbers of lines in a traceback are those of the page.
RUN = """
import importlib, json, sys
import numpy as np

page, arrays = json.loads(sys.stdin.read()), np.load(sys.argv[1])
shared = {name: arrays[name][()] if arrays[name].ndim else arrays[name].item() for name in arrays}
for block in page["blocks"]:
    module = block["module"] and importlib.import_module(block["module"])
    namespace = {**vars(module)} if module else shared
    code = "\\n" * (block["line"] - 1) + block["code"]
    exec(compile(code, page["path"], "exec", dont_inherit=True), namespace)
"""


@dataclass(frozen=True)
class Block:
    """Code on a page."""

    page: Path
    line: int
    code: str
    language: str
    comment: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def reason(self) -> str | None:
        """Why it is not executed."""
        found = re.fullmatch(r"not executed: (.+)", self.comment)
        return found[1] if found else None

    @property
    def module(self) -> str | None:
        """The module that it is a part of."""
        found = re.fullmatch(r"executed in ([\w.]+)", self.comment)
        return found[1] if found else None


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    text = page.read_text("utf-8")
    return [
        Block(
            page=page,
            line=text.count("\n", 0, found.start("code")) + 1,
            code=textwrap.dedent(found["code"]),
            language=found["language"],
            comment=found["comment"] or "",
        )
        for found in FENCE.finditer(text)
    ]


def python_of(page: Path) -> list[Block]:
    return [block for block in blocks_of(page) if block.language == "python"]


def executed_of(page: Path) -> list[Block]:
    return [block for block in python_of(page) if block.reason is None]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def arrays(tmp_path_factory) -> Path:
    """A file with the arrays of a small simulation, one particle for each node."""
    import lagbias

    box = lagbias.simulate_box(0, box_size=80.0, particles_per_side=64, steps=5)
    target = tmp_path_factory.mktemp("simulation") / "arrays.npz"
    np.savez(
        target,
        box_size=box.particles.box_size,
        linear_density=box.linear_density.delta,
        positions=box.particles.position,
        lagrangian_index=box.particles.lagrangian_site,
        halo_positions=box.halos.position,
        halo_masses=box.halos.mass,
    )
    return target


def lacking(blocks: list[Block]) -> list[str]:
    """Return the optional packages that blocks import and that are not installed."""
    code = "\n".join(block.code for block in blocks)
    used = [name for name in OPTIONAL if re.search(rf"import {name}\b|to_{name}\b", code)]
    probe = "import importlib.util, sys; sys.exit(not importlib.util.find_spec(sys.argv[1]))"
    return [name for name in used if subprocess.run([sys.executable, "-c", probe, name]).returncode]


@pytest.mark.parametrize("page", [p for p in PAGES if executed_of(p)], ids=name_of)
def test_python_on_a_page_runs_as_printed(page, finished, arrays, tmp_path):
    blocks = executed_of(page)
    if missing := lacking(blocks):
        pytest.skip(f"not installed: {', '.join(missing)}")
    (tmp_path / "results").mkdir()
    for run in ("tiny", "embedded"):  # the tiny run has the boxes, sets and inputs of the default
        (tmp_path / "results" / run).symlink_to(finished.root / "results" / "tiny")
    entries = [{"line": b.line, "code": b.code, "module": b.module} for b in blocks]
    done = subprocess.run(
        [sys.executable, "-c", RUN, arrays],
        input=json.dumps({"path": str(page), "blocks": entries}),
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_blocks_that_are_not_executed_say_why(record_property):
    """Their reasons are in the report; one more of them should be a decision."""
    blocks = [block for page in PAGES for block in python_of(page)]
    omitted = {block.place: block.reason for block in blocks if block.reason}
    for place, reason in omitted.items():
        record_property(place, reason)
    assert all(len(reason.split()) > 1 for reason in omitted.values())
    assert len(omitted) <= 4, omitted


def test_comments_above_blocks_are_understood():
    """A misspelt comment would change nothing without being noticed."""
    for page in [*PAGES, *NOTEBOOKS]:
        text = page.read_text("utf-8")
        comments = re.findall(r"<!-- ((?:not )?executed\b.*?) -->", text)
        blocks = [block for block in blocks_of(page) if block.reason or block.module]
        assert len(comments) == len(blocks), page


@dataclass(frozen=True)
class CommandLine:
    """A call of lagbias on a page, and whether what it prints there is an error of usage."""

    place: str
    words: tuple[str, ...]
    refused: bool


def command_lines(page: Path) -> list[CommandLine]:
    """Return the calls of lagbias in blocks without a language or of a shell."""
    found = []
    for block in blocks_of(page):
        if block.language not in {"", "console", "bash", "sh", "shell"}:
            continue
        lines = re.sub(r"\\\n\s*", "", block.code).splitlines()
        for number, line in enumerate(lines):
            words = words_of(line)
            if words is not None:
                after = "\n".join(lines[number + 1 : number + 2])
                found.append(CommandLine(block.place, words, after.startswith("usage: ")))
    return found


def words_of(line: str) -> tuple[str, ...] | None:
    """Return the arguments in a line that calls lagbias and is not shortened, or None."""
    called = re.match(r"(?:\$ )?(?:(?:\S*/)?python3? -m )?(?:\S*/)?lagbias (?P<words>.*)", line)
    if not called or "…" in line or "..." in line:
        return None
    words = shlex.split(called["words"], comments=True)
    ends = [number for number, word in enumerate(words) if word in {">", "|", "2>", "&&"}]
    return tuple(words[: ends[0]] if ends else words)


COMMANDS = [command for page in [*PAGES, *NOTEBOOKS] for command in command_lines(page)]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.place)
def test_command_lines_can_be_parsed(command, capsys):
    from lagbias.cli.main import _parse

    if command.refused:
        with pytest.raises(SystemExit):
            _parse(list(command.words))
    else:
        try:
            _parse(list(command.words))
        except SystemExit as stopped:  # --help and --version end with success
            assert not stopped.code, f"lagbias {shlex.join(command.words)}\n{capsys.readouterr()}"


def test_pages_show_command_lines():
    """The pattern still finds them."""
    assert len({command.words[0] for command in COMMANDS if command.words}) > 8


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("default")  # those of Jupyter; the kernel's do not arrive here
def test_notebooks_run(notebook, tmp_path, monkeypatch):
    monkeypatch.delenv("LAGBIAS_CACHE_DIR")  # FFT plans for their grids last from test to test
    content = jupytext.read(notebook, fmt="md:myst")
    assert sum(cell.cell_type == "code" for cell in content.cells) > 3
    client = nbclient.NotebookClient(
        content, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()


def test_there_are_notebooks():
    assert {path.stem for path in NOTEBOOKS} >= {"tour", "ensemble", "own_simulation"}
