"""Claims: a made-up universe in which the paper is right, and changes that prove it wrong."""

import copy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.special import gamma

from lagbias.artefacts import code_hash, store
from lagbias.bias.binned import BinnedF
from lagbias.bias.components import GradientPCA
from lagbias.bias.least_squares import LeastSquares
from lagbias.bias.prediction import ModelField
from lagbias.bias.spectra import Spectra
from lagbias.claims import base, check
from lagbias.claims.base import FAILS, HOLDS, UNTESTED
from lagbias.claims.evidence import Evidence
from lagbias.features.whitening import Whitening, decompose
from lagbias.grids.halo_field import HaloFields
from lagbias.training.network import Network

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
    "cut": ["5Rf_fine"],
    "thin": "thin",
    "epochs": 50,
    "cell_size": 5.0,
    "constraint": "normalise",
    "variants": {
        "larger": {"sets": ["1Rf"], "training": {"hidden_layers": 7, "width": 128}},
        "longer": {"sets": ["3Rf"], "training": {"epochs": 70}},
        "unconstrained": {"sets": ["3Rf"], "training": {"constraint": "none"}},
    },
}
ALL = [f"C{number:02d}" for number in range(1, 45)]
# Low-k deficit of the average f's power and spread of the networks, by set and inputs; roughly
# the paper's.
POWER = {
    ("1Rf", "full"): (0.065, 0.005),
    ("1Rf", "density"): (0.055, 0.01),
    ("1Rf", "least_squares"): (0.054, 0.0005),
    ("1Rf", "larger"): (0.068, 0.005),
    ("3Rf", "full"): (0.003, 0.015),
    ("3Rf", "pc2"): (0.004, 0.01),
    ("3Rf", "longer"): (0.005, 0.01),
    ("3Rf", "unconstrained"): (0.004, 0.01),
    ("3Rf_coarse", "full"): (0.006, 0.012),
    ("3Rf+11.3", "full"): (0.035, 0.012),
    ("3Rf+11.3", "pc2"): (0.015, 0.01),
    ("3Rf_fine", "full"): (0.025, 0.012),
    ("3Rf_fine", "pc2"): (0.024, 0.01),
    ("3Rf_fine", "nested"): (0.027, 0.01),
    ("5Rf_fine", "full"): (0.025, 0.012),
    ("5Rf_fine", "pc2"): (0.004, 0.01),
    ("5Rf_fine", "cut"): (0.025, 0.012),
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
HISTORIES = {"training": "loss_per_cell", "validation": "validation_loss_per_cell"}
PARTICLES = 40_000
WEIGHTS = {
    f"layers.{i}.{name}": np.zeros(shape, np.float32)
    for i in (0, 1)
    for name, shape in (("weight", (1, 1)), ("bias", 1))
}


class Universe:
    """Artefacts in memory, and the files that hold them as they were at first."""

    def __init__(self, folder):
        self.folder, self.things, self.dirty = folder, {}, set()

    def add(self, *things):
        for thing in things:
            name = f"{len(self.things)}.h5"
            self.things[name] = thing
            store.write(self.folder / name, thing)

    def select(self, kind, **labels):
        """Return the names of the artefacts of a kind with some labels."""
        found = [
            name
            for name, thing in self.things.items()
            if type(thing) is kind and all(getattr(thing, k) == v for k, v in labels.items())
        ]
        assert found, f"the universe has no {kind.__name__} with {labels}"
        return found

    def edit(self, kind, change, **labels):
        """Replace the fields that `change` returns for each selected artefact."""
        for name in self.select(kind, **labels):
            self.things[name] = replace(self.things[name], **change(self.things[name]))
            self.dirty.add(name)

    def remove(self, kind, **labels):
        for name in self.select(kind, **labels):
            del self.things[name]

    def evidence(self, folder, **roles):
        """Write what was changed, and return everything as evidence."""
        for name in self.dirty:
            store.write(folder / name, self.things[name])
        paths = [(folder if name in self.dirty else self.folder) / name for name in self.things]
        return Evidence(paths, ROLES | roles)

    def copy(self):
        other = copy.copy(self)
        other.things, other.dirty = dict(self.things), set()
        return other


def toy_spectra(name, inputs="full", train="box0", target="box1", offset=0.0):
    deficit, spread = POWER[name, inputs]
    k = np.arange(1, 129) * 2 * np.pi / 500
    ratio = 1 + offset - deficit * np.exp(-((k / 0.15) ** 4))
    ratio += (0.1 if name == "1Rf" else 0.06) * np.exp(-((np.log(k / 0.4) / 0.5) ** 2))
    ratio -= 0.15 * k**6 / (1 + k**6)
    if name == "3Rf+11.3" and inputs == "full":
        ratio -= 0.015 * np.exp(-((k / 0.03) ** 2))
    halo = 3e4 / (1 + (k / 0.05) ** 1.4)
    model = ratio * (1 + spread * BY_POWER[:, None]) * halo
    correlation = np.sqrt(1 - 0.001 * (1 + k**2))
    return Spectra(
        k=k,
        n_modes=np.round(4 * np.pi * np.arange(1, 129) ** 2).astype(int),
        halo_power=halo,
        model_power=model,
        cross_power=correlation * np.sqrt(model * halo),
        average_model_power=ratio * halo,
        average_cross_power=correlation * np.sqrt(ratio) * halo,
        mean_f=(1.03 if inputs == "unconstrained" else 1) + 0.004 * BY_POWER,
        average_mean_f=np.array([1.0]),
        seeds=np.arange(5),
        train_box=train,
        target_box=target,
        **labels(name),
        inputs=inputs,
    )


def labels(smoothing_set, sample="threshold"):
    return {"smoothing_set": smoothing_set, "sample": sample}


def toy_networks(name, inputs):
    level = LOSS.get(name, 10.0) * (1.002 if inputs == "pc2" else 1.0)
    for seed in range(5):
        loss = level * (1 + 0.5 * np.exp(-EPOCHS / 4)) * (1 + 0.002 * BY_LOSS[seed])
        yield Network(
            weights=WEIGHTS,
            history={"loss_per_cell": loss, "validation_loss_per_cell": 1.01 * loss},
            seed=seed,
            n_cells=1000,
            occupied_cells=1000,
            smallest_draw=2,
            train_box="box0",
            **labels(name),
            inputs=inputs,
        )


def toy_whitening(name):
    """Features of a Gaussian field with P ∝ k^-2: δ and ∇²δ closed forms, G2 by the square law."""
    radii = np.array(RADII[name])
    s = np.sqrt(0.5 * (radii[:, None] ** 2 + radii**2))
    covariance = np.zeros((3 * len(radii), 3 * len(radii)))
    for i, j in np.ndindex(2, 2):
        covariance[i::3, j::3] = (-1) ** (i + j) * gamma(0.5 + i + j) / s ** (1 + 2 * (i + j))
    covariance[2::3, 2::3] = np.eye(len(radii))
    sigma = np.sqrt(np.diag(covariance))
    covariance /= np.outer(sigma, sigma)
    covariance[2::3, 2::3] = covariance[::3, ::3] ** 2
    return replace(decompose(covariance, radii), box="box0", smoothing_set=name)


def toy_components(name, sample):
    rng = np.random.default_rng(1)
    n = len(RADII[name])
    start = rng.normal(size=(2 * n + 1, 2 * n + 1))
    start[:, :2] = np.where(rng.random((2 * n + 1, 2)) < 0.5, -1, 1)
    start[n + 1 :, :2] /= 2.5
    matrix = np.zeros((2 * n + 1, 3 * n))
    matrix[0] = np.transpose(FIRST.get(name, np.ones((3, n)))).ravel()
    components = rng.uniform(-1, 1, (PARTICLES, 3)) * [4, 3, 3]
    x, y, z = components.T
    if sample == "threshold":
        f = np.logaddexp(0, 4 * (x - 0.3)) * (1 + 0.25 * y + 0.02 * z)
    else:
        f = np.exp(-0.5 * ((x - {"thin_low": 0.5, "thin_high": 1.5}[sample] - 0.2 * y) / 0.6) ** 2)
    eigenvalues = np.array([1, 1 / 3, 1 / 4] + [0.05] * (2 * n - 2))
    return GradientPCA(
        smoothing_radii=np.array(RADII[name]),
        eigenvalues=eigenvalues,
        directions=np.linalg.qr(start)[0],
        matrix=matrix,
        centred_eigenvalues=eigenvalues,
        components=components.astype(np.float32),
        f=f.astype(np.float32),
        train_box="box0",
        **labels(name, sample),
    )


def toy_tables(kind, noise, factor, **fields):
    rng = np.random.default_rng(2)
    edges = np.linspace(-4, 5, 41)
    centre = 0.5 * (edges[1:] + edges[:-1])
    f = factor * np.logaddexp(0, 3 * (centre - 0.5))[:, None] * np.linspace(0.8, 1.2, 5)
    f = f + noise * (centre > 2)[:, None] * rng.normal(size=f.shape)
    weight = np.exp(-0.5 * centre**2)
    return kind(
        delta_edges=edges,
        lap_delta_edges=np.tile(np.linspace(-3, 3, 6), (40, 1)),
        f=np.array([f * (1 + 0.001 * seed) for seed in range(-2, 3)]),
        share=np.outer(weight / weight.sum(), [0.05, 0.3, 0.3, 0.3, 0.05]),
        seeds=np.arange(5),
        train_box="box0",
        **labels("1Rf"),
        **fields,
    )


def toy_fields():
    rng = np.random.default_rng(3)
    halos = rng.normal(size=(16, 16, 16))
    masses = {"threshold": (2.4e13, 3.16e11)}
    masses |= {"thin_low": (5.2e11, 3.16e11), "thin_high": (6.2e12, 2e12)}
    for box in ("box0", "box1"):
        for sample, (mean, lowest) in masses.items():
            yield HaloFields(
                training=halos,
                evaluation=np.zeros((2, 2, 2)),
                box_size=500.0,
                n_halos=1000,
                min_mass=lowest,
                max_mass=1e15,
                mean_mass=mean,
                n_galaxies=0,
                shot_noise=1e3,
                box=box,
                sample=sample,
            )
    for name in ROLES["coarse"]:
        yield ModelField(
            average=halos + 0.3 * rng.normal(size=halos.shape),
            evaluation=np.zeros((2, 2, 2)),
            train_box="box0",
            target_box="box1",
            **labels(name),
            inputs="full",
        )


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    """A universe in which every claim holds."""
    universe = Universe(tmp_path_factory.mktemp("paper"))
    for name, inputs in POWER:
        universe.add(toy_spectra(name, inputs))
        if inputs in ("full", "pc2"):
            universe.add(*toy_networks(name, inputs))
    for name in ("1Rf", "3Rf"):
        for box, offset in (("box0", 0.0), ("box2", 0.008), ("box3", -0.01), ("box4", 0.004)):
            universe.add(toy_spectra(name, target=box, offset=offset))
    for box, offset in (("box2", 0.004), ("box3", -0.006), ("box4", 0.009)):
        universe.add(toy_spectra("3Rf", train=box, offset=offset))
        universe.add(toy_spectra("5Rf_fine", train=box, offset=offset))
        universe.add(toy_spectra("5Rf_fine", "cut", train=box, offset=2 * offset))
    universe.add(toy_tables(LeastSquares, 0.3, 1.0, kkt_residual=0.0, condition_number=1.0))
    universe.add(toy_tables(BinnedF, 0.0, 1.02, inputs="density"), *toy_fields())
    for name in RADII:
        samples = ROLES["thin_samples"] if name == "thin" else ["threshold"]
        universe.add(toy_whitening(name), *(toy_components(name, sample) for sample in samples))
    with pytest.MonkeyPatch.context() as patch:
        # no file changes in this module: each is read once for all its tests
        patch.setattr(store, "header", cache(store.header))
        patch.setattr(store, "read", cache(store.read))
        yield universe


def verdict(identifier, universe, folder, **roles):
    """Test one claim on what a universe holds."""
    (found,) = [c for c in check.CHECKS if c.claim.id == identifier]
    return check.evaluate(found, universe.evidence(folder, **roles))


# ---- changes that prove a claim wrong: functions of the universe -------------------------------


def edit(kind, field, function, **selected):
    """Change one field of some artefacts."""
    return lambda universe: universe.edit(
        kind, lambda thing: {field: function(getattr(thing, field))}, **selected
    )


def power(factor, name, inputs="full", **selected):
    """Multiply the power of the model, average and networks."""
    selected |= {"smoothing_set": name, "inputs": inputs}

    fields = ("average_model_power", "model_power")
    return lambda universe: universe.edit(
        Spectra, lambda s: {name: factor * getattr(s, name) for name in fields}, **selected
    )


def scatter(factor, name, inputs="full"):
    """Multiply the scatter of the networks about their mean."""

    def change(p):
        return p.mean(axis=0) + factor * (p - p.mean(axis=0))

    return edit(Spectra, "model_power", change, smoothing_set=name, inputs=inputs)


def loss(factor, name, inputs="full", *, until=50, of=("training", "validation")):
    """Multiply the losses of the first epochs."""
    factors = np.where(EPOCHS <= until, factor, 1.0)

    def change(history):
        return history | {HISTORIES[k]: factors * history[HISTORIES[k]] for k in of}

    return edit(Network, "history", change, smoothing_set=name, inputs=inputs)


def loss_follows_power(universe):
    def change(network):
        factor = 1 + BY_POWER[network.seed]
        return {"history": {k: factor * v for k, v in network.history.items()}}

    universe.edit(Network, change)


def lowest_bins(factor):
    factors = np.where(np.arange(128) < 2, factor, 1.0)
    return edit(Spectra, "average_model_power", lambda p: factors * p, smoothing_set="3Rf+11.3")


def f_of(name, function, sample="threshold"):
    """Replace the f of the sample of particles by a function of their components."""
    return lambda universe: universe.edit(
        GradientPCA,
        lambda pca: {"f": function(*pca.components.T.astype(float)).astype(np.float32)},
        **labels(name, sample),
    )


def eigenvalues(name, first):
    return edit(GradientPCA, "eigenvalues", lambda e: np.append(first, e[3:]), smoothing_set=name)


def coefficients(name, column, values):
    def change(matrix):
        matrix = matrix.copy()
        matrix[0, column::3] = values
        return matrix

    return edit(GradientPCA, "matrix", change, smoothing_set=name)


def small_tides(universe):
    for name, rows in FIRST.items():
        coefficients(name, 2, 0.01 * np.array(rows[2]))(universe)


TIDES = np.zeros((15, 15))
TIDES[2, 0] = TIDES[0, 2] = 0.05
ROUGH = np.where(np.arange(40) % 2, 0.3, -0.3)[:, None]
THREE, FINE, FINEST = ({"smoothing_set": name} for name in ("3Rf", "3Rf_fine", "5Rf_fine"))
WRONG = [
    ("C01", edit(BinnedF, "f", lambda f: 1.3 * f)),
    ("C02", edit(BinnedF, "f", lambda f: f + ROUGH)),
    ("C03", power(0.97, "1Rf", "density")),
    ("C04", scatter(20, "1Rf", "least_squares")),
    ("C04", scatter(0.1, "1Rf", "density")),
    ("C05", power(1.04, "1Rf", "least_squares")),
    ("C06", power(0.97, "3Rf", target_box="box0")),
    ("C07", power(1.03, "1Rf", target_box="box0")),
    ("C08", power(1.08, "3Rf", target_box="box3")),
    ("C08", power(1.08, "1Rf", target_box="box3")),
    ("C09", scatter(0.1, "3Rf")),
    ("C09", scatter(4, "1Rf")),
    ("C10", edit(Spectra, "average_cross_power", lambda p: 0.99 * p, **THREE, target_box="box0")),
    ("C11", loss_follows_power),
    ("C12", power(1.05, "3Rf", train_box="box3")),
    ("C13", scatter(3, "3Rf_coarse")),
    ("C14", power(0.98, "3Rf_coarse")),
    ("C15", lowest_bins(1.04)),
    ("C15", power(0.96, "3Rf")),
    ("C16", power(1.02, "5Rf_fine")),
    ("C17", loss(1.02, "3Rf_fine")),
    ("C18", f_of("3Rf", lambda x, y, z: np.exp(-0.5 * (x - 1.5) ** 2))),
    ("C18", f_of("3Rf", lambda x, y, z: 5 + x)),
    ("C19", eigenvalues("3Rf_coarse", [1, 0.9, 0.25])),
    ("C19", eigenvalues("5Rf_fine", [1, 1 / 3, 1 / 9])),
    ("C20", f_of("3Rf", lambda x, y, z: np.exp(x) * (3 + 0.2 * y + 0.4 * z))),
    ("C21", power(0.98, "3Rf", "pc2")),
    ("C22", power(0.985, "5Rf_fine", "pc2")),
    ("C23", power(1.03, "3Rf+11.3", "pc2")),
    ("C24", loss(1.03, "3Rf", "pc2", of=["training"])),
    ("C24", loss(0.97, "3Rf+11.3", "pc2", of=["validation"])),
    ("C25", coefficients("1Rf", 2, [0.4])),
    ("C26", coefficients("3Rf", 2, [0.55, 0.45, 0.08])),
    ("C26", small_tides),
    ("C27", edit(GradientPCA, "directions", lambda rows: rows[::-1], **THREE)),
    ("C28", coefficients("5Rf_fine", 0, [0.1, 0.2, 0.5, 0.2, -0.3])),
    ("C29", f_of("thin", lambda x, y, z: np.exp(x), "thin_low")),
    ("C30", f_of("thin", lambda x, y, z: np.exp(-0.5 * (x - 1) ** 2), "thin_high")),
    ("C30", f_of("thin", lambda x, y, z: np.exp(0.3 * x), "thin_high")),
    ("C31", loss(1.03, "3Rf+11.3")),
    ("C32", loss(1.03, "3Rf+11.3")),
    ("C32", lowest_bins(1.05)),
    ("C33", edit(ModelField, "average", lambda field: 0.5 * field, **THREE)),
    ("C34", loss(1.02, "5Rf_fine", "pc2")),
    ("C34", power(0.98, "5Rf_fine", "pc2")),
    ("C35", power(0.97, "3Rf_fine", "nested")),
    ("C36", power(1.05, "5Rf_fine", train_box="box3")),
    ("C37", scatter(5, "1Rf")),
    ("C37", power(1.02, "1Rf", "larger")),
    ("C38", loss(1.05, "1Rf", until=20)),
    ("C38", power(0.99, "3Rf", "longer")),
    ("C39", edit(Spectra, "mean_f", lambda f: f + 0.03, **FINE)),
    ("C39", edit(Spectra, "mean_f", lambda f: f + 0.1, inputs="unconstrained")),
    ("C40", edit(Network, "smallest_draw", lambda draw: 0, **THREE, seed=1)),
    ("C40", edit(Network, "occupied_cells", lambda cells: cells - 1, **THREE, seed=1)),
    ("C41", edit(Whitening, "eigenvalues", np.sqrt, **FINE)),
    ("C42", edit(Whitening, "covariance", lambda matrix: matrix + TIDES, **FINEST)),
    ("C42", edit(Whitening, "covariance", lambda matrix: matrix * (1 + np.eye(15)), **FINEST)),
    ("C43", edit(HaloFields, "mean_mass", lambda mass: 5e12, sample="thin_high")),
    ("C44", power(1.03, "3Rf", target_box="box1")),
    ("C44", power(0.96, "1Rf", target_box="box1")),
]


def test_every_claim_is_complete_and_can_be_proved_wrong():
    found = [check.claim for check in check.CHECKS]
    assert [claim.id for claim in found] == ALL
    for claim in found:
        texts = (claim.statement, claim.place, claim.metric, claim.paper, claim.threshold)
        assert all(texts) and claim.limits, claim.id
    assert {claim.id for claim in found if claim.soft} == {"C32", "C36", "C44"}
    assert len({claim.statement for claim in found}) == len(ALL)
    assert {identifier for identifier, _ in WRONG} == set(ALL)


def test_the_paper_is_right_in_its_own_universe(paper):
    verdicts = check.check_all(paper.evidence(paper.folder))
    outcomes = {verdict.claim.id: verdict.outcome for verdict in verdicts}
    assert outcomes == dict.fromkeys(ALL, HOLDS)
    found = {verdict.claim.id: verdict.measurement for verdict in verdicts}
    for measurement in found.values():
        assert any(character.isdigit() for character in measurement.measured)
        assert measurement.artefacts
        assert all(type(value) is float for value in measurement.values.values())
    partly = {identifier for identifier, m in found.items() if "Not tested:" in m.measured}
    assert partly == {"C35"}


@pytest.mark.parametrize(("identifier", "change"), WRONG)
def test_a_change_proves_a_claim_wrong(paper, tmp_path, identifier, change):
    universe = paper.copy()
    change(universe)
    assert verdict(identifier, universe, tmp_path).outcome == FAILS


def test_nothing_can_be_tested_without_artefacts():
    verdicts = check.check_all(Evidence([], ROLES))
    assert {verdict.outcome for verdict in verdicts} == {UNTESTED}
    assert all(verdict.reason.startswith("this run has no") for verdict in verdicts)


def first_network(spectra):
    names = ("model_power", "cross_power", "mean_f", "seeds")
    return {name: getattr(spectra, name)[:1] for name in names}


def cut_short(history):
    return {name: values[:20] for name, values in history.items()}


def without(kind, **selected):
    return lambda universe: universe.remove(kind, **selected)


def cut_as_full(universe):
    power = {
        box: universe.things[name].average_model_power
        for box in ROLES["train_boxes"]
        for name in universe.select(Spectra, **FINEST, inputs="full", train_box=box)
    }
    universe.edit(Spectra, lambda s: {"average_model_power": power[s.train_box]}, inputs="cut")


NO = "this run has no "
UNTESTABLE = [
    ("C21", without(Spectra, inputs="pc2"), NO + "spectra of 3Rf with the two components (trained"),
    ("C03", without(Spectra, inputs="least_squares"), NO + "spectra of 1Rf of the least-squares f"),
    ("C17", without(Network, **FINEST), NO + "networks of 5Rf_fine"),
    ("C19", without(GradientPCA, smoothing_set="1Rf"), NO + "components of ∇f of 1Rf"),
    ("C30", without(GradientPCA, sample="thin_high"), "for the halos of thin_high"),
    ("C33", without(ModelField, **THREE), NO + "model field of 3Rf on box1"),
    ("C33", without(HaloFields, box="box1"), NO + "halo field of threshold in box1"),
    ("C41", without(Whitening, **FINE), NO + "whitening of 3Rf_fine"),
    ("C01", without(BinnedF), NO + "binned f of 1Rf with δ and ∇²δ only"),
    ("C31", loss(np.nan, "3Rf"), "not measured"),
    ("C31", edit(Network, "history", cut_short, **THREE, seed=0), "numbers of epochs"),
    ("C36", cut_as_full, "the cut keeps the same inputs of 5Rf_fine"),
    ("C37", lambda u: u.edit(Spectra, first_network), "at least two seeds"),
    ("C37", without(Spectra, inputs="larger"), NO + "spectra of 1Rf with larger networks"),
    ("C06", edit(Spectra, "k", lambda k: k * 500 / 80), "box is too small"),
    ("C11", edit(Spectra, "seeds", lambda seeds: seeds + 1), "different seeds"),
    ("C43", edit(HaloFields, "min_mass", lambda mass: 1.7e12), "1.7e+12 Msun/h, the paper"),
]


@pytest.mark.parametrize(("identifier", "change", "words"), UNTESTABLE)
def test_what_is_missing_or_does_not_compare_is_the_reason(
    paper, tmp_path, identifier, change, words
):
    universe = paper.copy()
    change(universe)
    found = verdict(identifier, universe, tmp_path)
    assert found.outcome == UNTESTED and found.measurement is None
    assert words in found.reason


@pytest.mark.parametrize(
    ("identifier", "roles", "words"),
    [
        ("C35", {"nested": []}, "figure_sets.nested"),
        ("C36", {"cut": []}, "figure_sets.cut"),
        *((i, {"train_boxes": ["box0"]}, "this run has one") for i in ("C12", "C36")),
        *((i, {"thin_samples": ["thin_low"]}, "are ['thin_low']") for i in ("C29", "C30", "C43")),
    ],
)
def test_a_role_that_nothing_plays_is_a_reason(paper, identifier, roles, words):
    assert words in verdict(identifier, paper, paper.folder, **roles).reason


@pytest.mark.parametrize(
    ("identifier", "name", "tested", "left_out"),
    [
        ("C37", "larger", "hidden_layers 7, width 128: ⟨R⟩", "larger networks"),
        ("C38", "longer", "epochs 70: 3Rf ⟨R⟩", "the power after further training"),
        ("C39", "unconstrained", "without one 3Rf on box1 0.03", "networks without a constraint"),
    ],
)
def test_half_a_claim_is_tested_without_its_variant(paper, identifier, name, tested, left_out):
    assert tested in verdict(identifier, paper, paper.folder).measurement.measured
    others = {key: variant for key, variant in ROLES["variants"].items() if key != name}
    found = verdict(identifier, paper, paper.folder, variants=others)
    assert found.outcome == HOLDS
    assert f"Not tested: {left_out}" in found.measurement.measured


def test_larger_networks_count_with_one_scale(paper):
    larger = {"larger": {"sets": ["3Rf"], "training": {"width": 128}}}
    found = verdict("C37", paper, paper.folder, variants=larger).measurement
    assert "Not tested: larger networks" in found.measured


def test_the_noise_of_the_least_squares_is_quoted(paper):
    found = verdict("C01", paper, paper.folder).measurement.values
    # five tables that differ by factors of 0.998 to 1.002
    assert found["scatter of f_LS"] == pytest.approx(0.001 * np.std(range(5), ddof=1))
    assert 0.015 < found["of averages over ∇²δ"] < found["rms difference"]


def test_centred_eigenvalues_are_printed_and_not_tested(paper, tmp_path):
    universe = paper.copy()
    edit(GradientPCA, "centred_eigenvalues", lambda e: e * [25, *[1] * (len(e) - 1)])(universe)
    found = verdict("C19", universe, tmp_path)
    assert found.outcome == HOLDS
    assert found.measurement.values["centred λ0/λ1 3Rf"] == pytest.approx(75)
    assert "3Rf 75.0 (8.66)" in found.measurement.measured


@pytest.mark.parametrize(("mean_f", "outcome"), [(1.05, HOLDS), (1.2, FAILS)])
def test_without_a_constraint_the_other_half_is_tested(paper, tmp_path, mean_f, outcome):
    universe = paper.copy()
    edit(Spectra, "mean_f", lambda f: np.full(5, mean_f), smoothing_set="1Rf")(universe)
    found = verdict("C39", universe, tmp_path, constraint="none", variants={})
    assert found.outcome == outcome
    assert "Not tested: networks with a constraint" in found.measurement.measured


@pytest.mark.parametrize(("fourth", "outcome"), [(3.0, HOLDS), (3.25, FAILS)])
def test_a_shorter_training_is_flat_after_the_same_fraction(paper, tmp_path, fourth, outcome):
    falling = np.array([9, 7, 5, fourth, *[3.0] * 6])
    history = {"loss_per_cell": np.ones(10), "validation_loss_per_cell": falling}
    universe = paper.copy()
    edit(Network, "history", lambda old: history)(universe)
    assert verdict("C38", universe, tmp_path).outcome == outcome


def test_flatness_is_measured_in_the_nearest_measured_epoch(paper, tmp_path):
    history = {
        "loss_per_cell": np.ones(8),
        "validation_loss_per_cell": np.array([np.nan, 9, np.nan, 3.3, np.nan, 3.1, np.nan, 3.0]),
    }
    universe = paper.copy()
    edit(Network, "history", lambda old: history)(universe)
    falls = verdict("C38", universe, tmp_path).measurement.values
    assert falls["fall 3Rf"] == pytest.approx(3.3 / 3.0 - 1)  # after epoch 4, not 2


def test_a_threshold_names_its_limits():
    with pytest.raises(ValueError, match="names the limits"):
        base.claim("C99", "hidden", threshold="below 1", limits={"a": 1})


def test_an_edit_of_any_claim_reruns_the_checks(repository):
    used = code_hash.dependencies(repository / "workflow/scripts/check_claims.py")
    assert {module.__name__ for module in check.SUBJECTS} <= set(used)
