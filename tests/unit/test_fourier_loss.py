"""The Fourier-space loss: its value, its gradient, and trainings that end with it."""

from dataclasses import replace
from threading import Event

import numpy as np
import pytest
import torch

from lagbias.config.sections import TrainingSettings
from lagbias.grids.paint import overdensity, paint_cic
from lagbias.runtime import checkpoints
from lagbias.training import loop, run
from lagbias.training.deposit import CloudInCell
from lagbias.training.fourier import FieldLoss, FourierRounds
from lagbias.training.losses import non_negativity
from lagbias.training.torch_network import HaloToMassNet, f_from_output
from lagbias.training.training_set import BoxField, join, sample_box

SIDE, GRID, BOX, CUT, POWER_WEIGHT = 6, 8, 48.0, 0.4, 3.0
PARTICLES = 20**3
#: Gradients are sums of float32 numbers over a few thousand particles.
GRADIENT_ROUNDING = 1e-4


def settings(**changes):
    values = {
        "cell_size": BOX / SIDE,
        "hidden_layers": 2,
        "width": 16,
        "combinations": 0,
        "epochs": 3,
        "learning_rate": 2e-3,
        "learning_rate_decay": 0.9,
        "cells_per_batch": 50,
        "fixed_batches": False,
        "loss": "squared",
        "constraint": "normalise",
        "constraint_sample": 30,
        "validation_interval": 1,
        "fourier_rounds": 2,
        "fourier_cut": CUT,
        "fourier_power_weight": POWER_WEIGHT,
    }
    return TrainingSettings.model_construct(**{**values, **changes})


def f_of(inputs):
    """The f that the halos of a toy box follow."""
    return np.exp(1.5 * inputs[:, 0] + 0.5 * inputs[:, 1]).astype(np.float32)


def toy_box(seed, fraction=0.3):
    """A training set of a box whose halo field is that of `f_of`, and the whole box."""
    rng = np.random.default_rng(seed)
    position = rng.uniform(0, BOX, (PARTICLES, 3)).astype(np.float32)
    # inputs that vary with the position, so that the field has structure
    inputs = np.stack([np.sin(2 * np.pi * position[:, axis] / BOX) for axis in (0, 1)], axis=1)
    inputs = (inputs + rng.normal(scale=0.5, size=inputs.shape)).astype(np.float32)

    def painted(grid):
        return overdensity(paint_cic(position, BOX, grid, weights=f_of(inputs)))

    (sample,) = sample_box(
        position,
        np.arange(PARTICLES, dtype=np.int32),
        painted(SIDE),
        lambda rows: inputs[rows],
        box_size=BOX,
        n_side=20,
        fraction=fraction,
        sampling="random",
        seeds=[seed],
        evaluation=painted(GRID),
    )
    return sample, position, inputs


@pytest.fixture(scope="module")
def data():
    return toy_box(3)[0]


def started(data, **changes):
    return run.start(data, None, settings(**changes), 1, "cpu", Event())


def wavenumber():
    k = 2 * np.pi * np.fft.fftfreq(GRID, BOX / GRID)
    return np.sqrt(k[:, None, None] ** 2 + k[:, None] ** 2 + k**2)


def test_a_deposit_is_that_of_painting(data):
    (field,) = data.fields
    values = np.random.default_rng(1).exponential(size=len(field.position))
    painted = paint_cic(field.position, BOX, GRID, weights=values)
    deposit = CloudInCell(field.position, BOX, GRID)
    found = deposit.deposit(torch.from_numpy(values))
    np.testing.assert_allclose(found.view((GRID,) * 3), painted, rtol=1e-5)


def test_reading_is_the_adjoint_of_the_deposit(data):
    (field,) = data.fields
    rng = np.random.default_rng(2)
    values = torch.from_numpy(rng.normal(size=len(field.position)))
    grid = torch.from_numpy(rng.normal(size=GRID**3))
    deposit = CloudInCell(field.position, BOX, GRID)
    assert torch.dot(deposit.deposit(values), grid).item() == pytest.approx(
        torch.dot(values, deposit.read(grid)).item(), rel=1e-12
    )


def explicit_loss(model, halos, power_weight):
    """The loss from full complex transforms, with its sums written out."""
    modes, target = np.fft.fftn(model), np.fft.fftn(halos)
    k = wavenumber()
    weight = np.exp(-((k / CUT) ** 4))
    total = (weight * abs(modes - target) ** 2).sum() / (weight * abs(target) ** 2).sum()
    fundamental = 2 * np.pi / BOX
    bins = np.rint(k / fundamental).astype(int)
    numbers = np.arange(1, bins.max() + 1)
    excess = np.array(
        [
            (abs(modes[bins == n]) ** 2).mean() / (abs(target[bins == n]) ** 2).mean() - 1
            for n in numbers
        ]
    )
    of_bins = np.exp(-((numbers * fundamental / CUT) ** 4))
    return total + power_weight * (of_bins * excess**2).sum() / of_bins.sum()


