"""The transfer function that gives networks the power of the halos."""

from dataclasses import replace

import numpy as np
import pytest

import lagbias
from lagbias.artefacts import store
from lagbias.bias.prediction import ModelField, ModelFields, measure_spectra
from lagbias.bias.transfer_functions import apply
from lagbias.grids.fourier import RealFFT
from lagbias.grids.power import auto_power, cross_power
from lagbias.stages.apply_transfer import apply_transfer

BOX_SIZE, GRID = 200.0, 32
#: Fields are float32.
SINGLE_PRECISION = 1e-5
#: T changes by 3 % within a bin; it is constant in the outer halves of the first and the last bin.
INTERPOLATED = 0.01


def halo_field(seed):
    """White noise of unit variance, of which the 32768 nodes have mean 0."""
    field = np.random.default_rng(seed).standard_normal((GRID,) * 3)
    return (field - field.mean()).astype(np.float32)


def measured(seed, amplitudes, noise=0.02):
    """Spectra of networks δ = a(k) δ_h + noise, and the field of their average."""
    halos = halo_field(seed)
    wavenumber = np.linspace(0, 1, 50)
    fields = [
        apply(wavenumber, (amplitude * np.exp(-wavenumber))[None], halos[None], box_size=BOX_SIZE)
        + noise * halo_field(100 * seed + number + 1)
        for number, amplitude in enumerate(amplitudes)
    ]
    fields = np.array(fields)
    # 1 + δ is what is painted; the mean is divided out
    painted = ModelFields(1 + fields.astype(np.float64), np.ones(len(fields)), np.zeros((2, 2, 2)))
    spectra = measure_spectra(painted, halos, box_size=BOX_SIZE, seeds=range(len(fields)))
    return spectra, fields.mean(axis=0)


@pytest.fixture(scope="module")
def boxes():
    return [measured(seed, amplitudes=(0.8, 1.2)) for seed in (1, 2)]


def test_the_spectra_summed_over_the_boxes_have_the_power_of_the_halos(boxes):
    spectra = [of_box for of_box, _ in boxes]
    transfer = lagbias.power_transfer(spectra)
    filtered = [transfer.apply_to_spectra(of_box) for of_box in spectra]
    halos = sum(each.halo_power for each in filtered)
    assert np.ptp(spectra[0].ratio) > 0.3, "a(k) has no shape"
    np.testing.assert_allclose(sum(each.average_model_power for each in filtered) / halos, 1)
    np.testing.assert_allclose(sum(each.model_power for each in filtered) / halos, np.ones((2, 16)))
    for before, after in zip(spectra, filtered, strict=True):
        np.testing.assert_allclose(after.correlation, before.correlation)
        np.testing.assert_allclose(
            after.uncorrelated, before.uncorrelated * after.ratio / before.ratio
        )


def test_a_field_of_another_box_has_the_spectra_that_are_predicted(boxes):
    transfer = lagbias.power_transfer([boxes[0][0]])
    spectra, field = boxes[1]
    expected = transfer.apply_to_spectra(spectra)
    fft = RealFFT(GRID)
    modes = fft.forward(transfer.apply(field, box_size=BOX_SIZE))
    halos = fft.forward(halo_field(2))
    for found, power in (
        (auto_power(modes, BOX_SIZE), expected.average_model_power),
        (cross_power(modes, halos, BOX_SIZE), expected.average_cross_power),
    ):
        np.testing.assert_allclose(found.power, power, rtol=INTERPOLATED)


def test_equal_powers_need_no_transfer_function(boxes):
    (spectra, field), _ = boxes
    same = replace(spectra, average_model_power=spectra.halo_power)
    transfer = lagbias.power_transfer([same])
    np.testing.assert_array_equal(transfer.average, 1)
    unchanged = transfer.apply(field, box_size=BOX_SIZE)
    np.testing.assert_allclose(unchanged, field, atol=SINGLE_PRECISION)


def test_boxes_have_the_same_bins(boxes):
    spectra = boxes[0][0]
    other = replace(spectra, box_size=2 * BOX_SIZE)
    with pytest.raises(ValueError, match=r"sides of \[200.0, 400.0\] Mpc/h"):
        lagbias.power_transfer([spectra, other])
    with pytest.raises(ValueError, match="The spectra have 16 bins"):
        lagbias.power_transfer([spectra]).apply_to_spectra(other)


def test_the_stage_reads_what_is_stored(boxes, tmp_path):
    paths = [tmp_path / f"spectra{number}.h5" for number in range(2)]
    for path, (spectra, _) in zip(paths, boxes, strict=True):
        store.write(path, spectra)
    field = tmp_path / "field.h5"
    store.write(field, ModelField(evaluation=boxes[1][1].astype(np.float32), box_size=BOX_SIZE))
    spectra, model = apply_transfer(paths[:1], paths[1], field, threads=1)
    transfer = lagbias.power_transfer([boxes[0][0]])
    np.testing.assert_array_equal(spectra.ratio, transfer.apply_to_spectra(boxes[1][0]).ratio)
    np.testing.assert_array_equal(model.evaluation, transfer.apply(boxes[1][1], box_size=BOX_SIZE))
