"""Networks that learn which linear combinations of their inputs to take in."""

from threading import Event

import numpy as np
import pytest
import torch
from torch.nn import functional

from lagbias.config.sections import TrainingSettings
from lagbias.grids.paint import overdensity, paint_cic
from lagbias.runtime import checkpoints
from lagbias.training import checkpoint, loop, run, steps
from lagbias.training.combinations import TrainedParameters, learned_combinations
from lagbias.training.cpu_kernels import fused_network
from lagbias.training.fourier import FourierRounds
from lagbias.training.torch_network import HaloToMassNet
from lagbias.training.training_set import sample_box

N_INPUTS, WIDTH, SIDE, GRID, BOX = 5, 12, 8, 8, 40.0
PARTICLES = 16**3
#: Of gradients: those of the kernels are sums of float32 numbers over some hundred particles.
GRADIENT_ROUNDING = 1e-5
#: Roundings of float32, 6e-8, that some ten steps of Adam let grow.
CURVE_ROUNDING = 1e-4
#: Of the variance of the initial weights, over 4000 of them of 200 rows: five standard errors.
VARIANCE_ERROR = 0.15
#: Least cosine with the planted direction. One direction in 10,000 of five dimensions is that near.
COSINE = 0.99
#: What f depends on; of length one.
PLANTED = np.array([1, -7, 5, 1, 4]) / np.sqrt(92)


def settings(**changes):
    values = {
        "cell_size": BOX / SIDE,
        "hidden_layers": 2,
        "width": WIDTH,
        "combinations": 2,
        "epochs": 3,
        "learning_rate": 5e-3,
        "learning_rate_decay": 0.9,
        "cells_per_batch": 64,
        "fixed_batches": False,
        "loss": "squared",
        "constraint": "normalise",
        "constraint_sample": 30,
        "validation_interval": 1,
        "fourier_rounds": 0,
        "fourier_cut": 0.5,
        "fourier_power_weight": 1.0,
    }
    return TrainingSettings.model_construct(**{**values, **changes})


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data():
    """Particles in a box whose halo field follows one combination of their inputs."""
    rng = np.random.default_rng(3)
    position = rng.uniform(0, BOX, (PARTICLES, 3)).astype(np.float32)
    inputs = rng.normal(size=(PARTICLES, N_INPUTS)).astype(np.float32)
    f = np.exp(inputs @ PLANTED).astype(np.float32)

    def painted(grid):
        return overdensity(paint_cic(position, BOX, grid, weights=f))

    cell = np.floor(position * SIDE / BOX + 0.5).astype(int) % SIDE
    mass = np.zeros((SIDE,) * 3)
    np.add.at(mass, tuple(cell.T), f)
    (sample,) = sample_box(
        position,
        np.arange(PARTICLES, dtype=np.int32),
        (mass / mass.mean() - 1).astype(np.float32),
        lambda rows: inputs[rows],
        box_size=BOX,
        n_side=16,
        fraction=1.0,
        sampling="random",
        seeds=[1],
        evaluation=painted(GRID),
    )
    return sample


def begin(data, **changes):
    return run.start(data, None, settings(**changes), 1, "cpu", Event())


def network(**changes):
    sizes = {"n_inputs": N_INPUTS, "hidden_layers": 2, "width": WIDTH, **changes}
    return HaloToMassNet(**sizes, generator=torch.Generator().manual_seed(1))


def assert_equal(one, other):
    for name, values in one.weights.items():
        np.testing.assert_array_equal(values, other.weights[name])
    np.testing.assert_array_equal(one.losses, other.losses)


def parts_of(vector, count, width=WIDTH, n_inputs=N_INPUTS):
    """Return A, B and the rest."""
    a, b, rest = torch.tensor_split(vector, [width * count, (width + n_inputs) * count])
    return a.view(width, count), b.view(count, n_inputs), rest


def explicit_output(vector, net, count, inputs):
    """The network's output with its first layer written as a product."""
    a, b, rest = parts_of(vector, count)
    whole = torch.cat([torch.zeros(net.layout.lengths[0]), rest])
    _, *others = net.layout.parameters(whole.split(net.layout.lengths))
    values = functional.gelu(functional.linear(inputs, a @ b, others[0]))
    values = functional.gelu(functional.linear(values, others[1], others[2]))
    return functional.linear(values, others[3], others[4]).squeeze(-1)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_gradient_is_that_of_an_explicit_product(count):
    net = network()
    trained = TrainedParameters(net, count, torch.Generator().manual_seed(2))
    inputs = torch.randn(300, N_INPUTS, generator=torch.Generator().manual_seed(3))
    output = net(inputs)
    (output**2).sum().backward()
    found = trained.gradient(net.flat.grad)

    vector = trained.vector.double().requires_grad_()
    expected = explicit_output(vector, net, count, inputs.double())
    np.testing.assert_allclose(output.detach(), expected.detach(), atol=1e-6)
    (expected**2).sum().backward()
    assert found.shape == vector.shape == trained.vector.shape
    assert (found - vector.grad).abs().max() < GRADIENT_ROUNDING * vector.grad.abs().max()
    assert (vector.grad[: (WIDTH + N_INPUTS) * count] != 0).all()


def test_the_initial_weights_have_the_usual_variance():
    net = network(n_inputs=20, width=200)
    usual = net.layout.first_weight(net.flat).detach().var().item()
    trained = TrainedParameters(net, 4, torch.Generator().manual_seed(2))
    weight = net.layout.first_weight(net.flat).detach()
    assert weight.var().item() == pytest.approx(usual, rel=VARIANCE_ERROR)
    _, b, _ = parts_of(trained.vector, 4, width=200, n_inputs=20)
    np.testing.assert_allclose(b @ b.T, np.eye(4), atol=1e-6)