@pytest.mark.parametrize("power_weight", [0.0, POWER_WEIGHT])
def test_the_value_and_its_slope_are_those_of_explicit_sums(power_weight):
    rng = np.random.default_rng(4)
    model, halos = (field - field.mean() for field in rng.normal(size=(2, GRID, GRID, GRID)))
    loss = FieldLoss(halos, BOX, cut=CUT, power_weight=power_weight)
    value, slope = loss.value_and_slope(torch.from_numpy(model).view(-1))
    assert value.item() == pytest.approx(explicit_loss(model, halos, power_weight), rel=1e-10)
    direction = rng.normal(size=model.shape)
    step = 1e-5  # central differences: errors of 1e-10
    ahead, behind = (
        explicit_loss(model + sign * step * direction, halos, power_weight) for sign in (1, -1)
    )
    along = torch.dot(slope, torch.from_numpy(direction).view(-1)).item()
    assert along == pytest.approx((ahead - behind) / (2 * step), rel=1e-6)


def test_the_gradient_is_that_of_the_whole_field():
    """Against automatic differentiation of two boxes' fields at once, in float64."""
    data = join([toy_box(3)[0], toy_box(4)[0]])
    state = started(data)
    rounds = FourierRounds(state, data.fields)
    value, found = rounds.value_and_gradient()

    whole = HaloToMassNet.from_weights(state.network.to_weights()).double()
    output = whole(torch.from_numpy(data.inputs).double())
    per_row = np.repeat(data.cell_factor, np.diff(data.cell_start)).astype(np.float64)
    weighted = f_from_output(output) * torch.from_numpy(per_row)
    total = non_negativity(output)
    parts = weighted.split([len(field.position) for field in data.fields])
    for field, part in zip(data.fields, parts, strict=True):
        # nodes and shares written out, against those of CloudInCell
        scaled = field.position.astype(np.float64) * GRID / BOX
        mass = torch.zeros(GRID**3, dtype=torch.float64)
        for corner in np.ndindex(2, 2, 2):
            node = (np.floor(scaled).astype(int) + corner) % GRID
            share = np.prod(1 - abs(scaled - np.floor(scaled) - corner), axis=1)
            flat = np.ravel_multi_index(tuple(node.T), (GRID,) * 3)
            mass = mass.index_add(0, torch.from_numpy(flat), part * torch.from_numpy(share))
        model = mass / mass.mean() - 1
        loss = FieldLoss(field.overdensity, BOX, cut=CUT, power_weight=POWER_WEIGHT)
        total = total + loss.value_and_slope(model)[0] / len(data.fields)
    total.backward()
    assert value == pytest.approx(total.item(), rel=1e-5)
    expected = whole.flat.grad
    assert (found - expected).abs().max() < GRADIENT_ROUNDING * expected.abs().max()


def test_a_round_compares_the_field_of_all_particles():
    """The halos of a whole box differ from those of its sub-sample by the sampling noise."""
    sample, position, inputs = toy_box(5, fraction=0.05)
    state = started(sample)
    rounds = FourierRounds(state, sample.fields)
    rounds.correct()
    model = overdensity(paint_cic(position, BOX, GRID, weights=state.evaluate(inputs)))
    (field,) = sample.fields
    expected = explicit_loss(model.astype(np.float64), field.overdensity, POWER_WEIGHT)
    assert rounds.value_and_gradient()[0] == pytest.approx(expected, rel=1e-5)
    uncorrected, _ = FourierRounds(state, sample.fields).value_and_gradient()
    assert abs(uncorrected / expected - 1) > 0.01


def test_rounds_lower_the_loss(data):
    state = started(data)
    rounds = FourierRounds(state, data.fields)
    first = rounds.run()
    for _ in range(3):
        last = rounds.run()
    assert last < first
    assert last < 0.05 * rounds_of_a_constant(data)


def rounds_of_a_constant(data):
    (field,) = data.fields
    return explicit_loss(np.zeros((GRID,) * 3), field.overdensity, POWER_WEIGHT)


def test_the_scale_of_f_does_not_matter(data):
    state = started(data)
    rounds = FourierRounds(state, data.fields)
    value, _ = rounds.value_and_gradient()
    with torch.no_grad():
        state.network.flat[-1] += np.log10(2.0)  # the last bias: a factor of two in f
    assert rounds.value_and_gradient()[0] == pytest.approx(value, rel=1e-5)


