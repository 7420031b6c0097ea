"""The benchmark suite: everything runs, what is compared agrees, and nothing wrong is timed."""

import json
import os
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

STAGES = {"features", "training", "evaluation", "painting", "spectra", "simulation"}
HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
#: Jobs of a run that never was: rule and job, seconds, memory [MB], processor time [s].
JOBS = {
    "train_networks/one": (30.0, 400.0, 20.0),
    "train_networks/two": (10.0, 500.0, 8.0),
    "figures/principal_components": (8.0, 200.0, 4.0),
    # Snakemake has no memory of a job that ended at once
    "check_claims": (2.0, "NA", "NA"),
}


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    for name, (seconds, memory, processor) in JOBS.items():
        path = root / "benchmarks" / "made" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        row = [seconds, "0:00:00", memory, 0, 0, 0, 0, 0, 0, processor]
        path.write_text(HEADER + "\t".join(map(str, row)) + "\n")
        os.utime(path, (1000.0, 1000.0))
    log = root / "logs" / "made" / "train_networks" / "one.log"
    log.parent.mkdir(parents=True)
    log.write_text("loss per cell 2.0, <f> 1.0, 3e+05 particles/s.\n5e+05 particles/s.\n")
    return root


@pytest.fixture(scope="module")
def suite(repository):
    """Call the suite's command line."""

    def call(*arguments):
        paths = [str(repository / "src"), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
        command = [sys.executable, "-W", "error", "-m", "benchmarks.suite", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=repository, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


@pytest.fixture(scope="module")
def measured(suite, finished_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("suite") / "results.json"
    from_run = ("--run-directory", finished_run, "--run-name", "made")
    printed = suite("--quick", "--scaling", "--json", path, *from_run)
    return path, json.loads(path.read_text()), printed


@pytest.fixture
def module(repository, monkeypatch):
    monkeypatch.syspath_prepend(str(repository))
    return lambda name: import_module(f"benchmarks.suite.{name}")


def test_every_stage_is_measured_and_agrees(measured):
    comparisons = measured[1]["comparisons"]
    assert {comparison["stage"] for comparison in comparisons} == STAGES
    for comparison in comparisons:
        library, *others = comparison["contenders"]
        assert library["name"] == "lagbias" and library["speed_up"] == 1.0
        assert others and comparison["rounds"] == 2
        judged = [other["distance"] for other in others if other["distance"] is not None]
        assert judged and max(judged) <= comparison["tolerance"]
        for entry in comparison["contenders"]:
            assert 0 < entry["fastest_s"] <= entry["median_s"] <= entry["slowest_s"]
            assert entry["rate"] == pytest.approx(entry["work"] / entry["median_s"])
        assert comparison["limit"]["by"] in ("memory", "sgemm")
        assert comparison["limit"]["share_reached"] > 0


def test_the_machine_is_described(measured):
    machine = measured[1]["machine"]
    assert machine["cpu"] and machine["cores"] >= 1 and machine["threads"]["suite"] == 1
    assert machine["threads"]["numba"] == 1 and machine["threads"]["OMP_NUM_THREADS"] == "1"
    assert {"numpy", "torch", "numba"} <= machine["versions"].keys()
    assert all(machine["limits"][name] > 0 for name in ("copy", "triad", "sgemm"))


def test_scaling_varies_particles_cells_radii_seeds_and_boxes(measured):
    scaling = measured[1]["scaling"]
    assert {series["variable"] for series in scaling} == {
        "particles",
        "grid cells",
        "radii",
        "networks (seeds)",
        "boxes",
    }
    for series in scaling:
        assert len(series["sizes"]) == len(series["median_s"]) == len(series["slopes"]) + 1


def test_jobs_are_added_up_by_rule(measured):
    run = measured[1]["whole_run"]
    rules = {rule["rule"]: rule for rule in run["rules"]}
    assert rules.keys() == {"train_networks", "figures", "check_claims"}
    assert [rule["total_s"] for rule in run["rules"]] == [40.0, 8.0, 2.0]
    training = rules["train_networks"]
    assert (training["jobs"], training["median_s"], training["peak_rss_mb"]) == (2, 20.0, 500.0)
    assert training["share"] == pytest.approx(0.8) and training["cpu_s"] == 28.0
    assert run["total_s"] == 50.0 and run["cpu_s"] == 32.0 and run["jobs"] == 4
    # all end at once, the longest takes 30 s
    assert run["span_s"] == pytest.approx(30.0)
    assert run["particles_per_second"] == pytest.approx(4e5)
    # a script that imports torch starts more slowly than the interpreter alone
    assert training["start_up_s"] > run["empty_interpreter_s"] > 0
    parts = sum(rule["start_up_s"] * rule["jobs"] for rule in run["rules"])
    assert run["start_up_share"] == pytest.approx(parts / 50.0)


def test_tables_can_be_printed_again_from_the_file(measured, suite, tmp_path):
    path, _, printed = measured
    assert suite("--render", path) == printed
    document = tmp_path / "page.md"
    document.write_text("above\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nbelow\n")
    text = suite("--render", path, "--markdown", "--document", document)
    tables = text.splitlines()
    page = document.read_text()
    assert text in page and "old" not in page
    assert page.startswith("above\n") and page.endswith("\nbelow\n")
    for stage in STAGES:
        assert f"### {stage}" in tables
    rows = [line for line in tables if line.startswith("|")]
    assert all(line.endswith("|") for line in rows)
    assert any(line.startswith("| train_networks | 2 | 20.0 | 40 | 80 % |") for line in rows)


def test_a_wrong_answer_is_not_timed(module):
    timing, machine = module("timing"), module("machine")
    calls = []

    def wrong():
        calls.append("run")
        return np.array([1.0, float("nan")])

    contenders = [
        timing.Contender("lagbias", lambda: np.ones(2), 1.0),
        timing.Contender("fast and wrong", wrong, 1.0),
    ]
    comparison = timing.Comparison(
        "stage",
        "title",
        "cells",
        contenders,
        lambda: timing.distances(contenders, lambda a, b: np.max(np.abs(a - b))),
        1e-6,
        "rounding",
        least_bytes=1.0,
    )
    with pytest.raises(timing.Disagreement, match="fast and wrong is nan away from lagbias"):
        timing.measure(comparison, machine.Limits(1), rounds=3, seconds=0.0)
    assert calls == ["run"]


def test_a_document_without_a_place_for_tables_is_refused(module):
    with pytest.raises(ValueError, match="no place for tables"):
        module("report").inserted("<!-- measured: end --> <!-- measured: begin -->", "tables")


def test_local_slope_is_the_power_of_the_size(module):
    sizes = np.array([10.0, 100.0, 1000.0])
    slopes = module("scaling").local_slopes(sizes, 3.0 * sizes**1.5)
    np.testing.assert_allclose(slopes, 1.5)


def test_a_run_without_benchmark_files_is_named(module, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere holds no benchmark files"):
        module("whole_run").breakdown(tmp_path, "nowhere")
