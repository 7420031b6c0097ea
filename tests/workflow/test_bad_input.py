"""Bad input and full or closed disks stop the workflow with a paragraph that says what to do."""

import os
import resource
import shutil
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
import yaml

from lagbias.artefacts import store
from lagbias.sources.base import LinearDensity

pytestmark = pytest.mark.workflow

RESULTS = "results/tiny"
FEATURES = f"{RESULTS}/features/box0/rf2.83.h5"
HALO_FIELD = f"{RESULTS}/halo_fields/box0/threshold.h5"
WHITENING = f"{RESULTS}/whitening/box0/1Rf.h5"


def test_a_wrong_configuration_stops_before_the_dag(finished, tmp_path):
    (tmp_path / "changes.yaml").write_text(yaml.safe_dump({"training": {"epoch": 3}}))
    files = ("--configfile", finished.root / "config/tiny.yaml", "changes.yaml")
    command = [sys.executable, "-m", "snakemake", "--snakefile", finished.root / "Snakefile"]
    text = finished.run([*command, *files, "--cores", "2"], cwd=tmp_path, check=False)
    assert "training.epoch" in text and "did you mean 'epochs'?" in text
    assert "Traceback" not in text
    assert {path.name for path in tmp_path.iterdir()} <= {"changes.yaml", ".snakemake"}


def truncate(path):
    path.write_bytes(path.read_bytes()[:5000])


def flip_a_bit(path):
    damaged = bytearray(path.read_bytes())
    damaged[int(0.6 * len(damaged))] ^= 1  # the least bit of a number's least byte
    path.write_bytes(damaged)


def put_a_foreign_file(path):
    with h5py.File(path, "w") as file:
        file["delta"] = [1.0]


def put_the_next(path):
    """Put the file of another box or seed in its place."""
    other = str(path).replace("box1/halos", "box2/halos").replace("seed1", "seed0")
    shutil.copyfile(other, path)


def put_another_version(path):
    changed = replace(store.read(path, LinearDensity), delta=-store.read(path, LinearDensity).delta)
    provenance = {**store.header(path).provenance, "artefact_id": "0" * 16}
    store.write(path, changed, provenance=provenance)


def put_a_nan(path):
    with h5py.File(path, "r+") as file:
        file["delta"][3, 4, 5] = np.nan


DAMAGED = "{} is truncated, damaged or not an HDF5 file"
MISPLACED = f"was made as {RESULTS}/{{}}: the wrong file is in this place"
STALE = f"{RESULTS}/features/box1/rf1.41.h5 was made from another version of {{}} than the one"
#: What is damaged, how, the target that then fails, and what is said; each of a branch of its own.
DAMAGES = [
    ("features/box0/rf11.3.h5", truncate, "whitening/box0/3Rf+11.3.h5", DAMAGED),
    ("boxes/box2/halos.h5", flip_a_bit, "halo_fields/box2/threshold.h5", DAMAGED),
    (
        "features/box2/rf1.41.h5",
        put_a_foreign_file,
        "whitening/box2/3Rf.h5",
        "{} is an HDF5 file but not a lagbias artefact",
    ),
    (
        "boxes/box1/halos.h5",
        put_the_next,
        "halo_fields/box1/thin_low.h5",
        MISPLACED.format("boxes/box2/halos.h5"),
    ),
    (
        "networks/box0/threshold/1Rf/full/seed1.h5",
        put_the_next,
        "spectra/box0/threshold/1Rf/full/on_box0.h5",
        MISPLACED.format("networks/box0/threshold/1Rf/full/seed0.h5"),
    ),
    (
        "boxes/box1/linear_density.h5",
        put_another_version,
        "spectra/box0/threshold/3Rf/full/on_box1.h5",
        STALE,
    ),
    (
        "boxes/box0/linear_density.h5",
        put_a_nan,
        "features/box0/rf1.h5",
        "LinearDensity.delta: 1 of 512000 values is not finite, the first (nan) at [3, 4, 5]",
    ),
]


