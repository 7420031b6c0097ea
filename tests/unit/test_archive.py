"""Archives of runs."""

import io
import json
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import yaml
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from rocrate.rocrate import ROCrate

from lagbias.archive import layout
from lagbias.archive.unpack import unpack
from lagbias.artefacts import store
from lagbias.cli import main
from lagbias.runtime.atomic import ArtefactError
from lagbias.schema import fields
from lagbias.stages.write_archive import write_archive

RUN = "results/toy"
ARTEFACTS = {"fields/box0.h5", "spectra/3Rf+11.3.h5"}
DRAWN = {"figures/power.pdf", "figures/power.png"}
MADE = {
    "power": {"description": "Fig. 1", "inputs": sorted(ARTEFACTS), "outputs": sorted(DRAWN)},
}
LEFT_OUT = {"fields/box0.h5": ["large"]}
FIELD, SPECTRA = f"{RUN}/fields/box0.h5", f"{RUN}/spectra/3Rf+11.3.h5"
#: Not in the archive, but described in it.
PARTICLES = f"{RUN}/boxes/box0.h5"
CONFIGURATION = {"run": "toy", "seeds": [0, 1]}
DESCRIPTION = {
    "rule": "make_field",
    "params": {"seed": 7},
    "code": "c0de",
    "versions": {"lagbias": "0.1.0", "numpy": "2.4.6"},
}


@dataclass(frozen=True, kw_only=True)
class Toy:
    KIND: ClassVar[str] = "toy"
    small: np.ndarray = fields.array("1", "x", "a few values")
    large: np.ndarray = fields.array("1", "particle 3", "many values")
    box: str = fields.label("box")


def make(path, identifier, **inputs):
    """Write an artefact made from others, by their identifiers."""
    toy = Toy(small=np.arange(3.0), large=np.ones((50, 3)), box="box0")
    sources = {PARTICLES: "id-particles"} if path != PARTICLES else {}
    about = {"artefact_id": identifier, "inputs": sources | inputs, "output": path}
    store.write(path, toy, provenance=DESCRIPTION | about)


def draw(name, commit):
    """Write a figure with its provenance."""
    entries = PngInfo()
    entries.add_text("lagbias", json.dumps({"commit": commit}))
    Image.new("L", (4, 4)).save(f"{RUN}/figures/{name}.png", pnginfo=entries)


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """Write the archive of a run of two artefacts and a figure."""
    monkeypatch.chdir(tmp_path)
    make(PARTICLES, "id-particles")
    make(FIELD, "id-field")
    make(SPECTRA, "id-spectra", **{FIELD: "id-field"})
    (tmp_path / RUN / "figures").mkdir()
    (tmp_path / RUN / "figures/power.pdf").write_text("a drawing")
    draw("power", commit="abc123")
    write_archive("results/toy.tar", MADE, LEFT_OUT, directory=RUN, configuration=CONFIGURATION)
    return tmp_path / "results" / "toy.tar"


def contents(path):
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def write_tar(path, files, *members):
    """Write files, and members that are no files."""
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for member in members:
            tar.addfile(member)
    return path


def placed(directory):
    return {p.relative_to(directory).as_posix() for p in directory.rglob("*") if p.is_file()}


DESCRIBING = {layout.CONFIGURATION, layout.CRATE, layout.MANIFEST, layout.README}


def test_the_archive_holds_artefacts_figures_and_what_describes_them(archive):
    found = contents(archive)
    assert set(found) == DESCRIBING | ARTEFACTS | DRAWN
    assert list(found)[:4] == [layout.README, layout.CRATE, layout.MANIFEST, layout.CONFIGURATION]
    assert yaml.safe_load(found[layout.CONFIGURATION]) == CONFIGURATION
    assert found["spectra/3Rf+11.3.h5"] == (archive.parent / "toy/spectra/3Rf+11.3.h5").read_bytes()
    for text in ("run toy", "lagbias 0.1.0 (commit abc123)", "left out of 1 HDF5 files", "`large`"):
        assert text in found[layout.README].decode()


def test_sha256sum_reads_the_manifest_and_notices_a_change(archive, tmp_path):
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "out", filter="data")
    listed = layout.read_manifest((tmp_path / "out" / layout.MANIFEST).read_text())
    assert set(listed) == placed(tmp_path / "out") - {layout.MANIFEST}
    command = ["sha256sum", "--check", "--quiet", layout.MANIFEST]
    assert not subprocess.run(command, cwd=tmp_path / "out", check=True).returncode
    (tmp_path / "out" / "figures" / "power.png").write_text("another drawing")
    assert subprocess.run(command, cwd=tmp_path / "out", capture_output=True).returncode


