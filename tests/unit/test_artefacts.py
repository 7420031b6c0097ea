"""What is packed into artefacts is read back as it was."""

from types import SimpleNamespace

import numpy as np

from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store


def test_whitening_round_trip(tmp_path):
    fitted = SimpleNamespace(
        smoothing_radii=np.array([2.83]),
        eigenvectors=np.eye(3),
        eigenvalues=np.array([1.6, 0.4, 1.0]),
        kept=np.array([0, 1, 2]),
        covariance=np.diag([1.6, 0.4, 1.0]),
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
            weights={
                "layers.0.weight": np.full((2, 3), seed, np.float32),
                "layers.0.bias": np.zeros(2),
                "layers.1.weight": np.zeros((1, 2)),
                "layers.1.bias": np.zeros(1),
            },
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


def assert_round_trip(read, expected):
    assert set(read) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(read[name], value, err_msg=name)


def test_gradient_pca_round_trip(tmp_path):
    rng = np.random.default_rng(0)
    shapes = {"eigenvalues": 3, "directions": (3, 3), "matrix": (3, 3), "centred_eigenvalues": 3}
    pca = SimpleNamespace(**{name: rng.normal(size=shape) for name, shape in shapes.items()})
    pca.smoothing_radii = np.array([2.83])
    sample = {"components": rng.normal(size=(5, 3)), "f": rng.random(5)}
    path = tmp_path / "p.h5"
    store.write(path, "gradient_pca", artefacts.gradient_pca(pca, **sample))
    assert_round_trip(artefacts.gradient_pca_of(path), vars(pca))
    assert_round_trip(artefacts.component_sample_of(path), sample)


def test_binned_bias_round_trip(tmp_path):
    bins = {"delta_edges": np.arange(4.0), "lap_delta_edges": np.arange(9.0).reshape(3, 3)}
    tables = {"f": np.arange(12.0).reshape(2, 3, 2), "share": np.full((3, 2), 1 / 6)}
    packed = artefacts.binned_bias(SimpleNamespace(**bins), **tables, seeds=[4, 5])
    store.write(tmp_path / "b.h5", "binned_f", packed)
    read = artefacts.binned_bias_of(tmp_path / "b.h5", kind="binned_f")
    assert_round_trip(read, {**bins, **tables, "seeds": [4, 5]})


def test_slab_round_trip(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"origin": (4, 2), "position": (4, 2), "f": 4, "delta": 4}
    arrays |= dict.fromkeys(("initial_delta", "model_map", "halo_map"), (3, 3))
    arrays = {name: rng.normal(size=shape) for name, shape in arrays.items()}
    lengths = {"region_size": 60.0, "layer_thickness": 2.0, "depth": 10.0, "rf": 2.83}
    packed = artefacts.slab(SimpleNamespace(**arrays))
    store.write(tmp_path / "s.h5", "slab", packed, attributes=lengths)
    assert_round_trip(artefacts.slab_of(tmp_path / "s.h5"), {**arrays, **lengths})
