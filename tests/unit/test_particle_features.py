"""lagbias.stages.make_features and particle_features: features of particles, written and read."""

import numpy as np
import pytest

from lagbias.artefacts import store
from lagbias.features.grids import feature_grids, values_at_sites
from lagbias.features.particles import ParticleFeatures
from lagbias.sources.base import LinearDensity, Particles
from lagbias.stages import make_features as stage
from lagbias.stages.particle_features import count_particles, load_features

N, BOX_SIZE, RADII, P = 8, 80.0, (12.0, 20.0), 200


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Density, sites and feature files of two radii, and the six columns of the particles."""
    folder, rng = tmp_path_factory.mktemp("features"), np.random.default_rng(3)
    attributes = {"box_size": BOX_SIZE, "n_grid": N}
    density = LinearDensity(
        delta=rng.standard_normal((N, N, N), dtype=np.float32), attributes=attributes
    )
    sites = np.sort(rng.integers(0, N**3, P)).astype(np.int32)
    particles = Particles(
        lagrangian_site=sites, position=np.zeros((P, 3), np.float32), attributes=attributes
    )
    inputs = folder / "linear_density.h5", folder / "particles.h5"
    for path, thing in zip(inputs, (density, particles), strict=True):
        store.write(path, thing)
    paths, columns = [], []
    for rf in RADII:
        paths.append(folder / f"rf{rf}.h5")
        store.write(paths[-1], stage.make_features(*inputs, rf=rf, threads=1))
        grids = feature_grids(density.delta, BOX_SIZE, rf)
        columns += [grids.delta, grids.lap_delta, grids.g2]
    return inputs, paths, values_at_sites(columns, sites)


def test_particles_have_the_features_of_their_sites(made, monkeypatch):
    inputs, paths, expected = made
    assert count_particles(paths) == P
    np.testing.assert_array_equal(load_features(paths, slice(None)), expected)
    monkeypatch.setattr(stage, "_CHUNK", 7)
    in_parts = stage.make_features(*inputs, rf=RADII[1], threads=1)
    whole = store.read(paths[1], ParticleFeatures)
    for name in ("delta", "lap_delta", "g2", "mean", "sigma"):
        np.testing.assert_array_equal(getattr(in_parts, name), getattr(whole, name))
    assert (whole.box_size, whole.rf) == (BOX_SIZE, RADII[1])


@pytest.mark.parametrize(
    "rows",
    [slice(0, 50), slice(70, 71), slice(60, 60), [0, 199, 70, 70], [130, 131, 180], [199], []],
)
@pytest.mark.parametrize("columns", [None, 2])
def test_rows_are_those_of_the_particles(made, rows, columns):
    _, paths, expected = made
    rows = rows if isinstance(rows, slice) else np.array(rows, np.int64)
    found = load_features(paths, rows, columns=columns)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected[rows, :columns])


@pytest.mark.parametrize("rows", [slice(30, 40), np.array([39, 30, 35])])
def test_nothing_is_read_before_the_first_row_and_after_the_last(made, rows, monkeypatch):
    read, spans = store.read_array, []

    def recorded(path, kind, name, *, rows):
        spans.append((rows.start, rows.stop))
        return read(path, kind, name, rows=rows)

    monkeypatch.setattr(store, "read_array", recorded)
    load_features(made[1], rows)
    assert spans == [(30, 40)] * 6


@pytest.mark.parametrize("site", [-1, N**3])
def test_sites_off_the_grid_are_refused(made, site, tmp_path):
    (density, particles), _, _ = made
    found = store.read(particles, Particles)
    found.lagrangian_site[0 if site < 0 else -1] = site
    store.write(tmp_path / "particles.h5", found)
    with pytest.raises(ValueError, match="sites run from"):
        stage.make_features(density, tmp_path / "particles.h5", rf=12.0, threads=1)