def test_a_training_ends_with_rounds(data):
    network = loop.train(data, settings(), seed=1, validation=data)
    epochs_only = loop.train(data, settings(fourier_rounds=0), seed=1, validation=data)
    assert len(network.losses) == 3 + 2
    np.testing.assert_array_equal(network.losses[:3], epochs_only.losses)
    rates = network.history["learning_rate"]
    assert np.isfinite(rates[:3]).all()
    assert np.isnan(rates[3:]).all()
    assert np.isfinite(network.validation_losses).all()


def test_rounds_start_from_a_network_as_after_its_epochs(data, tmp_path):
    whole = loop.train(data, settings(), seed=1)
    epochs_only = loop.train(data, settings(fourier_rounds=0), seed=1)
    path = tmp_path / "checkpoint"
    rounds = loop.train(data, settings(), seed=1, initial=epochs_only, checkpoint=path)
    again = loop.train(data, settings(), seed=1, initial=epochs_only, checkpoint=path)  # finished
    for network in (rounds, again):
        np.testing.assert_array_equal(network.losses, whole.losses)
        for name, values in whole.weights.items():
            np.testing.assert_array_equal(network.weights[name], values)
    other = loop.train(data, settings(fourier_rounds=0), seed=2)
    fresh = loop.train(data, settings(), seed=1, initial=other, checkpoint=path)
    assert not np.array_equal(fresh.losses, whole.losses)


def test_of_several_boxes_the_first_alone_has_the_epochs():
    first, second = toy_box(3)[0], toy_box(4)[0]
    both = join([first, second])
    network = loop.train(both, settings(), seed=1)
    epochs_only = loop.train(first, settings(fourier_rounds=0), seed=1)
    after = loop.train(both, settings(), seed=1, initial=epochs_only)
    np.testing.assert_array_equal(network.losses, after.losses)
    for name, values in after.weights.items():
        np.testing.assert_array_equal(network.weights[name], values)
    alone = loop.train(first, settings(), seed=1, initial=epochs_only)
    assert network.losses[-1] != alone.losses[-1]


@pytest.mark.parametrize("changes", [{"epochs": 2}, {"width": 8}])
def test_an_initial_network_of_other_settings_is_refused(data, changes):
    other = loop.train(data, settings(fourier_rounds=0, **changes), seed=1)
    with pytest.raises(ValueError, match="Train it with the same settings"):
        loop.train(data, settings(), seed=1, initial=other)


@pytest.mark.parametrize("completed", [3, 4])
def test_an_interrupted_one_continues_bit_by_bit(data, completed, tmp_path, monkeypatch):
    """In the middle of a round, which is made again from its beginning."""
    whole = loop.train(data, settings(), seed=1)
    path, real = tmp_path / "checkpoint", FourierRounds.value_and_gradient
    count = iter(range(100))

    def interrupted(self):
        if next(count) == TrainingSettings.EVALUATIONS_PER_ROUND * (completed - 3) + 7:
            raise KeyboardInterrupt
        return real(self)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(FourierRounds, "value_and_gradient", interrupted)
        loop.train(data, settings(), seed=1, checkpoint=path)
    assert checkpoints.read(path)["epoch"] == completed
    again = loop.train(data, settings(), seed=1, checkpoint=path)
    for name, values in whole.weights.items():
        np.testing.assert_array_equal(again.weights[name], values)
    np.testing.assert_array_equal(again.losses, whole.losses)


def test_joined_sets_keep_their_boxes_apart():
    first, second = toy_box(3)[0], toy_box(4)[0]
    both = join([first, second])
    assert both.n_cells == 2 * SIDE**3
    assert [
        field.position is each.fields[0].position
        for field, each in zip(both.fields, (first, second), strict=True)
    ] == [True, True]
    np.testing.assert_array_equal(both.inputs[len(first.inputs) :], second.inputs)
    np.testing.assert_array_equal(
        np.diff(both.cell_start), [*np.diff(first.cell_start), *np.diff(second.cell_start)]
    )
    np.testing.assert_array_equal(both.cell_index[len(first.target) :], second.cell_index + SIDE**3)


def test_rounds_without_fields_are_refused(data):
    with pytest.raises(ValueError, match="fourier_rounds needs the fields"):
        loop.train(replace(data, fields=()), settings(), seed=1)


def test_fields_that_do_not_match_are_refused(data):
    (field,) = data.fields
    short = BoxField(field.position[1:], field.overdensity, BOX, field.paint)
    with pytest.raises(ValueError, match="a position for each input"):
        replace(data, fields=(short,))


def test_another_constraint_is_refused(repository):
    import yaml

    training = yaml.safe_load((repository / "config" / "config.yaml").read_text())["training"]
    with pytest.raises(ValueError, match="fourier_rounds = 5 needs constraint = normalise"):
        TrainingSettings(**{**training, "fourier_rounds": 5, "constraint": "none"})