def test_equal_runs_give_equal_archives(archive, tmp_path):
    before = archive.read_bytes()
    other = tmp_path / "other.tar"
    write_archive(other, MADE, LEFT_OUT, directory=RUN, configuration=CONFIGURATION)
    assert other.read_bytes() == before


def test_figures_of_different_commits_are_refused(archive, tmp_path):
    draw("other", commit="def456")
    made = MADE | {"other": {"description": "", "inputs": [], "outputs": ["figures/other.png"]}}
    with pytest.raises(ArtefactError, match=r"other\.png \(def456\), power\.png \(abc123\)"):
        write_archive(tmp_path / "bad.tar", made, {}, directory=RUN, configuration=CONFIGURATION)
    assert not (tmp_path / "bad.tar").exists()


def test_the_crate_says_what_was_made_from_what(archive, tmp_path):
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "out", filter="data")
    crate = ROCrate(tmp_path / "out")  # refuses files that are not there
    entities = {entity.id: entity for entity in crate.get_entities()}
    files = {entity.id.replace("%2B", "+") for entity in crate.data_entities}
    assert files == DESCRIBING - {layout.CRATE, layout.MANIFEST} | ARTEFACTS | DRAWN
    root = crate.root_dataset
    assert root["license"].id == "https://spdx.org/licenses/GPL-3.0-or-later"
    assert root["citation"]["identifier"] == "arXiv:2212.08095"
    assert root["datePublished"] == root["datePublished"][:10]
    spectra = entities["spectra/3Rf%2B11.3.h5"]
    path = tmp_path / "out" / "spectra/3Rf+11.3.h5"
    assert spectra["sha256"] == layout.digest(path)
    assert int(spectra["contentSize"]) == path.stat().st_size
    assert (spectra["encodingFormat"], spectra["name"]) == ("application/x-hdf5", "toy: box0")
    actions = {action["name"]: action for action in root["mentions"]}
    assert {name.partition(": ")[2] for name in actions} == ARTEFACTS | {
        "boxes/box0.h5",
        "figures/power.pdf",
    }
    figure = actions["power: figures/power.pdf"]
    assert {each.id for each in figure["result"]} == DRAWN
    assert {each["identifier"] for each in figure["object"]} == {"id-field", "id-spectra"}
    made = actions["make_field: spectra/3Rf+11.3.h5"]
    assert {each["identifier"] for each in made["object"]} == {"id-field", "id-particles"}
    assert json.loads(made["description"].removeprefix("with ")) == {"seed": 7}
    software = figure["instrument"]
    assert software["softwareVersion"] == "0.1.0 (commit abc123)"
    assert software["softwareRequirements"]["name"] == "numpy"


def test_arrays_that_are_left_out_are_known_to_be(archive, tmp_path):
    run = unpack(archive, tmp_path / "other")
    field = store.read(run / "fields/box0.h5", Toy)
    assert field.large.shape == (0, 3) and field.small.tolist() == [0, 1, 2]
    assert store.header(run / "fields/box0.h5").provenance["artefact_id"] == "id-field"
    assert store.read_array(run / "fields/box0.h5", Toy, "small").size == 3
    with pytest.raises(ArtefactError, match="leaves out its large"):
        store.read_array(run / "fields/box0.h5", Toy, "large")
    assert store.read_array(run / "spectra/3Rf+11.3.h5", Toy, "large").shape == (50, 3)


def test_a_name_that_is_no_array_is_refused(archive, tmp_path):
    with pytest.raises(ValueError, match="has no array larger"):
        store.write_without(FIELD, tmp_path / "copy.h5", ["larger"])
    assert not (tmp_path / "copy.h5").exists()


def test_figures_are_left_for_the_workflow_to_draw(archive, tmp_path):
    run = unpack(archive, tmp_path / "other")
    assert run == tmp_path / "other" / "toy"
    assert placed(tmp_path / "other") == {f"toy/{name}" for name in DESCRIBING | ARTEFACTS}


@pytest.mark.parametrize("ending", ["gz", "xz"])
def test_compressed_archives_are_read(archive, tmp_path, ending):
    with tarfile.open(tmp_path / f"toy.tar.{ending}", f"w:{ending}") as tar:
        for name, content in contents(archive).items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    run = unpack(tmp_path / f"toy.tar.{ending}", tmp_path / "other")
    assert placed(run) == DESCRIBING | ARTEFACTS


def test_unpacking_again_changes_nothing(archive, tmp_path):
    run = unpack(archive, tmp_path / "other")
    before = {path: path.stat().st_ino for path in run.rglob("*")}
    (run / "fields/box0.h5").unlink()
    unpack(archive, tmp_path / "other")
    after = {path: path.stat().st_ino for path in run.rglob("*")}
    assert before.keys() == after.keys()
    assert {path for path in before if before[path] != after[path]} <= {run / "fields/box0.h5"}