@pytest.mark.parametrize("kind", [steps.compiled_steps, steps.pytorch_steps])
@pytest.mark.parametrize("count", [1, 2])
def test_steps_move_the_network_with_the_combinations(data, kind, count):
    state = begin(data, combinations=count)
    before, step = parts_of(state.trained.vector.clone(), count), kind(state)
    padding = state.network.flat.detach() == 0
    for batch in state.batches(1):
        step(1, torch.from_numpy(batch), int(state.cells.host_size[batch].sum()))
    a, b, rest = parts_of(state.trained.vector, count)
    assert (a != before[0]).all()
    assert (b != before[1]).all()
    weights = state.network.to_weights()
    np.testing.assert_array_equal(weights["layers.0.weight"], a @ b)
    assert rest[-1] == weights["layers.2.bias"] != before[2][-1]
    assert padding.any() and not state.network.flat[padding].any()


@pytest.mark.parametrize("constraint", ["normalise", "none"])
def test_compiled_trainings_are_those_of_pytorch(data, constraint, monkeypatch):
    compiled = loop.train(data, settings(constraint=constraint), seed=1)
    monkeypatch.setattr(fused_network, "suits", lambda *_: False)
    plain = loop.train(data, settings(constraint=constraint), seed=1)
    np.testing.assert_allclose(compiled.losses, plain.losses, rtol=CURVE_ROUNDING)
    assert not np.array_equal(compiled.weights["layers.0.weight"], plain.weights["layers.0.weight"])


@pytest.mark.parametrize("rounds", [0, 1])
@pytest.mark.parametrize("count", [1, 3])
def test_the_first_weight_has_the_rank(data, count, rounds):
    trained = loop.train(data, settings(combinations=count, fourier_rounds=rounds), seed=1)
    weight = trained.weights["layers.0.weight"]
    assert weight.shape == (WIDTH, N_INPUTS)
    sizes = np.linalg.svd(weight.astype(np.float64), compute_uv=False)
    # rounding of float32 is 6e-8
    assert sizes[count - 1] > 1e-3 * sizes[0]
    assert sizes[count] < 1e-6 * sizes[0]


def test_a_planted_combination_is_recovered(data):
    chosen = settings(combinations=1, epochs=40, learning_rate=0.01, cells_per_batch=32)
    trained = loop.train(data, chosen, seed=1)
    (found,) = learned_combinations(trained.weights["layers.0.weight"])
    assert abs(found @ PLANTED) > COSINE


def test_rounds_of_the_fourier_loss_lower_it(data):
    state = begin(data)
    rounds = FourierRounds(state, data.fields)
    rounds.correct()
    first, _ = rounds.value_and_gradient()
    assert rounds.run() < 0.5 * first
    padding = network().flat.detach() == 0
    assert not state.network.flat[padding].any()


def test_learned_combinations_are_an_orthonormal_basis_of_the_rows():
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(2, N_INPUTS))
    weight = (rng.normal(size=(WIDTH, 2)) @ rows).astype(np.float32)
    found = learned_combinations(weight)
    np.testing.assert_allclose(found @ found.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(rows @ found.T @ found, rows, atol=1e-6)
    assert (found.max(axis=1) == abs(found).max(axis=1)).all()
    np.testing.assert_allclose(learned_combinations(-3 * weight), found, atol=1e-6)
    assert len(learned_combinations(rng.normal(size=(WIDTH, N_INPUTS)).astype(np.float32))) == 5


@pytest.mark.parametrize(("rounds", "completed"), [(0, 2), (2, 4)])
def test_an_interrupted_training_continues_bit_by_bit(
    data, rounds, completed, tmp_path, monkeypatch
):
    chosen, path = settings(fourier_rounds=rounds), tmp_path / "checkpoint"
    whole = loop.train(data, chosen, seed=1)
    real = loop._report

    def interrupted(state, epoch, *args):
        if epoch == completed + 1:
            raise KeyboardInterrupt
        real(state, epoch, *args)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(loop, "_report", interrupted)
        loop.train(data, chosen, seed=1, checkpoint=path)
    saved = checkpoints.read(path)
    assert saved["epoch"] == completed
    assert saved["tensor.parameter"].shape == begin(data).trained.vector.shape
    assert_equal(loop.train(data, chosen, seed=1, checkpoint=path), whole)


def test_the_setting_is_part_of_the_fingerprint(data):
    keys = {
        checkpoint.fingerprint([data], settings(combinations=count), seed=1, device="cpu")
        for count in (0, 1, 2)
    }
    assert len(keys) == 3


@pytest.mark.parametrize("count", [0, N_INPUTS, N_INPUTS + 1])
def test_all_inputs_leave_a_training_as_it_is(data, count):
    state, initial = begin(data, combinations=count), network()
    assert state.trained.vector is state.network.flat is state.optimiser.parameter
    assert torch.equal(state.network.flat, initial.flat)
    gradient = torch.ones_like(initial.flat)
    assert state.trained.gradient(gradient) is gradient
    state.trained.to_network()
    assert torch.equal(state.network.flat, initial.flat)


def test_more_combinations_than_neurons_are_refused(repository):
    import yaml

    training = yaml.safe_load((repository / "config" / "config.yaml").read_text())["training"]
    with pytest.raises(ValueError, match="combinations = 65 exceeds width = 64"):
        TrainingSettings(**{**training, "combinations": 65})
