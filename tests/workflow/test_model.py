"""The library's own functions give what the workflow has made."""

import json
import subprocess
import sys

import numpy as np
import pytest

import lagbias
from lagbias.artefacts import store
from lagbias.bias.spectra import Spectra
from lagbias.grids.halo_field import HaloFields, select
from lagbias.sources.base import Halos, LinearDensity, Particles

pytestmark = pytest.mark.workflow

#: Particles are painted in the same order, but fields are summed in one pass: rounding only.
ROUNDING = 1e-6


@pytest.fixture(scope="module")
def run(finished):
    return finished.root / "results" / "tiny"


def arrays(run, box):
    """Arrays of a box under the names of the arguments of `lagbias.fit`."""
    parts = {
        name: store.read(run / "boxes" / box / f"{name}.h5", kind)
        for name, kind in (
            ("linear_density", LinearDensity),
            ("particles", Particles),
            ("halos", Halos),
        )
    }
    halos = parts["halos"]
    chosen = select(halos.particles, halos.mass, min_particles=15)
    return {
        "linear_density": parts["linear_density"].delta,
        "positions": parts["particles"].position,
        "lagrangian_index": parts["particles"].lagrangian_site,
        "halo_positions": halos.position[chosen],
        "halo_masses": halos.mass[chosen],
    }


@pytest.mark.parametrize("ensemble", ["3Rf/full", "3Rf/pc2", "1Rf/density"])
def test_a_loaded_ensemble_has_the_power_of_the_run(run, ensemble):
    model = lagbias.load(run / "networks" / "box0" / "threshold" / ensemble)
    box = arrays(run, "box1")
    expected = store.read(run / "spectra" / "box0" / "threshold" / ensemble / "on_box1.h5", Spectra)
    halo_fields = store.read(run / "halo_fields" / "box1" / "threshold.h5", HaloFields)
    found = model.halo_power(
        box["linear_density"],
        box["positions"],
        box["lagrangian_index"],
        box_size=80.0,
        grid=48,
        halo_overdensity=halo_fields.evaluation,
    )
    for name in ("model_power", "cross_power", "average_model_power", "mean_f"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=ROUNDING)
    assert np.array_equal(found.seeds, expected.seeds)
    (measured,) = [row for row in model.about["measured"] if row["box"] == "box1"]
    assert measured["ratio"] == pytest.approx(found.mean_ratio(), rel=ROUNDING)


FIT = """
import json, sys
import numpy as np
import lagbias

train, validation = (dict(np.load(path)) for path in sys.argv[1:3])
given = {"box_size": 80.0, "seeds": [0, 1], "threads": 1, **json.loads(sys.argv[3])}
model = lagbias.fit(**train, validation=validation, **given)
model.save(sys.argv[4])
"""


def test_fit_trains_the_networks_of_the_run(run, tmp_path):
    """In a process of its own, with the run's plans of FFTW: those of a process stay in it."""
    expected = lagbias.load(run / "networks" / "box0" / "threshold" / "3Rf" / "full")
    for box in ("box0", "box1"):
        np.savez(tmp_path / f"{box}.npz", **arrays(run, box))
    settings = json.dumps(expected.about["training"])
    given = [tmp_path / "box0.npz", tmp_path / "box1.npz", settings, tmp_path / "fit.safetensors"]
    subprocess.run([sys.executable, "-c", FIT, *map(str, given)], check=True)
    found = lagbias.load(given[-1])
    assert np.array_equal(found.input_matrix, expected.input_matrix)
    for one, other in zip(found.networks, expected.networks, strict=True):
        assert one.seed == other.seed
        assert one.normalisation == other.normalisation
        for name, values in other.weights.items():
            assert np.array_equal(one.weights[name], values), name


def test_a_directory_without_networks_is_refused(run):
    with pytest.raises(store.ArtefactError, match="holds no networks"):
        lagbias.load(run / "networks")