def test_every_damaged_or_misplaced_file_is_named(another, finished):
    """Times are those from before the damage, as after a copy or a failing disk."""
    results = another.root / RESULTS
    for name, damage, _, _ in DAMAGES:
        before = (results / name).stat()
        damage(results / name)
        os.utime(results / name, ns=(before.st_atime_ns, before.st_mtime_ns))
    damaged = another.artefacts()
    targets = [f"{RESULTS}/{target}" for _, _, target, _ in DAMAGES]
    text = another.snakemake("--force", "--keep-going", "--", *targets, check=False)
    assert "Traceback" not in text
    for name, _, _, message in DAMAGES:
        assert message.format(f"{RESULTS}/{name}") in text
    # nothing is touched but what was to be made, of which no file is left
    lost = {f"tiny/{target}" for _, _, target, _ in DAMAGES}
    lost |= {name.replace("spectra", "model_fields") for name in lost if "spectra" in name}
    left = another.artefacts()
    assert left.keys() == damaged.keys() - lost
    assert all(left[name] == damaged[name] for name in left)
    # the remedy
    name, _, target, message = DAMAGES[0]
    density = f"{RESULTS}/boxes/box0/linear_density.h5"
    shutil.copy2(finished.root / density, another.root / density)
    (results / name).unlink()
    another.snakemake(f"{RESULTS}/{target}")
    for path in (name, target):
        assert another.artefacts()[f"tiny/{path}"] == finished.artefacts()[f"tiny/{path}"]


def test_directories_that_are_read_only_are_named_and_cost_nothing(finished, read_only):
    before = finished.artefacts()
    for place, said in (
        ("results", "Write-protected output files"),  # Snakemake's own words
        ("logs", f"logs in {finished.root} may not be written to. Nothing was done."),
    ):
        command = finished.command("--forcerun", "fit_whitening", "--", WHITENING)
        text = finished.run([*read_only(finished.root / place), *command], check=False)
        assert said in text and "Traceback" not in text
    assert finished.artefacts() == before


def test_read_only_caches_cost_time_only(another, finished, read_only, tmp_path):
    """Plans of Fourier transforms cannot be kept; kernels are kept in the user's own cache."""
    cache = tmp_path / "cache"
    cache.mkdir()
    for kernel in (another.root / "src").rglob("*.nb[ci]"):
        kernel.unlink()
    environment = {"LAGBIAS_CACHE_DIR": str(cache), "XDG_CACHE_HOME": str(tmp_path / "user")}
    command = another.command(
        "--forcerun", "make_features", "make_halo_fields", "--", FEATURES, HALO_FIELD
    )
    closed = [*read_only(another.root / "src"), *read_only(cache)]
    text = another.run([*closed, *command], environment=environment)
    assert "Cannot store FFTW plans" in text and "Set LAGBIAS_CACHE_DIR" in text
    assert list((tmp_path / "user/numba").rglob("*.nbi"))
    halo_field = HALO_FIELD.removeprefix("results/")
    assert another.artefacts()[halo_field] == finished.artefacts()[halo_field]


def test_a_full_disk_is_named_and_costs_nothing(another, finished):
    """A limit on the size of files stands for the full disk."""
    limit = 1 << 20  # bytes; the features of one radius are larger

    def restrict():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    arguments = ("--forcerun", "make_features", "--", FEATURES)
    text = another.snakemake(*arguments, check=False, preexec_fn=restrict)
    assert f"{FEATURES} could not be written: the file size limit is reached" in text
    assert "a workflow continues where it stopped" in text
    assert "Traceback" not in text
    before, name = finished.artefacts(), FEATURES.removeprefix("results/")
    assert another.artefacts() == {k: v for k, v in before.items() if k != name}
    another.snakemake(FEATURES)
    assert another.artefacts() == before
