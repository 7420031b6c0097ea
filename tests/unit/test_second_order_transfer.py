"""The transfer functions that give networks the power and the bispectrum of the halos."""

from dataclasses import replace

import numpy as np
import pytest

from lagbias.artefacts import store
from lagbias.bias.prediction import ModelField, ModelFields, measure_spectra
from lagbias.bias.second_order_transfer import second_order_transfer
from lagbias.bias.spectra import rebin
from lagbias.grids.bispectrum import bispectrum
from lagbias.grids.fourier import RealFFT
from lagbias.grids.power import auto_power, cross_power, mean_wavenumbers
from lagbias.stages.apply_transfer import apply_transfer

BOX_SIZE, GRID = 200.0, 32
#: Networks are these times a field that the halos follow from.
AMPLITUDES = np.array([0.8, 1.2])
#: T₁ and T₂ change by 4 % within a bin; they are constant in the outer halves of the first and the
#: last bin.
INTERPOLATED = 0.02
#: Of amplitudes with five pairs of seeds, 0.97 to 1.02: noise of the halos, and bins of T.
NOISY = 0.04


def smooth(field, window):
    """Multiply the modes of a field by a function of k."""
    frequencies = 2 * np.pi * GRID / BOX_SIZE * np.array(np.fft.fftfreq(GRID))
    kx, ky, kz = np.meshgrid(frequencies, frequencies, frequencies, indexing="ij")
    return np.fft.ifftn(np.fft.fftn(field) * window(np.sqrt(kx**2 + ky**2 + kz**2))).real


def first_order(k):
    """T₁ that is planted."""
    return 1.5 * np.exp(-k)


def second_order(k):
    """T₂ that is planted."""
    return -0.4 * np.exp(-0.5 * k)


def squared(field):
    """δ₂ with R = 4 Mpc/h."""
    square = smooth(field, lambda k: np.exp(-((4 * k) ** 2) / 2)) ** 2
    return square - square.mean()


def planted(seed, noise=0.0):
    """A field, and halos of which the parts of first and of second order are known."""
    generator = np.random.default_rng(seed)
    field = generator.standard_normal((GRID,) * 3)
    field -= field.mean()
    halos = smooth(field, first_order) + smooth(squared(field), second_order)
    halos += noise * generator.standard_normal(halos.shape)
    return field, (halos - halos.mean()).astype(np.float32)


def measured(seed, noise=0.0):
    """Spectra of networks, the field of their average, and the halos."""
    field, halos = planted(seed, noise)
    fields = AMPLITUDES[:, None, None, None] * field
    # 1 + δ is what is painted; the mean is divided out
    painted = ModelFields(1 + fields, np.ones(len(fields)), np.zeros((2, 2, 2)))
    spectra = measure_spectra(painted, halos, box_size=BOX_SIZE, seeds=range(len(fields)))
    return spectra, fields.mean(axis=0).astype(np.float32), halos


@pytest.fixture(scope="module")
def boxes():
    return [measured(seed, noise=0.1) for seed in (1, 2)]


def test_planted_functions_are_found():
    transfer = second_order_transfer([measured(1)[0], measured(2)[0]])
    planted_ones = np.array([first_order(transfer.k), second_order(transfer.k)])
    np.testing.assert_allclose(transfer.average, planted_ones, rtol=INTERPOLATED)
    # the field of a network is its amplitude times the planted one, its square that squared
    powers = AMPLITUDES[:, None] ** np.array([-1, -2])
    np.testing.assert_allclose(
        transfer.networks, powers[..., None] * planted_ones, rtol=INTERPOLATED
    )


def test_the_spectra_summed_over_the_boxes_have_the_power_of_the_halos(boxes):
    spectra = [of_box for of_box, *_ in boxes]
    transfer = second_order_transfer(spectra)
    filtered = [transfer.apply_to_spectra(of_box) for of_box in spectra]
    halos = sum(each.halo_power for each in filtered)
    assert np.ptp(spectra[0].ratio) > 0.3, "T₁ has no shape"
    np.testing.assert_allclose(sum(each.average_model_power for each in filtered) / halos, 1)
    np.testing.assert_allclose(sum(each.model_power for each in filtered) / halos, np.ones((2, 16)))
    for before, after in zip(spectra, filtered, strict=True):
        assert np.all(after.correlation > before.correlation)