def test_other_results_are_not_overwritten(archive, tmp_path):
    run = tmp_path / "other" / "toy"
    (run / "spectra").mkdir(parents=True)
    shutil.copy(FIELD, run / "spectra/3Rf+11.3.h5")
    before = layout.digest(run / "spectra/3Rf+11.3.h5")
    with pytest.raises(ArtefactError, match=r"spectra/3Rf\+11\.3\.h5 with other content"):
        unpack(archive, tmp_path / "other")
    assert placed(tmp_path / "other") == {"toy/spectra/3Rf+11.3.h5"}
    assert layout.digest(run / "spectra/3Rf+11.3.h5") == before


def changed(archive, tmp_path, changes):
    """Write the archive with some files changed, or without those whose content is None."""
    files = contents(archive) | changes
    return write_tar(tmp_path / "bad.tar", {k: v for k, v in files.items() if v is not None})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fields/box0.h5": b"other"}, "fields/box0.h5 is not as manifest-sha256.txt says"),
        ({"figures/power.png": b"other"}, "figures/power.png is not as"),
        ({"fields/box0.h5": None}, "fields/box0.h5 is not as"),
        ({"extra.h5": b"extra"}, "extra.h5 is not as"),
        ({layout.CONFIGURATION: b"run: other"}, "configuration.yaml is not as"),
        ({layout.MANIFEST: None}, "holds no manifest-sha256.txt"),
        ({layout.MANIFEST: b"nonsense"}, "has the line 'nonsense'"),
        ({layout.MANIFEST: b"0" * 64 + b"  ../x"}, "is no checksum of a file in the archive"),
    ],
)
def test_damage_is_noticed_and_nothing_is_unpacked(archive, tmp_path, changes, message):
    with pytest.raises(ArtefactError, match=message):
        unpack(changed(archive, tmp_path, changes), tmp_path / "other")
    assert not placed(tmp_path / "other")


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "a/../../escaped", "."])
def test_unsafe_paths_are_refused(archive, tmp_path, name):
    bad = write_tar(tmp_path / "bad.tar", contents(archive) | {name: b"out"})
    with pytest.raises(ArtefactError, match="is not a file inside of the archive"):
        unpack(bad, tmp_path / "other")
    assert not placed(tmp_path / "other") and not (tmp_path / "escaped").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_pipes_are_refused(archive, tmp_path, kind):
    member = tarfile.TarInfo("link.h5")
    member.type, member.linkname = kind, "/etc/passwd"
    bad = write_tar(tmp_path / "bad.tar", contents(archive), member)
    with pytest.raises(ArtefactError, match=r"link\.h5"):
        unpack(bad, tmp_path / "other")
    assert not placed(tmp_path / "other")


@pytest.mark.parametrize("run", ["..", "a/b", "", "null", "[1]"])
def test_the_name_of_the_run_is_one_directory(archive, tmp_path, run):
    files = contents(archive) | {layout.CONFIGURATION: f"run: {run}".encode()}
    listed = layout.read_manifest(files[layout.MANIFEST].decode())
    path = tmp_path / "configuration"
    path.write_bytes(files[layout.CONFIGURATION])
    listed[layout.CONFIGURATION] = layout.digest(path)
    files[layout.MANIFEST] = layout.write_manifest(listed).encode()
    with pytest.raises(ArtefactError, match="which is no name"):
        unpack(write_tar(tmp_path / "bad.tar", files), tmp_path / "other")
    assert not placed(tmp_path / "other")


@pytest.mark.parametrize("fraction", [0, 0.02, 0.1, 0.5])
def test_a_truncated_archive_is_refused(archive, tmp_path, fraction):
    content = archive.read_bytes().rstrip(b"\0")  # of the end
    (tmp_path / "short.tar").write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(ArtefactError, match=r"short\.tar"):
        unpack(tmp_path / "short.tar", tmp_path / "other")
    assert not placed(tmp_path / "other")


def test_the_command_prints_the_directory(archive, tmp_path, capsys):
    results = str(tmp_path / "other")
    assert main(["unpack", str(archive), "--results", results]) == 0
    assert capsys.readouterr().out == f"{results}/toy\n"
    (tmp_path / "other" / "toy" / layout.README).write_text("mine")
    assert main(["unpack", str(archive), "--results", results]) == 1
    assert "README.md with other content" in capsys.readouterr().err
    assert main(["unpack", str(tmp_path / "absent.tar"), "--results", results]) == 1
    assert "absent.tar" in capsys.readouterr().err
