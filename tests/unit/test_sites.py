"""lagbias.stages.sites: reading of features at Lagrangian sites."""

import numpy as np
import pytest

from lagbias.artefacts import store
from lagbias.features.grids import FeatureGrids, values_at_sites
from lagbias.stages.sites import load_at_sites

N = 8


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Feature artefacts of two radii, and their six grids in the order of the columns."""
    rng = np.random.default_rng(3)
    paths, columns = [], []
    for rf in (1.0, 2.0):
        delta, lap_delta, g2 = rng.standard_normal((3, N, N, N), dtype=np.float32)
        path = tmp_path_factory.mktemp("features") / f"rf{rf}.h5"
        made = FeatureGrids(
            delta=delta,
            lap_delta=lap_delta,
            g2=g2,
            mean=np.zeros(3),
            sigma=np.ones(3),
            box_size=80.0,
            rf=rf,
        )
        store.write(path, made)
        paths.append(path)
        columns += [delta, lap_delta, g2]
    return paths, columns


@pytest.mark.parametrize("sites", [[0, 511, 70, 70], [130, 131, 200], [511], []])
@pytest.mark.parametrize("columns", [None, 2])
def test_features_are_those_of_the_grids(written, sites, columns):
    paths, grids = written
    sites = np.array(sites, np.int32)
    found = load_at_sites(paths, sites, columns=columns)
    np.testing.assert_array_equal(found, values_at_sites(grids[:columns], sites))


def test_only_planes_with_sites_are_read(written, monkeypatch):
    read, planes = store.read_array, set()

    def recorded(path, kind, name, *, rows):
        planes.add((rows.start, rows.stop))
        return read(path, kind, name, rows=rows)

    monkeypatch.setattr(store, "read_array", recorded)
    load_at_sites(written[0], np.array([3 * N**2, 5 * N**2 - 1]))
    assert planes == {(3, 5)}


@pytest.mark.parametrize("sites", [[-1, 3], [3, N**3]])
def test_sites_off_the_grid_are_refused(written, sites):
    with pytest.raises(ValueError, match="sites run from"):
        load_at_sites(written[0], np.array(sites))
