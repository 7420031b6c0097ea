"""What is packed into artefacts is read back as it was."""

from types import SimpleNamespace

import numpy as np

from lagbias import artefacts, store


def test_whitening_round_trip(tmp_path):
    fitted = SimpleNamespace(
        smoothing_radii=np.array([2.83]),
        eigenvectors=np.eye(3),
        eigenvalues=np.array([1.6, 0.4, 1.0]),
        kept=np.array([0, 1, 2]),
    )
    store.write(tmp_path / "w.h5", "whitening", artefacts.whitening(fitted))
    read = artefacts.whitening_of(tmp_path / "w.h5")
    assert set(read) == set(vars(fitted))
    for name, value in read.items():
        np.testing.assert_array_equal(value, getattr(fitted, name))


def test_networks_round_trip(tmp_path):
    paths = []
    for seed in (3, 7):
        trained = SimpleNamespace(
            weights={"layers.0.weight": np.full((2, 3), seed), "layers.0.bias": np.zeros(2)},
            history={"loss_per_cell": [2.0, 1.0]},
        )
        paths.append(tmp_path / f"{seed}.h5")
        attributes = {"seed": seed, "normalisation": 1.5}
        store.write(paths[-1], "network", artefacts.trained_network(trained), attributes=attributes)
    networks, seeds = artefacts.networks(paths)
    assert seeds == [3, 7]
    assert networks[1]["normalisation"] == 1.5
    np.testing.assert_array_equal(networks[1]["weights"]["layers.0.weight"], np.full((2, 3), 7))
    np.testing.assert_array_equal(networks[0]["history"]["loss_per_cell"], [2.0, 1.0])


def test_feature_columns_keep_the_order_of_the_feature_vector(tmp_path):
    paths = []
    for radius in (1, 2):
        grids = SimpleNamespace(mean=np.zeros(3), sigma=np.ones(3))
        for offset, name in enumerate(("delta", "lap_delta", "g2")):
            setattr(grids, name, np.full((2, 2, 2), 10 * radius + offset, np.float32))
        paths.append(tmp_path / f"rf{radius}.h5")
        store.write(paths[-1], "features", artefacts.features(grids))
    columns = [grid[0, 0, 0] for grid in artefacts.feature_columns(paths)]
    assert columns == [10, 11, 12, 20, 21, 22]
