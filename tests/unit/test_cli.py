"""The command line."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest

from lagbias.artefacts import store
from lagbias.bias.spectra import Spectra
from lagbias.cli import main
from lagbias.config import docs
from lagbias.schema import fields


@dataclass(frozen=True, kw_only=True)
class Example:
    KIND: ClassVar[str] = "example"
    position: np.ndarray = fields.array("Mpc/h", "particle 3", "position")
    attributes: dict = fields.attributes("of the source")
    box: str = fields.label("box")
    unused: int = field(default=0)


@pytest.fixture
def example(tmp_path):
    thing = Example(position=np.ones((5, 3)), attributes={"seed": 3}, box="box0")
    store.write(tmp_path / "a.h5", thing, provenance={"artefact_id": "abc"})
    return tmp_path / "a.h5"


def test_show_prints_contents_and_provenance(example, capsys):
    assert main(["show", str(example)]) == 0
    printed = capsys.readouterr().out
    for text in ("a.h5: example", "seed = 3", "box = box0", "float64 (5, 3) [Mpc/h]", '"abc"'):
        assert text in printed


def test_show_explains_a_bad_file(tmp_path, capsys):
    (tmp_path / "a.h5").write_text("no")
    assert main(["show", str(tmp_path / "a.h5")]) == 1
    printed = capsys.readouterr()
    assert not printed.out
    assert "a.h5 is truncated, damaged or not an HDF5 file" in printed.err


def test_summary_prints_one_row_per_file_of_spectra(tmp_path, capsys):
    assert main(["summary", str(tmp_path)]) == 1
    assert "contains no spectra" in capsys.readouterr().err
    power = np.ones(2)
    spectra = Spectra(
        k=np.array([0.05, 0.5]),
        n_modes=np.array([10, 100]),
        halo_power=power,
        model_power=np.stack([0.9 * power, 1.1 * power]),
        cross_power=np.stack([power, power]),
        average_model_power=1.02 * power,
        average_cross_power=power,
        mean_f=np.ones(2),
        average_mean_f=np.ones(1),
        seeds=np.arange(2),
        smoothing_set="3Rf",
        target_box="box1",
    )
    store.write(tmp_path / "spectra" / "deep" / "on_box1.h5", spectra)
    assert main(["summary", str(tmp_path)]) == 0
    row = capsys.readouterr().out.splitlines()[-1]
    assert "| 3Rf |" in row and "| box1 | 1.020 | 0.200 |" in row


def test_claims_prints_a_column_for_each_run(tmp_path, capsys):
    claim = {"id": "C01", "statement": "f.", "paper": "1", "threshold": "t", "reason": ""}
    claim |= {"verdict": "holds", "measured": "0.9"}
    summary = {"holds": 1, "does not hold": 0, "cannot be tested": 0}
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path in paths:
        found = {"run": path.stem, "summary": summary, "claims": [claim]}
        path.write_text(json.dumps(found), encoding="utf-8")
    missing = ["--missing", "c", "--missing", "d"]
    assert main(["claims", *map(str, paths), *missing]) == 0
    printed = capsys.readouterr().out
    assert "| id | claim | paper | threshold | a | b | c | d |" in printed
    last = "| C01 | f. | 1 | t | **holds**: 0.9 | **holds**: 0.9 | not run | not run |\n"
    assert printed.endswith(last)
    assert main(["claims", str(tmp_path / "none.json")]) == 1
    assert "none.json" in capsys.readouterr().err


def test_config_docs_are_checked_and_written(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["config", "--check"]) == 1
    assert "README.md is out of date" in capsys.readouterr().err
    assert main(["config", "--write"]) == 0
    assert main(["config", "--check"]) == 0
    for path, make in docs.FILES.items():
        assert (tmp_path / path).read_text(encoding="utf-8") == make()


def test_a_reader_that_closes_the_pipe_is_no_error(example):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "lagbias", "show", str(example), str(example)]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
