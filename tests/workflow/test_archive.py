"""An archive draws the figures of a run again, byte for byte, and makes nothing else."""

import json
import os
import shutil
import sys
import tarfile
from pathlib import Path

import h5py
import pytest
import yaml

from lagbias.archive import layout
from lagbias.archive.unpack import unpack

pytestmark = pytest.mark.workflow

RUN = Path("results/tiny")


@pytest.fixture(scope="module")
def archive(finished, tmp_path_factory):
    """The archive of the finished run, and what it took to write it."""
    checkout = finished.copy(tmp_path_factory.mktemp("archived") / "checkout")
    assert checkout.plan("archive") == {"archive": 1}
    checkout.snakemake("archive")
    return checkout.root / "results" / "tiny.tar"


@pytest.fixture(scope="module")
def unpacked(archive, tmp_path_factory):
    return unpack(archive, tmp_path_factory.mktemp("unpacked"))


@pytest.fixture
def clone(new_checkout, repository):
    """A checkout without results, as new as a clone, in which `make` need not set anything up."""
    checkout = new_checkout("clone")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(repository / name, checkout.root)
    pinned = [(checkout.root / name).read_text() for name in ("pyproject.toml", "constraints.txt")]
    (checkout.root / "stamp").write_text("".join(pinned))
    for script in (checkout.root / "workflow" / "scripts").iterdir():
        os.utime(script)  # newer than the artefacts of the archive
    return checkout


def make_figures(clone, archive, **options):
    """Run `make figures FROM=...` with this environment's programs."""
    variables = {"FROM": archive, "BIN": Path(sys.executable).parent, "STAMP": "stamp", "CORES": 2}
    arguments = (f"{name}={value}" for name, value in variables.items())
    return clone.run(["make", "figures", *arguments], **options)


def drawn(directory):
    """Return the figures and tables of a run."""
    files = [*directory.glob("figures/*"), *directory.glob("claims.*")]
    files.append(directory / "configuration.html")
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}


def test_figures_and_claims_are_made_again_byte_for_byte_and_nothing_else(
    archive, clone, finished, jobs_in, repository
):
    figures = yaml.safe_load((repository / "config/config.yaml").read_text())["figures"]
    printed = make_figures(clone, archive)
    assert jobs_in(printed) == dict.fromkeys([*figures, "check_claims", "write_configuration"], 1)
    before, after = drawn(finished.root / RUN), drawn(clone.root / RUN)
    assert len(before) == 2 * len(figures) + 4
    assert after == before
    assert not {"boxes", "features"} & {path.name for path in (clone.root / RUN).iterdir()}
    # once more: nothing is drawn, and a figure that differs is noticed
    assert "Nothing to be done" in make_figures(clone, archive)
    (clone.root / RUN / "figures" / f"{figures[0]}.png").write_bytes(b"another")
    assert f"figures/{figures[0]}.png: FAILED" in make_figures(clone, archive, check=False)


def test_results_of_another_run_stay(archive, clone, finished):
    """The checkout has the whole artefact, of which the archive holds a part."""
    path = RUN / "halo_fields" / "box1" / "threshold.h5"
    (clone.root / path).parent.mkdir(parents=True)
    shutil.copy(finished.root / path, clone.root / path)
    assert "with other content" in make_figures(clone, archive, check=False)
    files = [p for p in (clone.root / "results").rglob("*") if p.is_file()]
    assert files == [clone.root / path]
    assert files[0].read_bytes() == (finished.root / path).read_bytes()


def test_claims_have_all_their_artefacts(unpacked, finished):
    claims = json.loads((finished.root / RUN / "claims.json").read_text())["claims"]
    used = {Path(path).relative_to(RUN) for claim in claims for path in claim["artefacts"]}
    assert len(used) > 40
    assert not [path for path in used if not (unpacked / path).exists()]


def test_values_that_nothing_reads_are_left_out(unpacked, finished):
    sizes = {}
    for path in unpacked.rglob("*.h5"):
        with h5py.File(path) as file:
            for name, data in file.items():
                sizes.setdefault((path.relative_to(unpacked).parts[0], name), set()).add(data.size)
    for kind, name in (("halo_fields", "evaluation"), ("model_fields", "evaluation")):
        assert sizes[kind, name] == {0}
    assert sizes["gradient_pca", "components"] == {0, 4 * 20_000}
    whole = sum(path.stat().st_size for path in (finished.root / RUN).rglob("*") if path.is_file())
    assert sum(p.stat().st_size for p in unpacked.rglob("*") if p.is_file()) < 0.2 * whole


def test_the_crate_describes_the_run_back_to_the_simulations(archive):
    with tarfile.open(archive) as tar:
        crate = json.load(tar.extractfile(layout.CRATE))
        names = set(tar.getnames())
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    files = {name.replace("%2B", "+") for name, each in entities.items() if each["@type"] == "File"}
    assert files == names - {layout.CRATE, layout.MANIFEST}
    actions = [each for each in entities.values() if each["@type"] == "CreateAction"]
    made = {action["name"].partition(": ")[0] for action in actions}
    assert {"simulate_box", "train_networks", "power_ratio_boxes", "check_claims"} <= made
    references = [
        each["@id"]
        for action in actions
        for name in ("object", "result", "instrument")
        for each in (lambda value: value if isinstance(value, list) else [value])(
            action.get(name, [])
        )
    ]
    assert set(references) <= entities.keys()
