"""A GPU that is asked for and absent, or too full: one paragraph that says what to do."""

import json
import os
import subprocess
import sys

import pytest
import yaml

from lagbias.runtime import gpu_presence

pytestmark = pytest.mark.workflow

#: Runs a workflow script as Snakemake does, with a job object of plain attributes, after `before`.
RUN = """
import json, runpy, sys
from types import SimpleNamespace

class Params(dict):
    __getattr__ = dict.__getitem__

job = json.loads(sys.argv[1])
job["params"] = Params(job["params"])
exec(job.pop("before"))
runpy.run_path(job.pop("script"), {"snakemake": SimpleNamespace(**job)})
"""
#: A GPU on which another program has left no room.
FULL = """
import torch
from lagbias.runtime import device

def choose_device(name):
    with device.full_is_explained("choosing it"):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB.")

device.choose_device = choose_device
"""


def train_network(repository, directory, before=""):
    """Run the job of a training in which a GPU is asked for; return what it printed."""
    job = {
        "script": str(repository / "workflow" / "scripts" / "train_network.py"),
        "before": before,
        "rule": "train_network",
        "input": [],
        "params": {"training": {"device": "cuda"}, "seed": 0},
        "threads": 1,
        "log": [str(directory / "job.log")],
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(job)],
        cwd=directory,
        # the GPUs of the machine that runs the tests are hidden
        env={**os.environ, "PYTHONPATH": str(repository / "src"), "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    return done.stdout


@pytest.mark.parametrize(
    ("before", "error", "fragments"),
    [
        ("", "ValueError", ["training.device is 'cuda'", "finds no CUDA device", "'auto'"]),
        (FULL, "DeviceFull", ["The memory of the GPU is full", "gpu_share", "to 'cpu'"]),
    ],
    ids=["absent", "full"],
)
def test_a_gpu_that_cannot_be_used_is_one_paragraph(repository, tmp_path, before, error, fragments):
    text = train_network(repository, tmp_path, before)
    assert text.startswith("train_network failed. ") and text.count("\n") == 1
    for fragment in fragments:
        assert fragment in text
    assert error in (tmp_path / "job.log.traceback").read_text()


@pytest.mark.skipif(
    not gpu_presence.warning("cuda"),
    reason="needs a machine without a GPU's driver",
)
def test_a_missing_gpu_is_said_once_before_the_first_job(new_checkout):
    checkout = new_checkout("checkout")
    assert "no driver of a GPU" not in checkout.snakemake("--dry-run")
    (checkout.root / "changes.yaml").write_text(yaml.safe_dump({"training": {"device": "cuda"}}))
    chosen = ("--configfile", "config/tiny.yaml", "changes.yaml")
    text = checkout.snakemake(*chosen, "--dry-run")
    assert text.count("this machine shows no driver of a GPU") == 1
    assert text.index("no driver of a GPU") < text.index("simulate_box")
