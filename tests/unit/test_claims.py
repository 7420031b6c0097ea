"""Claims: a made-up universe in which the paper is right, and changes that prove it wrong."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import gamma

from lagbias import claims
from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store
from lagbias.claims import base
from lagbias.claims.base import FAILS, HOLDS, UNTESTED
from lagbias.claims.evidence import EIGENVALUE_CUT
from lagbias.features import whitening

RADII = {
    "1Rf": [2.83],
    "3Rf": [1.41, 2.83, 5.66],
    "3Rf+11.3": [1.41, 2.83, 5.66, 11.3],
    "3Rf_coarse": [1.0, 2.83, 8.0],
    "3Rf_fine": [2.0, 2.83, 4.0],
    "5Rf_fine": [1.41, 2.0, 2.83, 4.0, 5.66],
    "thin": [1.0, 2.0, 4.0],
}
ROLES = {
    "run": "paper",
    "train_boxes": ["box0", "box2", "box3", "box4"],
    "validation_boxes": ["box1", "box2", "box3", "box4"],
    "sample": "threshold",
    "thin_samples": ["thin_low", "thin_high"],
    "single_scale": "1Rf",
    "multi_scale": "3Rf",
    "coarse": ["3Rf", "3Rf_coarse", "3Rf+11.3"],
    "fine": ["3Rf_fine", "5Rf_fine"],
    "retrained": ["3Rf", "3Rf_fine", "5Rf_fine", "3Rf+11.3"],
    "components": ["1Rf", "3Rf", "5Rf_fine"],
    "nested": ["3Rf_fine"],
    "thin": "thin",
    "epochs": 50,
    "cell_size": 5.0,
    "constraint": "normalise",
}
ALL = [f"C{number:02d}" for number in range(1, 45)]
# Low-k deficit of the average f's power and spread of the networks, by set and inputs; roughly
# the paper's.
POWER = {
    ("1Rf", "full"): (0.065, 0.005),
    ("1Rf", "density"): (0.055, 0.01),
    ("1Rf", "least_squares"): (0.054, 0.0005),
    ("3Rf", "full"): (0.003, 0.015),
    ("3Rf", "pc2"): (0.004, 0.01),
    ("3Rf_coarse", "full"): (0.006, 0.012),
    ("3Rf+11.3", "full"): (0.035, 0.012),
    ("3Rf+11.3", "pc2"): (0.015, 0.01),
    ("3Rf_fine", "full"): (0.025, 0.012),
    ("3Rf_fine", "pc2"): (0.024, 0.01),
    ("3Rf_fine", "nested"): (0.027, 0.01),
    ("5Rf_fine", "full"): (0.025, 0.012),
    ("5Rf_fine", "pc2"): (0.004, 0.01),
}
LOSS = {"1Rf": 10.8, "3Rf+11.3": 10.02, "3Rf_coarse": 10.03, "3Rf_fine": 10.01}
# Orders of five networks by power and by loss, with no rank correlation between them.
BY_POWER, BY_LOSS = np.array([0, -2, 2, -1, 1]) / 4, np.array([-1, 1, 2, 0, -2]) / 4
# Coefficients of δ, ∇²δ and G2 in PC0.
FIRST = {
    "1Rf": [[0.532], [-0.563], [-0.097]],
    "3Rf": [[0.3, 0.2, 0.1], [-0.5, -0.1, -0.05], [-0.55, 0.45, -0.08]],
    "5Rf_fine": [[0.27, 0.25, 0.21, 0.2, 0.11], [-0.4, -0.3, 0, 0, 0], [0.1, -0.2, 0.6, -0.5, 0.1]],
}
EPOCHS = np.arange(1, 51)
PARTICLES = 40_000


class Universe:
    """Artefacts in memory, and in a folder as they were at first."""

    def __init__(self):
        self.files, self.dirty, self.folder = {}, set(), None

    def add(self, path, kind, arrays, **attributes):
        self.files[path] = SimpleNamespace(kind=kind, arrays=arrays, attributes=attributes)
        self.dirty.add(path)

    def edit(self, kind, **wanted):
        """Return the artefacts of a kind with some attributes, to be changed in place."""
        paths = self._paths(kind, wanted)
        for path in paths:
            self.files[path] = copy.deepcopy(self.files[path])
        self.dirty.update(paths)
        return [self.files[path] for path in paths]

    def remove(self, kind, **wanted):
        for path in self._paths(kind, wanted):
            del self.files[path]

    def _paths(self, kind, wanted):
        found = [
            path
            for path, file in self.files.items()
            if file.kind == kind and wanted.items() <= file.attributes.items()
        ]
        assert found, f"the universe has no {kind} with {wanted}"
        return found

    def write(self, folder):
        """Write what was changed, and return where everything stands."""
        paths = []
        for path, file in self.files.items():
            place = (folder if path in self.dirty else self.folder) / path
            if path in self.dirty:
                packed = PACK[file.kind](file.arrays)
                store.write(place, file.kind, packed, attributes=file.attributes)
            paths.append(place)
        return paths

    def copy(self):
        other = copy.copy(self)
        other.files, other.dirty = dict(self.files), set()
        return other


PACK = {
    "spectra": artefacts.spectra,
    "network": lambda a: artefacts.trained_network(SimpleNamespace(weights={}, history=a)),
    "whitening": lambda a: artefacts.whitening(SimpleNamespace(**a)),
    "halo_fields": lambda a: artefacts.halo_fields(**a),
    "model_field": lambda a: artefacts.model_field(**a),
    "least_squares": lambda a: _binned(**a),
    "binned_f": lambda a: _binned(**a),
    "gradient_pca": lambda a: artefacts.gradient_pca(
        SimpleNamespace(**{name: a[name] for name in a if name not in ("components", "f")}),
        a["components"],
        a["f"],
    ),
}


def _binned(delta_edges, lap_delta_edges, f, share):
    bins = SimpleNamespace(delta_edges=delta_edges, lap_delta_edges=lap_delta_edges)
    return artefacts.binned_bias(bins, f, share, range(len(f)))


def toy_spectra(smoothing_set, inputs, offset=0.0):
    deficit, spread = POWER[smoothing_set, inputs]
    k = np.arange(1, 129) * 2 * np.pi / 500
    ratio = 1 + offset - deficit * np.exp(-((k / 0.15) ** 4))
    ratio += (0.1 if smoothing_set == "1Rf" else 0.06) * np.exp(-((np.log(k / 0.4) / 0.5) ** 2))
    ratio -= 0.15 * k**6 / (1 + k**6)
    if smoothing_set == "3Rf+11.3" and inputs == "full":
        ratio -= 0.015 * np.exp(-((k / 0.03) ** 2))
    halo = 3e4 / (1 + (k / 0.05) ** 1.4)
    model = ratio * (1 + spread * BY_POWER[:, None]) * halo
    correlation = np.sqrt(1 - 0.001 * (1 + k**2))
    return {
        "k": k,
        "n_modes": np.round(4 * np.pi * np.arange(1, 129) ** 2),
        "halo_power": halo,
        "model_power": model,
        "cross_power": correlation * np.sqrt(model * halo),
        "average_model_power": ratio * halo,
        "average_cross_power": correlation * np.sqrt(ratio) * halo,
        "mean_f": 1 + 0.004 * BY_POWER,
        "average_mean_f": np.array([1.0]),
        "seeds": np.arange(5),
    }


def toy_covariance(radii):
    """Features of a Gaussian field with P ∝ k^-2: δ and ∇²δ closed forms, G2 by the square law."""
    radii = np.array(radii)
    s = np.sqrt(0.5 * (radii[:, None] ** 2 + radii**2))
    blocks = {
        (i, j): (-1) ** (i + j) * gamma(0.5 + i + j) / s ** (1 + 2 * (i + j))
        for i in (0, 1)
        for j in (0, 1)
    }
    covariance = np.zeros((3 * len(radii), 3 * len(radii)))
    for (i, j), block in blocks.items():
        scale = np.sqrt(np.outer(np.diag(blocks[i, i]), np.diag(blocks[j, j])))
        covariance[i::3, j::3] = block / scale
    covariance[2::3, 2::3] = covariance[::3, ::3] ** 2
    return covariance


def toy_components(smoothing_set, sample):
    rng = np.random.default_rng(1)
    n = len(RADII[smoothing_set])
    start = rng.normal(size=(2 * n + 1, 2 * n + 1))
    start[:, :2] = np.where(rng.random((2 * n + 1, 2)) < 0.5, -1, 1)
    start[n + 1 :, :2] /= 2.5
    matrix = np.zeros((2 * n + 1, 3 * n))
    matrix[0] = np.transpose(FIRST.get(smoothing_set, np.ones((3, n)))).ravel()
    components = rng.uniform(-1, 1, (PARTICLES, 3)) * [4, 3, 3]
    x, y, z = components.T
    if sample == "threshold":
        f = np.logaddexp(0, 4 * (x - 0.3)) * (1 + 0.25 * y + 0.02 * z)
    else:
        f = np.exp(-0.5 * ((x - {"thin_low": 0.5, "thin_high": 1.5}[sample] - 0.2 * y) / 0.6) ** 2)
    eigenvalues = np.array([1, 1 / 3, 1 / 4] + [0.05] * (2 * n - 2))
    return {
        "smoothing_radii": np.array(RADII[smoothing_set]),
        "eigenvalues": eigenvalues,
        "directions": np.linalg.qr(start)[0],
        "matrix": matrix,
        "centred_eigenvalues": eigenvalues,
        "components": components.astype(np.float32),
        "f": f.astype(np.float32),
    }


def toy_tables(noise, factor):
    rng = np.random.default_rng(2)
    edges = np.linspace(-4, 5, 41)
    centre = 0.5 * (edges[1:] + edges[:-1])
    f = factor * np.logaddexp(0, 3 * (centre - 0.5))[:, None] * np.linspace(0.8, 1.2, 5)
    f = f + noise * (centre > 2)[:, None] * rng.normal(size=f.shape)
    weight = np.exp(-0.5 * centre**2)
    return {
        "delta_edges": edges,
        "lap_delta_edges": np.tile(np.linspace(-3, 3, 6), (40, 1)),
        "f": np.array([f * (1 + 0.001 * seed) for seed in range(-2, 3)]),
        "share": np.outer(weight / weight.sum(), [0.05, 0.3, 0.3, 0.3, 0.05]),
    }


def add_spectra(universe, name, inputs, train="box0", target="box1", offset=0.0):
    where = {"train_box": train, "sample": "threshold", "smoothing_set": name, "inputs": inputs}
    path = f"spectra/{train}/threshold/{name}/{inputs}/on_{target}.h5"
    arrays = toy_spectra(name, inputs, offset)
    universe.add(path, "spectra", arrays, target_box=target, **where)


def add_networks(universe, name, inputs):
    level = LOSS.get(name, 10.0) * (1.002 if inputs == "pc2" else 1.0)
    for seed in range(5):
        loss = level * (1 + 0.5 * np.exp(-EPOCHS / 4)) * (1 + 0.002 * BY_LOSS[seed])
        universe.add(
            f"networks/box0/threshold/{name}/{inputs}/seed{seed}.h5",
            "network",
            {"loss_per_cell": loss, "validation_loss_per_cell": 1.01 * loss},
            **{"train_box": "box0", "sample": "threshold", "smoothing_set": name},
            **{"inputs": inputs, "seed": seed, "normalisation": 1.0, "n_cells": 1000},
            **{"occupied_cells": 1000, "smallest_draw": 2},
        )


def add_fields(universe):
    rng = np.random.default_rng(3)
    halos = rng.normal(size=(16, 16, 16))
    masses = {
        "threshold": (2.4e13, 3.16e11),
        "thin_low": (5.2e11, 3.16e11),
        "thin_high": (6.2e12, 2e12),
    }
    for box in ("box0", "box1"):
        for sample, (mean, lowest) in masses.items():
            universe.add(
                f"halo_fields/{box}/{sample}.h5",
                "halo_fields",
                {"training": halos, "evaluation": np.zeros((2, 2, 2))},
                **{"box": box, "sample": sample, "mean_mass": mean, "min_mass": lowest},
            )
    for name in ROLES["coarse"]:
        universe.add(
            f"model_fields/box0/threshold/{name}/full/on_box1.h5",
            "model_field",
            {"overdensity": halos + 0.3 * rng.normal(size=halos.shape)},
            **{"train_box": "box0", "sample": "threshold", "smoothing_set": name},
            **{"inputs": "full", "target_box": "box1"},
        )


def add_components(universe):
    pairs = [(name, "threshold") for name in RADII if name != "thin"]
    for name, sample in [*pairs, ("thin", "thin_low"), ("thin", "thin_high")]:
        universe.add(
            f"gradient_pca/box0/{sample}/{name}.h5",
            "gradient_pca",
            toy_components(name, sample),
            **{"train_box": "box0", "sample": sample, "smoothing_set": name},
        )
    for name, radii in RADII.items():
        universe.add(
            f"whitening/box0/{name}.h5",
            "whitening",
            vars(whitening.decompose(toy_covariance(radii), radii)),
            **{"box": "box0", "smoothing_set": name},
        )


@pytest.fixture(scope="session")
def paper(tmp_path_factory):
    """A universe in which every claim holds but the one that the workflow cannot test."""
    universe = Universe()
    for name, inputs in POWER:
        add_spectra(universe, name, inputs)
        if inputs in ("full", "pc2"):
            add_networks(universe, name, inputs)
    for name in ("1Rf", "3Rf"):
        for box, offset in (("box0", 0.0), ("box2", 0.008), ("box3", -0.01), ("box4", 0.004)):
            add_spectra(universe, name, "full", target=box, offset=offset)
    for box, offset in (("box2", 0.004), ("box3", -0.006), ("box4", 0.009)):
        add_spectra(universe, "3Rf", "full", train=box, offset=offset)
    where = {"train_box": "box0", "sample": "threshold", "smoothing_set": "1Rf"}
    universe.add("least_squares/box0.h5", "least_squares", toy_tables(0.3, 1.0), **where)
    tables = toy_tables(0.0, 1.02)
    universe.add("binned_f/box0.h5", "binned_f", tables, inputs="density", **where)
    add_fields(universe)
    add_components(universe)
    folder = tmp_path_factory.mktemp("paper")
    universe.write(folder)
    universe.folder = folder
    return universe


def check(identifier, universe, folder, **roles):
    """Test one claim on what a universe holds."""
    evidence = claims.Evidence(universe.write(folder), ROLES | roles)
    (found,) = [c for c in claims.registered() if c.claim.id == identifier]
    return base.evaluate(found, evidence)


# ---- changes that prove a claim wrong ---------------------------------------------------------


def scale_power(universe, factor, name, inputs="full", networks=True, **wanted):
    for file in universe.edit("spectra", smoothing_set=name, inputs=inputs, **wanted):
        file.arrays["average_model_power"] *= factor
        file.arrays["model_power"] *= factor if networks else 1.0


def scale_spread(universe, factor, name, inputs="full", **wanted):
    """Multiply the scatter of the networks about their mean."""
    for file in universe.edit("spectra", smoothing_set=name, inputs=inputs, **wanted):
        power = file.arrays["model_power"]
        mean = power.mean(axis=0)
        file.arrays["model_power"] = mean + factor * (power - mean)


def scale_loss(universe, factor, name, inputs="full", epochs=slice(None), histories=None):
    for file in universe.edit("network", smoothing_set=name, inputs=inputs):
        for history in histories or file.arrays:
            file.arrays[history][epochs] *= factor


def rough_networks(universe):
    (file,) = universe.edit("binned_f")
    file.arrays["f"] = file.arrays["f"] + np.where(np.arange(40) % 2, 0.3, -0.3)[:, None]


def other_f(universe):
    (file,) = universe.edit("binned_f")
    file.arrays["f"] = 1.3 * file.arrays["f"]


def uncorrelate(universe):
    for file in universe.edit("spectra", smoothing_set="3Rf", target_box="box0"):
        file.arrays["average_cross_power"] *= 0.99


def loss_follows_power(universe):
    for file in universe.edit("network", inputs="full"):
        file.arrays["loss_per_cell"][-1] *= 1 + BY_POWER[file.attributes["seed"]]


def lowest_bins(universe, factor):
    for file in universe.edit("spectra", smoothing_set="3Rf+11.3", inputs="full"):
        file.arrays["average_model_power"][:2] *= factor


def f_of(universe, name, function, sample="threshold"):
    """Replace the f of the sample of particles by a function of their components."""
    for file in universe.edit("gradient_pca", smoothing_set=name, sample=sample):
        f = function(*file.arrays["components"].T.astype(np.float64))
        file.arrays["f"] = f.astype(np.float32)


def pca_arrays(universe, name, array, function):
    for file in universe.edit("gradient_pca", smoothing_set=name, sample="threshold"):
        file.arrays[array] = function(file.arrays[array])


def coefficients(universe, name, column, values):
    for file in universe.edit("gradient_pca", smoothing_set=name):
        file.arrays["matrix"][0, column::3] = values


def residual_pattern(universe):
    for file in universe.edit("model_field", smoothing_set="3Rf"):
        file.arrays["overdensity"] = 0.5 * file.arrays["overdensity"]


def mean_f_off(universe):
    for file in universe.edit("spectra", smoothing_set="3Rf_fine", inputs="full"):
        file.arrays["mean_f"][0] = 1.03


def network_attribute(universe, **values):
    universe.edit("network", smoothing_set="3Rf")[0].attributes.update(values)


def whitening_arrays(universe, name, array, function):
    for file in universe.edit("whitening", smoothing_set=name):
        file.arrays[array] = function(file.arrays[array])


def correlate_tides(covariance):
    covariance[2, 0] = covariance[0, 2] = 0.05
    return covariance


def set_mass(universe, **values):
    for file in universe.edit("halo_fields", sample="thin_high"):
        file.attributes.update(values)


def keep(values):
    return lambda array: np.concatenate([values, array[len(values) :]])


WRONG = [
    ("C01", other_f),
    ("C02", rough_networks),
    ("C03", lambda u: scale_power(u, 0.97, "1Rf", "density")),
    ("C04", lambda u: scale_spread(u, 20, "1Rf", "least_squares")),
    ("C04", lambda u: scale_spread(u, 0.1, "1Rf", "density")),
    ("C05", lambda u: scale_power(u, 1.04, "1Rf", "least_squares")),
    ("C06", lambda u: scale_power(u, 0.97, "3Rf", target_box="box0")),
    ("C07", lambda u: scale_power(u, 1.03, "1Rf", target_box="box0")),
    ("C08", lambda u: scale_power(u, 1.08, "3Rf", target_box="box3")),
    ("C08", lambda u: scale_power(u, 1.08, "1Rf", target_box="box3")),
    ("C09", lambda u: scale_spread(u, 0.1, "3Rf")),
    ("C09", lambda u: scale_spread(u, 4, "1Rf")),
    ("C10", uncorrelate),
    ("C11", loss_follows_power),
    ("C12", lambda u: scale_power(u, 1.05, "3Rf", train_box="box3")),
    ("C13", lambda u: scale_spread(u, 3, "3Rf_coarse")),
    ("C14", lambda u: scale_power(u, 0.98, "3Rf_coarse")),
    ("C15", lambda u: lowest_bins(u, 1.04)),
    ("C15", lambda u: scale_power(u, 0.96, "3Rf")),
    ("C16", lambda u: scale_power(u, 1.02, "5Rf_fine")),
    ("C17", lambda u: scale_loss(u, 1.02, "3Rf_fine")),
    ("C18", lambda u: f_of(u, "3Rf", lambda x, y, z: np.exp(-0.5 * (x - 1.5) ** 2))),
    ("C18", lambda u: f_of(u, "3Rf", lambda x, y, z: 5 + x)),
    ("C19", lambda u: pca_arrays(u, "3Rf_coarse", "eigenvalues", keep([1, 0.9, 0.25]))),
    ("C19", lambda u: pca_arrays(u, "5Rf_fine", "eigenvalues", keep([1, 1 / 3, 1 / 9]))),
    ("C20", lambda u: f_of(u, "3Rf", lambda x, y, z: np.exp(x) * (3 + 0.2 * y + 0.4 * z))),
    ("C21", lambda u: scale_power(u, 0.98, "3Rf", "pc2")),
    ("C22", lambda u: scale_power(u, 0.985, "5Rf_fine", "pc2")),
    ("C23", lambda u: scale_power(u, 1.03, "3Rf+11.3", "pc2")),
    ("C24", lambda u: scale_loss(u, 1.03, "3Rf", "pc2", histories=["loss_per_cell"])),
    ("C24", lambda u: scale_loss(u, 0.97, "3Rf+11.3", "pc2")),
    ("C25", lambda u: coefficients(u, "1Rf", 2, [0.4])),
    ("C26", lambda u: coefficients(u, "3Rf", 2, [0.55, 0.45, 0.08])),
    ("C26", lambda u: [coefficients(u, n, 2, 0.01 * np.array(FIRST[n][2])) for n in FIRST]),
    ("C27", lambda u: pca_arrays(u, "3Rf", "directions", lambda array: array[::-1])),
    ("C28", lambda u: coefficients(u, "5Rf_fine", 0, [0.1, 0.2, 0.5, 0.2, -0.3])),
    ("C29", lambda u: f_of(u, "thin", lambda x, y, z: np.exp(x), "thin_low")),
    ("C30", lambda u: f_of(u, "thin", lambda x, y, z: np.exp(-0.5 * (x - 1) ** 2), "thin_high")),
    ("C30", lambda u: f_of(u, "thin", lambda x, y, z: np.exp(0.3 * x), "thin_high")),
    ("C31", lambda u: scale_loss(u, 1.03, "3Rf+11.3")),
    ("C32", lambda u: scale_loss(u, 1.03, "3Rf+11.3")),
    ("C32", lambda u: lowest_bins(u, 1.05)),
    ("C33", residual_pattern),
    ("C34", lambda u: scale_loss(u, 1.02, "5Rf_fine", "pc2")),
    ("C34", lambda u: scale_power(u, 0.98, "5Rf_fine", "pc2")),
    ("C35", lambda u: scale_power(u, 0.97, "3Rf_fine", "nested")),
    ("C37", lambda u: scale_spread(u, 5, "1Rf")),
    ("C38", lambda u: scale_loss(u, 1.05, "1Rf", epochs=slice(0, 20))),
    ("C39", mean_f_off),
    ("C40", lambda u: network_attribute(u, smallest_draw=0)),
    ("C40", lambda u: network_attribute(u, occupied_cells=999)),
    ("C41", lambda u: whitening_arrays(u, "3Rf_fine", "eigenvalues", np.sqrt)),
    ("C42", lambda u: whitening_arrays(u, "5Rf_fine", "covariance", correlate_tides)),
    (
        "C42",
        lambda u: whitening_arrays(u, "5Rf_fine", "covariance", lambda c: c * (1 + np.eye(15))),
    ),
    ("C43", lambda u: set_mass(u, mean_mass=5e12)),
    ("C44", lambda u: scale_power(u, 1.03, "3Rf", target_box="box1")),
    ("C44", lambda u: scale_power(u, 0.96, "1Rf", target_box="box1")),
]


def test_all_claims_are_registered_in_order():
    found = [check.claim for check in claims.registered()]
    assert [claim.id for claim in found] == ALL
    for claim in found:
        texts = (claim.statement, claim.place, claim.metric, claim.paper, claim.threshold)
        assert all(texts), f"{claim.id} lacks a text"
        assert claim.limits, f"{claim.id} has no threshold"
    assert {claim.id for claim in found if claim.soft} == {"C32", "C36", "C44"}
    assert len({claim.statement for claim in found}) == len(ALL)


def test_the_paper_is_right_in_its_own_universe(paper):
    verdicts = claims.check_all(claims.Evidence(paper.copy().write(paper.folder), ROLES))
    outcomes = {verdict.claim.id: verdict.outcome for verdict in verdicts}
    assert outcomes == dict.fromkeys(ALL, HOLDS) | {"C36": UNTESTED}
    for verdict in verdicts:
        if found := verdict.measurement:
            assert any(character.isdigit() for character in found.measured)
            assert found.artefacts and found.values
            assert all(type(value) is float for value in found.values.values())
            assert (found.scatter is None) == (found.scatter_of == "")


@pytest.mark.parametrize(
    ("identifier", "change"), WRONG, ids=[f"{n}-{i}" for n, (i, _) in enumerate(WRONG)]
)
def test_a_change_proves_a_claim_wrong(paper, tmp_path, identifier, change):
    universe = paper.copy()
    change(universe)
    verdict = check(identifier, universe, tmp_path)
    assert verdict.outcome == FAILS, verdict


def test_every_claim_can_be_proved_wrong():
    assert {identifier for identifier, _ in WRONG} == set(ALL) - {"C36"}


@pytest.mark.parametrize(("offset", "outcome"), [(0.05, HOLDS), (0.001, FAILS)])
def test_a_cut_in_the_eigenvalues_can_be_compared(paper, tmp_path, monkeypatch, offset, outcome):
    universe = paper.copy()
    monkeypatch.setitem(POWER, ("3Rf", EIGENVALUE_CUT), (0.003, 0.01))
    for number, box in enumerate(ROLES["train_boxes"]):
        add_spectra(universe, "3Rf", EIGENVALUE_CUT, train=box, offset=number * offset)
    assert check("C36", universe, tmp_path).outcome == outcome


def test_nothing_can_be_tested_without_artefacts():
    verdicts = claims.check_all(claims.Evidence([], ROLES))
    assert [verdict.claim.id for verdict in verdicts] == ALL
    assert {verdict.outcome for verdict in verdicts} == {UNTESTED}
    assert all(verdict.reason.startswith("this run has no") for verdict in verdicts)


@pytest.mark.parametrize("missing", sorted(ROLES))
def test_a_role_that_is_missing_is_named(paper, missing):
    roles = {name: value for name, value in ROLES.items() if name != missing}
    verdicts = claims.check_all(claims.Evidence(paper.copy().write(paper.folder), roles))
    reasons = [v.reason for v in verdicts if v.outcome == UNTESTED and v.claim.id != "C36"]
    assert all(missing in reason for reason in reasons)
    assert bool(reasons) == (missing not in ("run", "epochs"))


@pytest.mark.parametrize(
    ("identifier", "kind", "wanted", "words"),
    [
        ("C14", "spectra", {"smoothing_set": "3Rf_coarse"}, "no spectra of 3Rf_coarse (trained on"),
        ("C21", "spectra", {"inputs": "pc2"}, "no spectra of 3Rf with the two components"),
        ("C03", "spectra", {"inputs": "least_squares"}, "of the least-squares f"),
        ("C17", "network", {"smoothing_set": "5Rf_fine"}, "no networks of 5Rf_fine"),
        ("C19", "gradient_pca", {"smoothing_set": "1Rf"}, "no components of ∇f of 1Rf"),
        ("C30", "gradient_pca", {"sample": "thin_high"}, "for the halos of thin_high"),
        ("C33", "model_field", {"smoothing_set": "3Rf"}, "no model field of 3Rf on box1"),
        ("C33", "halo_fields", {"box": "box1"}, "no halo field of threshold in box1"),
        ("C41", "whitening", {"smoothing_set": "3Rf_fine"}, "no whitening of 3Rf_fine"),
        ("C01", "binned_f", {}, "no binned f of 1Rf with δ and ∇²δ only"),
    ],
)
def test_what_is_missing_is_said(paper, tmp_path, identifier, kind, wanted, words):
    universe = paper.copy()
    universe.remove(kind, **wanted)
    verdict = check(identifier, universe, tmp_path)
    assert verdict.outcome == UNTESTED
    assert verdict.measurement is None
    assert words in verdict.reason


def test_losses_that_are_not_finite_give_no_verdict(paper, tmp_path):
    universe = paper.copy()
    for file in universe.edit("network"):
        file.arrays["validation_loss_per_cell"] = np.full(50, np.nan)
    verdict = check("C31", universe, tmp_path)
    assert verdict.outcome == UNTESTED and "not finite" in verdict.reason


def test_networks_of_unequal_training_are_not_averaged(paper, tmp_path):
    universe = paper.copy()
    for history in (file := universe.edit("network", smoothing_set="3Rf")[0]).arrays:
        file.arrays[history] = file.arrays[history][:20]
    assert "different numbers of epochs" in check("C31", universe, tmp_path).reason


def test_one_network_has_no_scatter(paper, tmp_path):
    universe = paper.copy()
    for file in universe.edit("spectra", smoothing_set="1Rf"):
        for name in ("model_power", "cross_power", "mean_f", "seeds"):
            file.arrays[name] = file.arrays[name][:1]
    assert "two or more seeds" in check("C37", universe, tmp_path).reason


def test_a_small_box_has_no_second_bin_on_large_scales(paper, tmp_path):
    universe = paper.copy()
    for file in universe.edit("spectra", smoothing_set="3Rf", target_box="box0"):
        file.arrays["k"] = file.arrays["k"] * 500 / 80
    assert "box is too small" in check("C06", universe, tmp_path).reason


def test_seeds_that_do_not_match_are_not_correlated(paper, tmp_path):
    universe = paper.copy()
    for file in universe.edit("spectra", smoothing_set="3Rf_fine"):
        file.arrays["seeds"] = file.arrays["seeds"] + 1
    assert "other seeds" in check("C11", universe, tmp_path).reason


@pytest.mark.parametrize(("mean_f", "outcome"), [(1.05, HOLDS), (1.2, FAILS)])
def test_without_a_constraint_the_other_half_is_tested(paper, tmp_path, mean_f, outcome):
    universe = paper.copy()
    universe.edit("spectra", smoothing_set="1Rf")[0].arrays["mean_f"][0] = mean_f
    verdict = check("C39", universe, tmp_path, constraint="none")
    assert verdict.outcome == outcome
    assert "Not tested: networks with a constraint" in verdict.measurement.measured


def test_halos_of_other_masses_are_not_compared(paper, tmp_path):
    universe = paper.copy()
    for file in universe.edit("halo_fields", sample="threshold"):
        file.attributes["min_mass"] = 1.7e12
    reason = check("C43", universe, tmp_path).reason
    assert "1.7e+12" in reason and "3.16e+11" in reason


def test_an_empty_list_of_nested_sets_is_a_reason(paper, tmp_path):
    assert "figure_sets.nested" in check("C35", paper.copy(), tmp_path, nested=[]).reason


@pytest.mark.parametrize("identifier", ["C29", "C30", "C43"])
def test_thin_ranges_are_a_pair(paper, tmp_path, identifier):
    verdict = check(identifier, paper.copy(), tmp_path, thin_samples=["thin_low"])
    assert "are ['thin_low']" in verdict.reason


@pytest.mark.parametrize("identifier", ["C35", "C37", "C38", "C39"])
def test_parts_that_were_not_tested_are_named(paper, tmp_path, identifier):
    assert "Not tested:" in check(identifier, paper.copy(), tmp_path).measurement.measured


def test_a_shorter_training_is_flat_after_the_same_fraction(paper, tmp_path):
    universe = paper.copy()
    for file in universe.edit("network", inputs="full"):
        for name, level in (("loss_per_cell", 1.0), ("validation_loss_per_cell", 2.0)):
            # falls until the fourth of ten epochs
            file.arrays[name] = level * np.array([9, 7, 5, *[3.0] * 7])
    assert check("C38", universe, tmp_path).outcome == HOLDS
    for file in universe.edit("network", inputs="full"):
        file.arrays["validation_loss_per_cell"][3] = 6.5
    assert check("C38", universe, tmp_path).outcome == FAILS


def test_a_claim_is_registered_once_and_with_its_limits():
    with pytest.raises(ValueError, match="C01 cannot be registered"):
        base.claim("C01", "again", place="", metric="", paper="", threshold="{a}", a=1)
    with pytest.raises(ValueError, match="names the limits"):
        base.claim("C99", "hidden", place="", metric="", paper="", threshold="below 1", a=1)
    assert [check.claim.id for check in claims.registered()] == ALL
