"""Artefacts that are whole but hold something else: what is read fits, or the file is named."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, event, given, settings
from hypothesis import strategies as st

from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store
from lagbias.artefacts.store import ArtefactError
from lagbias.bias.ensemble import load_ensemble
from lagbias.features.inputs import load_input_matrix

pytestmark = [pytest.mark.timeout(6 * 3600), pytest.mark.usefixtures("bounded_memory")]
reusing_fixtures = settings(
    suppress_health_check=list(HealthCheck), phases=set(Phase) - {Phase.explain}
)


def network() -> tuple[dict, dict]:
    rng = np.random.default_rng(0)
    sizes = [5, 4, 4, 1]
    arrays = {f"history.{name}": rng.uniform(size=3) for name in ("loss_per_cell", "mean_f")}
    for i in range(3):
        arrays[f"weights.layers.{i}.weight"] = rng.normal(size=sizes[i : i + 2][::-1]).astype("f4")
        arrays[f"weights.layers.{i}.bias"] = rng.normal(size=sizes[i + 1]).astype("f4")
    return arrays, {"normalisation": 1.5, "seed": 3}


def whitening() -> tuple[dict, dict]:
    return {
        "smoothing_radii": np.array([1.0, 2.0]),
        "eigenvectors": np.eye(6),
        "eigenvalues": np.arange(6, 0, -1.0),
        "kept": np.array([0, 1, 2, 4, 5]),
        "covariance": np.eye(6),
    }, {}


def gradient_pca() -> tuple[dict, dict]:
    return {
        "smoothing_radii": np.array([1.0, 2.0]),
        "eigenvalues": np.ones(5),
        "directions": np.eye(5),
        "matrix": np.ones((5, 6)),
        "centred_eigenvalues": np.ones(5),
        "components": np.ones((9, 4), "f4"),
        "f": np.ones(9, "f4"),
    }, {}


def least_squares() -> tuple[dict, dict]:
    return {
        "delta_edges": np.arange(4.0),
        "lap_delta_edges": np.tile(np.arange(3.0), (3, 1)),
        "f": np.ones((2, 3, 2)),
        "share": np.ones((3, 2)),
        "seeds": np.array([0, 1]),
    }, {}


def slab() -> tuple[dict, dict]:
    arrays = {"origin": np.ones((7, 2), "f4"), "position": np.ones((7, 2), "f4")}
    arrays |= {"f": np.ones(7, "f4"), "delta": np.ones(7, "f4")}
    arrays |= {name: np.ones((4, 4), "f4") for name in ("initial_delta", "model_map", "halo_map")}
    return arrays, {"region_size": 1.0, "layer_thickness": 1.0, "depth": 1.0, "rf": 2.0}


def features() -> tuple[dict, dict]:
    return {name: np.ones((3, 3, 3), "f4") for name in ("delta", "lap_delta", "g2")}, {}


def use_network(path):
    ensemble, seeds = load_ensemble([path], device="cpu")
    assert seeds == [3] or isinstance(seeds[0], int)
    return ensemble.f(np.zeros((2, ensemble.n_inputs), np.float32))


#: What makes a good file of each kind, and what is done with it.
KINDS = {
    "network": (network, use_network),
    "whitening": (whitening, lambda path: load_input_matrix("full", path)),
    "gradient_pca": (
        gradient_pca,
        lambda path: (artefacts.gradient_pca_of(path), artefacts.component_sample_of(path)),
    ),
    "least_squares": (least_squares, artefacts.binned_bias_of),
    "slab": (slab, artefacts.slab_of),
    "features": (features, lambda path: list(artefacts.feature_columns([path]))),
}
VALUES = [0, -1, 7, 1.5, np.nan, np.inf, -np.inf, 1e30, True, "", "x", [1, 2], 2**62]


def write(path, kind, arrays, attributes) -> None:
    """Write an artefact by the store's own means, whatever it is."""
    anything = {"finite": False} if "finite" in {f.name for f in fields(store.Dataset)} else {}
    datasets = {
        name: store.Dataset(values, "1", tuple(f"axis{i}" for i in range(values.ndim)), **anything)
        for name, values in arrays.items()
    }
    store.write(path, kind, datasets, attributes=attributes)


@st.composite
def spoiled(draw, kind):
    """Return the arrays and attributes of a kind of file, with one or two things changed."""
    arrays, attributes = KINDS[kind][0]()
    for _ in range(draw(st.integers(1, 2))):
        deed = draw(
            st.sampled_from(["lack", "more", "shape", "shape", "type", "value", "attribute"])
        )
        name = draw(st.sampled_from(sorted(arrays)))
        values = np.atleast_1d(arrays[name])
        if deed == "lack" and len(arrays) > 1:
            del arrays[name]
        elif deed == "more":
            more = ["weights", "weights.layers.9.bias", "weights.layers.0.x", "history", "x", "."]
            arrays[draw(st.sampled_from(more))] = values
        elif deed == "shape":
            shapes = [
                values[:0],
                values[:-1],
                values[None],
                values.ravel(),
                values[..., :1],
                values.T,
            ]
            arrays[name] = draw(st.sampled_from([*shapes, np.concatenate([values, values])]))
        elif deed == "type":
            kinds = ["f4", "f8", "i4", "u1", "?", "S3", ">f8", "c16"]
            arrays[name] = values.astype(draw(st.sampled_from(kinds)))
        elif deed == "value" and values.size and values.dtype.kind in "fi":
            choice = [0, -1, 100] if values.dtype.kind == "i" else [np.nan, -1.0, 0.0, 1e30]
            arrays[name] = values.copy()
            at = draw(st.integers(0, values.size - 1))
            arrays[name].flat[at] = draw(st.sampled_from(choice))
        elif deed == "attribute" and attributes:
            key = draw(st.sampled_from(sorted(attributes)))
            attributes[key] = draw(st.sampled_from(VALUES))
    return arrays, attributes


@given(data=st.data(), kind=st.sampled_from(sorted(KINDS)))
@reusing_fixtures
def test_what_is_read_back_fits_or_the_file_is_named(data, kind, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "artefact.h5"
    with np.errstate(all="ignore"):
        try:
            arrays, attributes = data.draw(spoiled(kind))
            write(path, kind, arrays, attributes)
        except (ArtefactError, ValueError, TypeError, np.exceptions.ComplexWarning):
            assume(False)  # not even the store takes it
        try:
            KINDS[kind][1](path)
        except ArtefactError as error:
            event("refused")
            assert str(path) in str(error)
        else:
            event("used")


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_file_is_used(kind, tmp_path):
    write(tmp_path / "good.h5", kind, *KINDS[kind][0]())
    KINDS[kind][1](tmp_path / "good.h5")


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("network", {"weights.layers.1.weight": np.ones((3, 4), "f4")}, "weights.layers.1.weight"),
        ("network", {"more": np.ones(2)}, "its datasets"),
        ("whitening", {"kept": np.array([0, 9])}, "its kept, from 0 to 9"),
        ("least_squares", {"share": np.ones((2, 2))}, "its share, float64 of shape (2, 2)"),
        ("slab", {"origin": np.ones((7, 3))}, "its origin"),
        ("features", {"g2": np.ones((3, 3, 2))}, "its g2"),
    ],
)
def test_what_does_not_fit_is_named(kind, change, words, tmp_path):
    arrays, attributes = KINDS[kind][0]()
    write(tmp_path / "bad.h5", kind, arrays | change, attributes)
    with pytest.raises(ArtefactError) as caught:
        KINDS[kind][1](tmp_path / "bad.h5")
    assert words in str(caught.value) and "delete it" in str(caught.value)
