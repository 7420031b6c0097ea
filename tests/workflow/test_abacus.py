"""AbacusSummit through the workflow: a real, tiny simulation from files to figures, and faults."""

import http.server
import json
import os
import threading
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import yaml

from lagbias.artefacts import store
from lagbias.sources.abacus.checksum import CHECKSUM_FILE
from lagbias.sources.abacus.paths import box_paths
from lagbias.sources.base import Halos, Particles
from lagbias.training.network import Network

pytestmark = pytest.mark.workflow

N_PARTICLES, N_HALOS = 7774, 381  # of the real simulation, from its own description
#: Files of the five boxes of the paper [GB]: six each, of the sizes in the collection's own list.
PAPER_GB = 18.6
#: Radii of config/mini.yaml times this suit a box of 120 Mpc/h with cells of 2.5 Mpc/h.
LARGER = 7


@pytest.fixture(scope="module")
def mini_tree(repository):
    """The root of the real simulation's tree."""
    default = repository.parent / "shared" / "data" / "abacus_mini"
    root = Path(os.environ.get("LAGBIAS_ABACUS_MINI", default))
    if not (root / "Mini_N64_L32").is_dir():
        pytest.skip(f"no Mini_N64_L32 in {root}; set LAGBIAS_ABACUS_MINI to its directory")
    return root


def with_tree(checkout, **changes):
    """Return a checkout that runs config/mini.yaml with changes to the section abacus."""
    path = checkout.root / "place.yaml"
    path.write_text(yaml.safe_dump({"abacus": changes}))
    return replace(checkout, configfile="config/mini.yaml")


PLACE = ("--configfile", "config/mini.yaml", "place.yaml")


@pytest.fixture(scope="module")
def run(shared_checkout, mini_tree):
    """A checkout in which the real simulation has been run to the end, linked from its tree."""
    made = with_tree(shared_checkout("mini"), link_from=str(mini_tree))
    made.snakemake(*PLACE)
    return made


def test_a_real_simulation_gives_every_figure_and_claim(run, repository):
    figures = yaml.safe_load((repository / "config/config.yaml").read_text())["figures"]
    drawn = {path.stem for path in (run.root / "results/mini/figures").glob("*.png")}
    assert drawn == set(figures)
    claims = json.loads((run.root / "results/mini/claims.json").read_text())["claims"]
    assert len(claims) == 44
    results = run.root / "results/mini"
    networks = list(results.glob("networks/mini/*/*/*/seed*.h5"))
    assert len(networks) == 26  # 13 ensembles of two: only one box trains
    for path in networks:
        loss = store.read(path, Network).validation_losses
        # every other epoch, and the last one
        assert np.isfinite(loss).tolist() == [True, False, True], path


def test_what_is_read_is_the_simulation(run):
    boxes = run.root / "results/mini/boxes/mini"
    particles = store.read(boxes / "particles.h5", Particles)
    assert len(particles.position) == N_PARTICLES
    assert len(store.read(boxes / "halos.h5", Halos).mass) == N_HALOS
    assert particles.attributes["simulation"] == "Mini_N64_L32"
    link = run.root / "data/abacus_mini/ic/Mini_N64_L32/ic_dens_N64.asdf"
    assert link.is_symlink()  # not copied


def test_a_second_run_does_nothing_and_a_moved_tree_reads_nothing_again(run, mini_tree, tmp_path):
    assert run.plan(*PLACE) == {}
    moved = tmp_path / "moved"
    moved.symlink_to(mini_tree)
    with_tree(run, link_from=str(moved))
    try:
        run.snakemake(*PLACE, "--until", "acquire_box")
        assert set(run.plan(*PLACE)) <= {"write_configuration"}
    finally:
        with_tree(run, link_from=str(mini_tree))


@pytest.fixture
def tree(abacus_tree, tmp_path):
    """A written tree with checksums."""
    made = abacus_tree.write_tree(tmp_path / "tree", ppd=48, n_ic=48, subsample=0.1)
    abacus_tree.write_checksums(made.root)
    return made


@pytest.fixture
def checkout(new_checkout, repository, tree):
    """A checkout whose boxes are those of the written tree, which it does not know yet."""
    made = new_checkout("checkout")
    mini = yaml.safe_load((repository / "config/mini.yaml").read_text())
    simulation = tree.find["simulation"]
    radii = mini["smoothing_sets"].items()
    mini["smoothing_sets"] = {name: [round(LARGER * r, 2) for r in rs] for name, rs in radii}
    mini["abacus"] |= {"redshift": 0.5, "box_size": 120.0, "particles_per_side": 48}
    mini["abacus"] |= {"density_grid": 48, "small": True, "directory": "data"}
    mini["abacus"] |= {"boxes": {"mini": simulation, "again": simulation}}
    (made.root / "config/mini.yaml").write_text(yaml.safe_dump(mini))
    return replace(made, configfile="config/mini.yaml")


