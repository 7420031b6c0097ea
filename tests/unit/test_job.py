"""What workflow scripts do around their one library call."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from lagbias.artefacts import store
from lagbias.config.sections import TrainingSettings
from lagbias.schema import fields
from lagbias.stages import job


@pytest.fixture
def snakemake(tmp_path):
    """Return a stand-in for the object that Snakemake hands to a script."""
    return SimpleNamespace(
        rule="make_features",
        input=[],
        output=[],
        params={"code": "c0de", "rf": 2.83, "training": {"epochs": 3}},
        wildcards={"box": "box0"},
        threads=1,
        log=[str(tmp_path / "logs" / "job.log")],
        config={"run": "embedded"},
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


@dataclass(frozen=True, kw_only=True)
class Example:
    """An artefact with labels and little content."""

    KIND: ClassVar[str] = "example"
    seed: int = fields.number("1", "seed", default=0)
    box: str = fields.label("box")
    target_box: str = fields.label("target box")
    inputs: str = fields.label("inputs")


def test_artefacts_carry_rule_parameters_labels_and_code(snakemake, tmp_path):
    path = tmp_path / "a.h5"
    with job.start(snakemake) as task:
        settings = task.settings(TrainingSettings, "training")
        assert settings.epochs == 3
        with pytest.raises(AttributeError):
            settings.width  # noqa: B018 - a key that the rule does not pass
        task.write(Example(), path, inputs="least_squares", seed=3)
    header = store.header(path, Example)
    labels = {"seed": 3, "box": "box0", "target_box": "box0", "inputs": "least_squares"}
    assert header.attributes == labels
    assert header.provenance["rule"] == "make_features"
    assert header.provenance["code"] == "c0de"
    params = {"rf": 2.83, "training": {"epochs": 3}, "box": "box0"}
    assert header.provenance["params"] == {**params, "inputs": "least_squares", "seed": 3}
    assert "wrote" in (tmp_path / "logs" / "job.log").read_text()


def write_box(path, seed):
    provenance = {"artefact_id": f"box{seed}", "output": str(path)}
    store.write(path, Example(), provenance=provenance)


def test_only_outputs_that_changed_are_outdated(snakemake, tmp_path):
    paths = [str(tmp_path / f"seed{seed}.h5") for seed in (0, 1, 2)]
    snakemake.output = paths
    with job.start(snakemake) as task:
        assert task.outdated() == dict(enumerate(paths))
        task.write(Example(), paths[0], seed=0)
        task.write(Example(), paths[1], seed=1, inputs="pc2")  # another artefact in its place
        assert list(task.outdated()) == [1, 2]
        Path(paths[0]).write_bytes(b"damaged")
        assert list(task.outdated()) == [0, 1, 2]
        task.write(Example(), paths[0], seed=0)
    snakemake.params["rf"] = 4.0
    with job.start(snakemake) as task:
        assert list(task.outdated()) == [0, 1, 2]


def test_networks_depend_on_the_input_network_of_their_seed(snakemake, tmp_path):
    snakemake.input = [str(tmp_path / "full" / f"seed{seed}.h5") for seed in (0, 1)]
    snakemake.output = paths = [str(tmp_path / f"seed{seed}.h5") for seed in (0, 1)]
    for seed, path in enumerate(snakemake.input):
        write_box(path, seed)
    with job.start(snakemake) as task:
        for seed, path in enumerate(paths):
            task.write(Example(), path, seed=seed)
            recorded = store.header(path).provenance["inputs"]
            assert recorded == {snakemake.input[seed]: f"box{seed}"}
    write_box(snakemake.input[1], 7)
    with job.start(snakemake) as task:
        assert list(task.outdated()) == [1]


def test_inputs_are_recorded_as_they_are_when_the_job_starts(snakemake, tmp_path):
    box, path = tmp_path / "box.h5", tmp_path / "a.h5"
    write_box(box, seed=1)
    snakemake.input = [str(box), "plan.txt"]
    with job.start(snakemake) as task:
        write_box(box, seed=2)  # replaced while the job is at work
        task.write(Example(), path)
    provenance = store.header(path).provenance
    assert provenance["inputs"] == {str(box): "box1"}
    assert provenance["output"] == str(path)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda box, _: box.rename(box.with_name("b.h5")), r"box\.h5 does not exist"),
        (
            lambda box, _: write_box(box, seed=2),
            r"halos\.h5 was made from another version of .*box",
        ),
        (
            lambda box, halos: box.write_bytes(halos.read_bytes()),
            r"box\.h5 was made as .*halos\.h5",
        ),
    ],
)
def test_inputs_that_do_not_belong_stop_the_job_before_its_work(
    snakemake, tmp_path, capsys, spoil, complaint
):
    box, halos = tmp_path / "box.h5", tmp_path / "halos.h5"
    write_box(box, seed=1)
    snakemake.input = [str(box)]
    with job.start(snakemake) as task:
        task.write(Example(), halos)
    spoil(box, halos)
    snakemake.input = [str(box), str(halos)]
    worked = False
    with pytest.raises(SystemExit), job.start(snakemake):
        worked = True
    assert not worked
    shown = capsys.readouterr().err
    assert re.search(complaint, shown) and "Traceback" not in shown


def test_what_parameters_say_wholly_does_not_depend_on_code(snakemake, tmp_path):
    path, found = tmp_path / "a.h5", []
    for code in ("c0de", "decaf"):
        snakemake.params["code"] = code
        with job.start(snakemake) as task:
            for identity in ({"crc": 1}, None):
                task.write(Example(), path, identity=identity)
                found.append(store.header(path).provenance["artefact_id"])
    assert found[0] == found[2] and found[1] != found[3]


def test_without_a_log_the_work_goes_on(snakemake, tmp_path, capsys):
    (tmp_path / "logs").write_text("a file in the place of the directory")
    path = tmp_path / "a.h5"
    with job.start(snakemake) as task:
        task.write(Example(), path)
    assert store.header(path).kind == "example"
    assert "This job has no log file" in capsys.readouterr().err
    with pytest.raises(SystemExit), job.start(snakemake):
        raise ValueError("rf is 0")
    assert "make_features failed. rf is 0" in capsys.readouterr().err


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
