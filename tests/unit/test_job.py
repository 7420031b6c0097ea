"""What workflow scripts do around their one library call."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest

from lagbias import job, store


@pytest.fixture
def snakemake(tmp_path):
    """Return a stand-in for the object that Snakemake hands to a script."""
    return SimpleNamespace(
        rule="make_features",
        input=[],
        params={"code": "c0de", "rf": 2.83, "training": {"epochs": 3}},
        wildcards={"box": "box0"},
        threads=1,
        log=[str(tmp_path / "logs" / "job.log")],
    )


@pytest.fixture(autouse=True)
def _restore_logging():
    """Take away the handlers that a job adds to the root logger."""
    root, package = logging.getLogger(), logging.getLogger("lagbias")
    before, levels = list(root.handlers), (root.level, package.level)
    yield
    for handler in [h for h in root.handlers if h not in before]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(levels[0])
    package.setLevel(levels[1])


def test_artefacts_carry_rule_parameters_wildcards_and_code(snakemake, tmp_path):
    path = tmp_path / "a.h5"
    with job.start(snakemake) as task:
        assert task.settings("training").epochs == 3
        task.write(path, "example", {"x": store.Dataset(np.ones(2), "1", ("x",))}, {"rf": 2.83})
    artefact = store.read(path, "example")
    assert artefact.provenance["rule"] == "make_features"
    assert artefact.provenance["code"] == "c0de"
    assert artefact.provenance["params"] == {
        "rf": 2.83,
        "training": {"epochs": 3},
        "box": "box0",
    }
    assert "wrote" in (tmp_path / "logs" / "job.log").read_text()


@pytest.mark.parametrize(
    "error", [store.ArtefactError, ValueError, FloatingPointError, MemoryError, OSError]
)
def test_an_expected_failure_is_one_paragraph(snakemake, capsys, tmp_path, error):
    with pytest.raises(SystemExit) as stopped, job.start(snakemake):
        raise error("results/a.h5 is truncated. Delete it.")
    assert stopped.value.code == 1
    shown = capsys.readouterr().err
    assert shown == "make_features failed. results/a.h5 is truncated. Delete it.\n"
    logs = tmp_path / "logs"
    assert "Traceback" not in (logs / "job.log").read_text()
    assert error.__name__ in (logs / "job.log.traceback").read_text()


def test_an_unexpected_failure_shows_where(snakemake, capsys, tmp_path):
    with pytest.raises(SystemExit), job.start(snakemake):
        raise KeyError("surprise")
    for text in (capsys.readouterr().err, (tmp_path / "logs" / "job.log").read_text()):
        assert "make_features failed unexpectedly" in text
        assert "KeyError: 'surprise'" in text
