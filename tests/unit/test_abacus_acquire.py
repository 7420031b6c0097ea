"""From settings to the files of AbacusSummit boxes: plans, room on disks, links."""

from types import SimpleNamespace

import pytest

from lagbias.sources.abacus.acquire.checksum import cksum
from lagbias.sources.abacus.acquire.errors import CorruptFileError
from lagbias.sources.abacus.acquisition import (
    bring_box,
    globus_batch,
    inventory,
    plan,
    results_bytes,
)


@pytest.fixture
def tree(abacus_tree, tmp_path):
    return abacus_tree.write_tree(tmp_path / "tree", ppd=12, n_ic=4, n_halos=10, n_files=2)


def settings(tree, directory, **changes):
    values = {
        "directory": str(directory),
        "base_url": "http://127.0.0.1:9",
        "link_from": str(tree.root),
        "redshift": 0.5,
        "density_grid": 4,
        "cleaned": False,
        "small": True,
        "verify": True,
        "boxes": {"box": tree.find["simulation"]},
    }
    return SimpleNamespace(**(values | changes))


def test_linked_files_are_listed_with_what_they_hold(tree, tmp_path):
    chosen = settings(tree, tmp_path / "data")
    files = bring_box(chosen, tree.find["simulation"])
    assert len(files) == 1 + 2 * 5
    for relative, held in files.items():
        assert (tmp_path / "data" / relative).is_symlink()
        assert held == cksum(tree.root / relative)


def test_files_that_no_checksum_file_lists_are_warned_about(tree, tmp_path, caplog):
    bring_box(settings(tree, tmp_path / "data"), tree.find["simulation"])
    assert len(caplog.records) == 11
    assert "in no checksum file" in caplog.text


def list_checksums(directory, *, damaged=False):
    held = [(path.name, cksum(path)) for path in sorted(directory.glob("*.asdf"))]
    text = "".join(f"{one.crc ^ damaged} {one.size} {name}\n" for name, one in held)
    (directory / "checksums.crc32").write_text(text)


def test_what_is_linked_is_verified_where_it_is_asked_for(tree, tmp_path):
    halos = next(tree.root.rglob("halo_info"))
    list_checksums(halos, damaged=True)
    with pytest.raises(CorruptFileError, match=r"halo_info_000\.asdf.*is corrupt.*Transfer it"):
        bring_box(settings(tree, tmp_path / "data"), tree.find["simulation"])
    trusted = bring_box(settings(tree, tmp_path / "other", verify=False), tree.find["simulation"])
    assert len(trusted) == 11


def test_the_plan_counts_what_is_there_and_what_is_not(tree, tmp_path):
    next(tree.root.rglob("halo_rv_A_001.asdf")).unlink()
    linked = settings(tree, tmp_path / "data")
    found = inventory(linked, linked.boxes)
    # without checksum files nothing tells that there should be another
    assert "10 files" in plan(linked, found) and "to be linked" in plan(linked, found)
    elsewhere = settings(tree, tmp_path / "empty", link_from=None)
    text = plan(elsewhere, inventory(elsewhere, elsewhere.boxes))
    assert "6 files, 0 B of them" in text
    assert "to download: 6 files, about 2.95 GB and 1 file(s) of unknown size" in text
    assert "http://127.0.0.1:9" in text


def test_the_batch_for_globus_has_missing_files_and_their_checksums(tree, tmp_path):
    elsewhere = settings(tree, tmp_path / "empty", link_from=None)
    lines = globus_batch(inventory(elsewhere, elsewhere.boxes)).splitlines()
    assert len(lines) == 12
    density = f"ic/small/{tree.find['simulation']}/ic_dens_N4.asdf"
    assert f"{density} {density}" in lines
    linked = settings(tree, tmp_path / "data")
    assert globus_batch(inventory(linked, linked.boxes)) == ""


def test_results_of_the_paper_are_as_large_as_their_arrays():
    paper = SimpleNamespace(density_grid=576)
    found = results_bytes(paper, 1728, {"ph3100": 8, "ph3000": 3})
    density, particles, features = 576**3 * 4, 0.03 * 1728**3 * 16, 576**3 * 12
    assert found == pytest.approx(2 * (density + particles) + 11 * features, rel=1e-9)
