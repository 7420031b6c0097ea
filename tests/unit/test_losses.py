"""Losses and constraints: values, gradients, and what `normalise` converges to."""

import typing

import pytest
import torch

from lagbias.config.sections import TrainingSettings
from lagbias.training.losses import (
    CONSTRAINTS,
    LOSSES,
    ConstraintSetup,
    Normalise,
    Step,
    constraint_width,
    non_negativity,
    squared,
)
from lagbias.training.subsample import DRAWS
from lagbias.training.torch_network import HaloToMassNet, f_from_output


@pytest.mark.parametrize(
    ("key", "registered"),
    [("loss", LOSSES), ("constraint", CONSTRAINTS), ("sampling", DRAWS)],
)
def test_the_configuration_offers_what_is_registered(key, registered):
    annotation = TrainingSettings.model_fields[key].annotation
    assert set(typing.get_args(annotation)) == set(registered)


def setup(cells=4, n_cells=5, sample=None):
    return ConstraintSetup(occupied_cells=cells, n_cells=n_cells, draw_sample=lambda: sample)


@pytest.fixture
def network():
    generator = torch.Generator().manual_seed(0)
    return HaloToMassNet(2, 1, 4, generator=generator).double()


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_right_gradients_and_vanishes_for_a_perfect_model(name):
    model = torch.tensor([0.2, 1.0, 3.0], dtype=torch.float64, requires_grad=True)
    target = torch.tensor([0.0, 2.0, 2.5], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda m: LOSSES[name](m, target), (model,))
    assert LOSSES[name](target, target) == 0.0
    assert LOSSES[name](model, target) > 0.0


def test_squared_is_a_sum():
    assert squared(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 4.0])) == 5.0


def test_non_negativity_is_one_sided():
    assert non_negativity(torch.tensor([-5.0, 0.0, 7.0])) == 0.0
    assert non_negativity(torch.tensor([-7.0, 0.0, -6.0])) == 17.0


def test_constraint_width_follows_the_paper():
    assert constraint_width(1) is None
    assert constraint_width(2) == pytest.approx(0.0125)
    assert constraint_width(10) == pytest.approx(1e-4)
    assert constraint_width(50) == 1e-4


def step(sums, *, epoch, sizes=None, network=None, mass=None, target=None):
    sizes = torch.ones_like(sums, dtype=torch.int64) if sizes is None else sizes
    return Step(network, sums, sizes, mass, target, epoch)


@pytest.mark.parametrize("name", sorted(set(CONSTRAINTS) - {"normalise"}))
def test_penalties_leave_f_alone_and_the_first_epoch_free(name, network):
    constraint = CONSTRAINTS[name](setup(sample=torch.ones(3, 2, dtype=torch.float64)))
    f = torch.tensor([1.0, 2.0, 6.0], dtype=torch.float64)
    assert constraint.scale(f, torch.arange(3)) == 1.0
    assert constraint.penalty(step(f, epoch=1, network=network)) == 0.0
    assert not constraint.normalises


def test_per_batch_penalty():
    constraint = CONSTRAINTS["per_batch"](setup())
    batch = step(torch.tensor([4.0, 14.0]), sizes=torch.tensor([2, 4]), epoch=2)
    assert constraint.penalty(batch).item() == pytest.approx((2.0 / 0.0125) ** 2)


def test_fixed_sample_penalty_sees_the_sample_not_the_batch(network):
    sample = torch.tensor([[0.3, -1.0], [1.0, 2.0]], dtype=torch.float64)
    constraint = CONSTRAINTS["fixed_sample"](setup(sample=sample))
    expected = ((f_from_output(network(sample)).mean() - 1.0) / 0.0125) ** 2
    penalty = constraint.penalty(step(torch.zeros(3), epoch=2, network=network))
    assert torch.equal(penalty, expected)


def test_no_constraint_costs_nothing():
    constraint = CONSTRAINTS["none"](setup())
    assert constraint.penalty(step(torch.tensor([5.0]), epoch=9)) == 0.0


def test_normalise_holds_the_scale_of_the_batch_and_nothing_else():
    """Zero where the model has the halos' mass, one per cell for a factor of ten."""
    constraint, target = Normalise(setup()), torch.tensor([0.0, 2.0, 1.0])
    floor = torch.full((3,), 0.1)
    right = step(torch.ones(1), epoch=1, mass=target.flip(0) + floor, target=target)
    assert constraint.penalty(right).item() == pytest.approx(0.0, abs=1e-12)
    low = right._replace(mass=right.mass / 10)
    assert constraint.penalty(low).item() == pytest.approx(3.0, rel=1e-5)
    empty = right._replace(mass=torch.full((3,), 1e-4), target=torch.zeros(3))
    assert constraint.penalty(empty).item() == pytest.approx(27.0, rel=1e-5)


def full_batch(parameters, scale):
    """Return the loss of four of five cells whose masses depend on `parameters`."""
    mass = torch.exp(parameters) * torch.tensor([1.0, 2.0, 0.5, 3.0], dtype=torch.float64)
    return squared(mass / scale(mass), torch.tensor([0.3, 2.0, 1.5, 1.2], dtype=torch.float64))


def test_normalise_has_the_exact_gradient_when_the_batch_is_everything():
    constraint = Normalise(setup())
    constraint.state = constraint.state.double()
    parameters = torch.tensor([0.1, -0.2, 0.4, 0.0], dtype=torch.float64, requires_grad=True)
    loss = full_batch(parameters, lambda mass: constraint.scale(mass, torch.arange(4)))
    exact = full_batch(parameters, lambda mass: mass.sum() / 5)
    assert loss.item() == pytest.approx(exact.item(), rel=1e-12)
    (gradient,) = torch.autograd.grad(loss, parameters)
    (expected,) = torch.autograd.grad(exact, parameters)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-12)


def test_normalise_is_blind_to_the_overall_scale_in_every_batch():
    constraint = Normalise(setup())
    constraint.state[:] = torch.tensor([4.0, 1.0, 1.0, 1.0])
    log_scale = torch.zeros((), dtype=torch.float64, requires_grad=True)
    mass = torch.exp(log_scale) * torch.tensor([1.0, 2.0], dtype=torch.float64)
    model = mass / constraint.scale(mass.float(), torch.tensor([1, 2]))
    (gradient,) = torch.autograd.grad(squared(model, torch.tensor([0.1, 5.0])), log_scale)
    assert abs(gradient.item()) < 1e-5


def test_normalise_averages_the_latest_mass_of_every_cell():
    constraint = Normalise(setup())
    occupied = 4 / 5
    first = constraint.scale(torch.tensor([1.0, 3.0]), torch.tensor([2, 0]))
    assert first.item() == pytest.approx(occupied * 2.0)  # only the cells visited so far
    second = constraint.scale(torch.tensor([4.0, 8.0]), torch.tensor([1, 3]))
    assert second.item() == pytest.approx(occupied * 4.0)
    third = constraint.scale(torch.tensor([5.0]), torch.tensor([2]))
    assert third.item() == pytest.approx(occupied * 5.0)