def test_another_box_has_the_spectra_that_are_predicted(boxes):
    transfer = second_order_transfer([boxes[0][0]])
    spectra, field, halos = boxes[1]
    expected = transfer.apply_to_spectra(spectra)
    fft = RealFFT(GRID)
    modes = fft.forward(transfer.apply(field, box_size=BOX_SIZE))
    for found, power in (
        (auto_power(modes, BOX_SIZE), expected.average_model_power),
        (cross_power(modes, fft.forward(halos), BOX_SIZE), expected.average_cross_power),
    ):
        np.testing.assert_allclose(found.power, power, rtol=INTERPOLATED)


def test_the_bispectrum_is_that_of_the_halos(boxes):
    _, field, halos = boxes[1]
    transfer = second_order_transfer([boxes[0][0]])
    fft = RealFFT(GRID)
    true, before, after = (
        bispectrum(fft.forward(each), BOX_SIZE, width=2, k_max=0.3)
        for each in (halos, field, transfer.apply(field, box_size=BOX_SIZE))
    )

    def amplitude(found):
        return np.sum(true.n_triangles * true.values * found.values) / np.sum(
            true.n_triangles * true.values**2
        )

    assert amplitude(before) < 0.5, "a Gaussian field has none but by chance"
    assert amplitude(after) == pytest.approx(1, abs=NOISY)


def test_boxes_have_the_same_bins(boxes):
    spectra = boxes[0][0]
    other = replace(spectra, box_size=2 * BOX_SIZE)
    with pytest.raises(ValueError, match=r"sides of \[200.0, 400.0\] Mpc/h"):
        second_order_transfer([spectra, other])


def test_functions_are_interpolated_to_the_bins_of_other_boxes(boxes):
    spectra = boxes[0][0]
    transfer = second_order_transfer([spectra])
    larger = transfer.apply_to_spectra(replace(spectra, box_size=1.2 * BOX_SIZE))
    k = mean_wavenumbers(GRID, 1.2 * BOX_SIZE)
    first, second = (np.interp(k, transfer.k, values) for values in transfer.average)
    _, _, with_halos = spectra.second_order["average"]
    expected = first * spectra.average_cross_power + second * with_halos
    np.testing.assert_allclose(larger.average_cross_power, expected)


def test_networks_of_another_ensemble_are_named(boxes):
    spectra = boxes[0][0]
    one = replace(spectra, model_power=spectra.model_power[:1])
    with pytest.raises(ValueError, match="of 1 networks, the transfer functions of 2"):
        second_order_transfer([spectra]).apply_to_spectra(one)


@pytest.mark.parametrize("lost", ["merged bins", "transfer functions"])
def test_spectra_of_second_order_are_needed(boxes, lost):
    spectra = boxes[0][0]
    transfer = second_order_transfer([spectra])
    without = {
        "merged bins": replace(spectra, second_order=rebin(spectra).second_order),
        "transfer functions": transfer.apply_to_spectra(spectra),
    }[lost]
    with pytest.raises(ValueError, match="none of second order"):
        transfer.apply_to_spectra(without)
    with pytest.raises(ValueError, match="none of second order"):
        second_order_transfer([without])


def test_the_stage_reads_what_is_stored(boxes, tmp_path):
    paths = [tmp_path / f"spectra{number}.h5" for number in range(2)]
    for path, (spectra, *_) in zip(paths, boxes, strict=True):
        store.write(path, spectra)
    field = tmp_path / "field.h5"
    store.write(field, ModelField(evaluation=boxes[1][1], box_size=BOX_SIZE))
    spectra, model = apply_transfer(paths[:1], paths[1], field, threads=1)
    transfer = second_order_transfer([boxes[0][0]])
    np.testing.assert_array_equal(spectra.ratio, transfer.apply_to_spectra(boxes[1][0]).ratio)
    np.testing.assert_array_equal(model.evaluation, transfer.apply(boxes[1][1], box_size=BOX_SIZE))
