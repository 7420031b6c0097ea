"""Provenance in the metadata of figures."""

import json
import shutil
import subprocess

import pytest
from PIL import Image

from lagbias.artefacts import figure_files, provenance
from lagbias.artefacts.store import ArtefactError
from lagbias.figures import common

DESCRIPTION = {
    "rule": "power_ratio_boxes",
    "params": {"figure": "power_ratio_boxes", "run": "tiny", "settings": {"sets": ["3Rf", "∇²δ"]}},
    "inputs": {"results/tiny/spectra/a.h5": "0123456789abcdef"},
    "artefact_id": "fedcba9876543210",
    "versions": {"lagbias": "0.1.0"},
    "configuration": {"run": "tiny", "seeds": [0, 1]},
    "commit": "0123456789ab+",
}


@pytest.fixture
def figure():
    with common.style():
        return common.new_figure(2.0, 1.0)


def test_a_png_file_says_how_it_was_made(figure, tmp_path):
    _, png = common.save(figure, tmp_path / "figure", DESCRIPTION)
    assert figure_files.read(png) == DESCRIPTION


def test_a_pdf_file_says_the_same_in_its_keywords(figure, tmp_path):
    pdf, _ = common.save(figure, tmp_path / "figure", DESCRIPTION)
    content = pdf.read_bytes()
    assert b"/Title (power_ratio_boxes)" in content
    keywords = content.split(b"/Keywords (", 1)[1].split(b"}) ", 1)[0].split(b"})\n", 1)[0] + b"}"
    assert json.loads(keywords.replace(b"\\\\", b"\\")) == DESCRIPTION


def test_the_description_changes_no_pixel(figure, tmp_path):
    _, with_it = common.save(figure, tmp_path / "a", DESCRIPTION)
    _, without = common.save(figure, tmp_path / "b")
    with Image.open(with_it) as one, Image.open(without) as other:
        assert one.tobytes() == other.tobytes()


def test_equal_figures_give_equal_files(figure, tmp_path):
    first = common.save(figure, tmp_path / "a", DESCRIPTION)
    second = common.save(figure, tmp_path / "b", DESCRIPTION)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_figures_without_provenance_are_refused(figure, tmp_path):
    _, png = common.save(figure, tmp_path / "figure")
    with pytest.raises(ArtefactError, match="holds no provenance"):
        figure_files.read(png)


def test_what_is_no_png_is_refused(tmp_path):
    path = tmp_path / "figure.png"
    path.write_text("text")
    with pytest.raises(ArtefactError, match="not a PNG"):
        figure_files.read(path)


def test_the_caption_names_script_commit_and_artefacts(figure, tmp_path):
    _, png = common.save(figure, tmp_path / "figure", DESCRIPTION)
    caption = figure_files.Origin(str(png)).caption()
    for part in (
        "lagbias.figures.power_ratio_boxes",
        "commit ``0123456789ab+``",
        "``results/tiny/spectra/a.h5`` ``0123456789abcdef``",
        "run tiny",
    ):
        assert part in caption


@pytest.mark.skipif(shutil.which("git") is None, reason="Git is not installed")
def test_the_commit_is_the_newest_that_changed_the_code(tmp_path, monkeypatch):
    module = tmp_path / "src" / "lagbias" / "artefacts" / "provenance.py"
    workflow = tmp_path / "workflow" / "Snakefile"
    for path in (module, workflow):
        path.parent.mkdir(parents=True)
        path.write_text("one")
    monkeypatch.setattr(provenance, "__file__", str(module))
    assert provenance.commit() is None

    def git(*arguments):
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "code")
    code = git("rev-parse", "HEAD")[:12]
    (tmp_path / "README.md").write_text("words")
    git("add", ".")
    git("commit", "--quiet", "--message", "words")
    assert provenance.commit() == code
    workflow.write_text("two")
    assert provenance.commit() == f"{code}+"
    workflow.unlink()
    assert provenance.commit() is None
