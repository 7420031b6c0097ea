"""Machines whose clocks differ: results are right, and nothing is made again for ever."""

import os
import time

import pytest

pytestmark = pytest.mark.workflow

HOUR = 3600
#: What least squares are fitted to and evaluated with, and both.
FEATURES, FIT = "features/box0/rf2.83.h5", "least_squares/box0/threshold/1Rf.h5"
SPECTRA = "spectra/box0/threshold/1Rf/least_squares/on_box1.h5"
TARGET = f"results/tiny/{SPECTRA}"
RULES = {"make_features": 1, "least_squares": 1, "predict_least_squares": 1}
#: Files of the features' node are an hour ahead, all others an hour behind.
SKEWED = """import time
        skew = 3600 if "features" in str(path) else -3600
        os.utime(temporary, (time.time() + skew, time.time() + skew))
        temporary.replace(path)"""


def shift(path, seconds):
    moment = path.stat().st_mtime + seconds
    os.utime(path, (moment, moment))


def files(checkout, *directories):
    paths = (checkout.root.joinpath(name).rglob("*") for name in directories)
    return [path for each in paths for path in each if path.is_file()]


def test_nodes_with_fast_and_slow_clocks(another, finished):
    checkout, results = another, another.root / "results" / "tiny"
    source = checkout.root / "src" / "lagbias" / "atomic.py"
    text, writes = source.read_text(), "temporary.replace(path)"
    assert text.count(writes) == 1
    source.write_text(text.replace(writes, SKEWED))
    for name in (FEATURES, FIT, SPECTRA):
        (results / name).unlink()
    checkout.snakemake("--", f"results/tiny/{FEATURES}", TARGET)
    assert checkout.artefacts() == finished.artefacts()
    assert checkout.plan("--", TARGET) == {}
    assert all(path.stat().st_mtime <= time.time() for path in files(checkout, "results"))


def test_a_clock_that_was_set_back(another, finished):
    """Everything was made an hour ahead, and the scripts were checked out then."""
    checkout = another
    for path in files(checkout, "results", "benchmarks", "workflow/scripts"):
        shift(path, HOUR)
    for name in (FIT, SPECTRA):
        (checkout.root / "results" / "tiny" / name).unlink()
    text = checkout.snakemake("--", TARGET)
    assert "ahead of this machine's clock" in text
    assert "2 of 2 steps" in text  # and nothing else
    assert checkout.artefacts() == finished.artefacts()
    assert checkout.plan() == {}


def test_a_file_older_than_its_input_is_made_again_once(another, finished):
    shift(another.root / "results" / "tiny" / FEATURES, -HOUR)
    assert another.plan("--", TARGET) == RULES
    another.snakemake("--", TARGET)
    assert another.plan("--", TARGET) == {}
    assert another.artefacts() == finished.artefacts()
