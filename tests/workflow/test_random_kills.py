"""Killed at any moment: no half a file is in place, and the last run ends as if unbroken."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import h5py
import numpy as np
import pytest

from lagbias.runtime import checkpoints

pytestmark = [pytest.mark.workflow, pytest.mark.timeout(7200)]

#: Parts of the tiny run in which every rule of networks takes part.
BRANCH = (
    "results/tiny/spectra/box0/threshold/3Rf/full/on_box1.h5",
    "results/tiny/spectra/box0/threshold/1Rf/least_squares/on_box1.h5",
    "results/tiny/binned_f/box0/threshold/1Rf/density.h5",
    "results/tiny/gradient_pca/box0/threshold/3Rf.h5",
    "results/tiny/slabs/box0/threshold/3Rf/full/on_box1.h5",
)
#: Time between a start and a kill [s], by day and at night: Snakemake plans for two, and a job
#: takes one to four.
SHORTEST, LONGEST = 1.0, (7.0, 12.0)
#: How often Snakemake alone is killed, and its jobs go on beside those of the next run.
ALONE = 0.25
#: Longest wait for a job to end [s].
PATIENCE = 300
#: How files end that are whole.
ENDS = {".png": b"IEND\xaeB`\x82", ".pdf": b"%%EOF\n", ".html": b">\n"}


@pytest.fixture
def unfinished(another, nightly):
    """A checkout without results; by day it has the boxes, which take longest."""
    for path in (another.root / "results" / "tiny").iterdir():
        if nightly or path.name != "boxes":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return another


def test_killed_at_random(finished, unfinished, nightly):
    checkout = unfinished
    kills, targets = (50, ()) if nightly else (4, BRANCH)
    rng, hit, ends = np.random.default_rng(20), Counter(), 0
    while hit.total() < kills:
        process = checkout.start("--", *targets)
        try:
            process.wait(rng.uniform(SHORTEST, LONGEST[nightly]))
        except subprocess.TimeoutExpired:
            rules = set(checkout.jobs().values())
            hit["+".join(sorted(rules)) or "no job"] += 1
            kill(process, alone=rng.random() < ALONE)
            checkout.snakemake("--unlock")
        else:  # it came to its end before its time: once more from the beginning
            assert process.returncode == 0
            wait_for_orphans(checkout)
            assert_same_results(checkout, finished, targets)
            shutil.rmtree(checkout.root / "results")
            ends += 1
        assert_whole(checkout)
    checkout.snakemake("--", *targets)
    wait_for_orphans(checkout)
    assert_same_results(checkout, finished, targets)
    summary = f"{hit.total()} kills, {ends + 1} runs to the end; at work were {dict(hit)}"
    sys.stdout.write(summary)  # shown with -rP


def kill(process, *, alone):
    if alone:
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for_orphans(checkout):
    """Wait for the jobs of Snakemakes that were killed alone."""
    deadline = time.monotonic() + PATIENCE
    while checkout.jobs():
        assert time.monotonic() < deadline, "a job did not end"
        time.sleep(0.1)


def files_of(checkout):
    """Return all results by their paths, without the temporary files of jobs that were killed."""
    results, files = checkout.root / "results", {}
    for path in results.rglob("*"):
        if path.name.startswith("."):
            assert re.fullmatch(r"\..+\.\d+\.tmp", path.name), path
        elif path.is_file():
            files[str(path.relative_to(results))] = path
    return files


def assert_whole(checkout):
    for name, path in files_of(checkout).items():
        if path.suffix == ".h5":
            with h5py.File(path) as file:  # which compares checksums
                assert all(len(dataset[()]) for dataset in file.values()), name
        elif path.suffix == ".checkpoint":
            checkpoints.read(path)
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix in ENDS:
            assert path.read_bytes().endswith(ENDS[path.suffix]), name


def assert_same_results(checkout, finished, targets):
    found, expected = files_of(checkout), files_of(finished)
    if targets:  # the rest was not asked for
        expected = {name: path for name, path in expected.items() if name in found}
        assert {target.removeprefix("results/") for target in targets} <= expected.keys()
    assert sorted(found) == sorted(expected)
    assert [n for n in found if found[n].read_bytes() != expected[n].read_bytes()] == []
