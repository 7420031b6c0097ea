"""The source `files` through the workflow: boxes of the tiny run from arrays, to its spectra."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
import yaml

from lagbias.artefacts import store
from lagbias.bias.spectra import Spectra
from lagbias.sources.base import Halos, LinearDensity, Particles

pytestmark = pytest.mark.workflow

SPECTRA = "results/{run}/spectra/box0/threshold/1Rf/full/on_box1.h5"
TARGET = SPECTRA.format(run="own")
CHOSEN = {"train": ["box0"], "validation": ["box1"]}


def write_box(source, target):
    """Write the arrays of a box's artefacts; return their names for the configuration."""
    delta, particles, halos = (
        store.read(source / f"{name}.h5", kind)
        for name, kind in (
            ("linear_density", LinearDensity),
            ("particles", Particles),
            ("halos", Halos),
        )
    )
    target.mkdir(parents=True)
    np.save(target / "delta.npy", delta.delta)
    with h5py.File(target / "particles.h5", "w") as file:
        file["position"], file["node"] = particles.position, particles.lagrangian_site
    np.savez(target / "halos.npz", x=halos.position, m=halos.mass, n=halos.particles)
    return particles.attributes, {
        "linear_density": f"{target}/delta.npy",
        "positions": f"{target}/particles.h5:position",
        "lagrangian_index": f"{target}/particles.h5:node",
        "halos": {
            "positions": f"{target}/halos.npz:x",
            "masses": f"{target}/halos.npz:m",
            "particles": f"{target}/halos.npz:n",
        },
    }


@pytest.fixture(scope="module")
def run(shared_checkout):
    """A checkout with spectra of the tiny run, and of its boxes written to arrays."""
    made = shared_checkout("files")
    made.snakemake("--", SPECTRA.format(run="tiny"))
    boxes = {}
    for name in ("box0", "box1"):
        known, boxes[name] = write_box(
            made.root / "results/tiny/boxes" / name, made.root / "arrays" / name
        )
    files = {
        "box_size": known["box_size"],
        "particles_per_side": known["n_grid"],
        "density_grid": known["n_grid"],
        "min_halo_particles": known["min_halo_particles"],
        "halo_finder": "catalogue",
        "boxes": boxes,
        **{key: known[key] for key in ("redshift", "omega_m", "growth", "particle_mass")},
    }
    tiny = yaml.safe_load((made.root / "config/tiny.yaml").read_text())
    (made.root / "own.yaml").write_text(
        yaml.safe_dump(tiny | {"run": "own", "source": "files", "files": files, "boxes": CHOSEN})
    )
    made = replace(made, configfile="own.yaml")
    made.snakemake("--", TARGET)
    return made


def test_spectra_from_arrays_are_those_of_the_embedded_run(run):
    found = store.read(run.root / TARGET, Spectra)
    expected = store.read(run.root / SPECTRA.format(run="tiny"), Spectra)
    for name in ("k", "halo_power", "model_power", "cross_power", "average_model_power"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_a_box_is_read_again_when_its_files_or_keys_change(run, tmp_path):
    assert run.plan("--", TARGET) == {}
    settings = yaml.safe_load((run.root / "own.yaml").read_text())
    settings["files"]["boxes"]["box1"]["halos"].pop("particles")
    other = replace(run, configfile=str(tmp_path / "other.yaml"))
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(settings))
    assert other.plan("--", TARGET)["read_source"] == 1
    halos = run.root / "arrays/box0/halos.npz"
    arrays = dict(np.load(halos))
    np.savez(halos, **{name: values[:-1] for name, values in arrays.items()})
    assert other.plan("--", TARGET)["read_source"] == 2


def test_what_is_wrong_with_files_is_said_in_plain_words(run):
    target = TARGET.replace("/own/", "/shifted/")
    text = run.snakemake(
        "--config", "run=shifted", "files={'origin': 40.0}", "--", target, check=False
    )
    assert "read_source failed. Coordinates in" in text and "Set origin to 0." in text
    assert "Traceback" not in text
