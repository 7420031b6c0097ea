"""The command line."""

import os
import subprocess
import sys

import numpy as np
import pytest

from lagbias.artefacts import store
from lagbias.cli import main
from lagbias.config import docs as config_docs


def test_show_tells_contents_and_provenance(tmp_path, capsys):
    path = tmp_path / "a.h5"
    datasets = {"position": store.Dataset(np.ones((5, 3)), "Mpc/h", ("particle", "dimension"))}
    provenance = {"rule": "simulate_box", "artefact_id": "abc"}
    store.write(path, "particles", datasets, attributes={"seed": 3}, provenance=provenance)
    assert main(["show", str(path)]) == 0
    shown = capsys.readouterr().out
    for text in ("particles", "seed = 3", "float64 (5, 3) [Mpc/h]", '"artefact_id": "abc"'):
        assert text in shown


def test_show_explains_a_bad_file(tmp_path, capsys):
    path = tmp_path / "a.h5"
    path.write_text("no")
    assert main(["show", str(path)]) == 1
    assert (
        "a.h5 cannot be read: it is truncated, damaged or not an HDF5 file"
        in capsys.readouterr().err
    )


def test_config_docs_are_checked_and_written(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["config", "--check"]) == 1
    assert "README.md" in capsys.readouterr().err
    assert main(["config", "--write"]) == 0
    assert main(["config", "--check"]) == 0
    for path, make in config_docs.FILES.items():
        assert (tmp_path / path).read_text(encoding="utf-8") == make()


def test_a_command_is_required(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "required" in capsys.readouterr().err


def test_a_reader_that_closes_early_is_no_error(tmp_path):
    store.write(tmp_path / "a.h5", "example", {"x": store.Dataset(np.zeros(3), "1", ("i",))})
    files = [str(tmp_path / "a.h5")] * 2
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "lagbias", "show", *files]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