TARGET = "results/mini/boxes/mini/particles.h5"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def served(directory):
    """Serve a directory over HTTP and yield its address."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(_Quiet, directory=str(directory))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_files_are_downloaded_verified_and_read(checkout, tree):
    with served(tree.root) as url:
        with_tree(checkout, base_url=url)
        text = checkout.snakemake(*PLACE, "--", TARGET)
    # sizes of a typical box, but for a density on another grid
    assert f"6 files, about 2.95 GB and 1 file(s) of unknown size, from {url}" in text
    particles = store.read(checkout.root / TARGET, Particles)
    assert len(particles.position) == len(tree.positions)
    copies = [checkout.root / "data" / path.relative_to(tree.root) for path in tree.root.rglob("*")]
    assert all(copy.exists() and not copy.is_symlink() for copy in copies)


def test_a_file_that_no_server_has_stops_the_box_and_keeps_the_rest(checkout, tree):
    next(tree.root.rglob("field_pid_A_000.asdf")).unlink()
    with served(tree.root) as url:
        with_tree(checkout, base_url=url)
        text = checkout.snakemake(*PLACE, "--", TARGET, check=False)
    assert "field_pid_A_000.asdf does not exist on the server (status 404" in text
    assert "every box reached it" in text and "Traceback" not in text
    assert not (checkout.root / TARGET).exists()
    assert list((checkout.root / "data").rglob("halo_info_000.asdf"))


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_damaged_file_is_named_and_nothing_is_read(checkout, tree):
    damage(next(tree.root.rglob("halo_rv_A_000.asdf")))
    with_tree(checkout, link_from=str(tree.root))
    text = checkout.snakemake(*PLACE, "--", TARGET, check=False)
    assert "halo_rv_A_000.asdf" in text and "is corrupt" in text and "Transfer it again" in text
    assert "Traceback" not in text
    assert not (checkout.root / TARGET).exists()


def test_the_inventory_reports_and_downloads_nothing(checkout, tree):
    damage(next(tree.root.rglob("halo_rv_A_000.asdf")))
    next(tree.root.rglob("halo_pid_A_000.asdf")).unlink()
    with_tree(checkout, directory=str(tree.root), base_url="http://127.0.0.1:9")
    before = {path: path.read_bytes() for path in tree.root.rglob("*") if path.is_file()}
    text = checkout.snakemake(*PLACE, "--", "inventory")
    assert "6 files (4 present, 1 missing, 1 corrupt)" in text
    rows = [line for line in text.splitlines() if line.startswith("mini, again")]
    assert len(rows) == 6
    for name, state, plan in (
        ("halo_rv_A_000", "corrupt", "fetch again"),
        ("halo_pid_A_000", "missing", "fetch"),
        ("ic_dens_N48", "present (verified)", "keep"),
    ):
        (row,) = (row for row in rows if name in row)
        assert state in row and row.endswith(plan)
    batch = (checkout.root / "results/mini/globus_batch.txt").read_text()
    assert [line.split()[0].rpartition("/")[2] for line in batch.splitlines()] == [
        CHECKSUM_FILE,
        "halo_pid_A_000.asdf",
        CHECKSUM_FILE,
        "halo_rv_A_000.asdf",
    ]
    assert before == {path: path.read_bytes() for path in tree.root.rglob("*") if path.is_file()}


def test_the_paper_is_planned_with_its_jobs_and_bytes(new_checkout):
    paper = replace(new_checkout("checkout"), configfile="config/abacus.yaml")
    text = paper.snakemake("--dry-run")
    assert f"to download: 30 files, about {PAPER_GB} GB" in text
    plan = paper.plan()
    assert (plan["acquire_box"], plan["read_box"], plan["train_networks"]) == (5, 5, 16)
    assert not (paper.root / "data").exists()


def test_a_source_without_its_section_is_explained(new_checkout):
    text = new_checkout("checkout").snakemake("--config", "source=abacus", check=False)
    assert "source = abacus requires the section abacus" in text
    assert "config/abacus.yaml" in text and "Traceback" not in text


def test_paths_of_the_paper_are_those_of_its_simulations(repository):
    paper = yaml.safe_load((repository / "config/abacus.yaml").read_text())
    simulations = paper["abacus"]["boxes"]
    assert simulations["ph3100"].endswith("_ph3100") and simulations["ph3102"].endswith("_ph3102")
    density = box_paths(simulations["ph3100"], 0.5)["ic_density"]
    assert str(density) == "ic/small/AbacusSummit_small_c000_ph3100/ic_dens_N576.asdf"
