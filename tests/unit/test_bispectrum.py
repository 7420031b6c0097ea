"""Bispectrum: every triangle of a small grid, a planted second order, and translations."""

import itertools

import numpy as np
import pytest

from lagbias.grids.bispectrum import bispectrum, equilateral, reduced_bispectrum, squeezed
from lagbias.grids.paint import overdensity, paint_cic
from lagbias.grids.power import auto_power

BOX_SIZE = 500.0
FUNDAMENTAL = 2 * np.pi / BOX_SIZE
# Rounding of float32 fields of shells, in units of √(P1 P2 P3 V) / √N_triangles, the scatter of B
# in a Gaussian field.
SINGLE_PRECISION = 1e-5
# Sampling of the planted amplitude: three times its scatter over 20 seeds, 0.02. The next order in
# α is smaller by α² σ² ~ 0.0006.
PLANTED = 0.06
# Of the largest B: fields of shells are float32 here, positions are float32 for both.
TRIUMVIRATE = 2e-5


def modes_of(field):
    return np.fft.rfftn(field).astype(np.complex64)


def noise(n, seed=0):
    return np.random.default_rng(seed).standard_normal((n, n, n))


def scatter(result):
    """√(P1 P2 P3 V / N_triangles) of each triangle."""
    product = result.power[result.triangles].prod(axis=1)
    return np.sqrt(product * BOX_SIZE**3 / result.n_triangles)


def brute_force(field, width, n_shells):
    """Sum δ1 δ2 δ3 and one over all triples of modes n1 + n2 + n3 = 0, by shells."""
    n = len(field)
    modes = np.fft.fftn(field)
    largest = range(-(n // 3), n // 3 + 1)
    shells = {}
    for vector in itertools.product(largest, repeat=3):
        # (i - 1/2) w ≤ |n| < (i + 1/2) w in integers
        squared = 4 * sum(c**2 for c in vector)
        for i in range(1, n_shells + 1):
            if ((2 * i - 1) * width) ** 2 <= squared < ((2 * i + 1) * width) ** 2:
                shells[vector] = i - 1
    sums, counts = np.zeros((2, *[n_shells] * 3), dtype=complex)
    for (a, shell_a), (b, shell_b) in itertools.product(shells.items(), repeat=2):
        c = tuple(-p - q for p, q in zip(a, b, strict=True))
        if c in shells:
            triple = shell_a, shell_b, shells[c]
            sums[triple] += modes[a] * modes[b] * modes[c]
            counts[triple] += 1
    return sums, counts.real, np.bincount(list(shells.values()), minlength=n_shells)


@pytest.mark.parametrize(("n", "width", "n_shells"), [(12, 1, 3), (13, 1, 3), (12, 2, 1)])
def test_equals_the_sum_over_all_triangles(n, width, n_shells):
    field = noise(n) + 0.5 * noise(n) ** 2
    sums, counts, n_modes = brute_force(field, width, n_shells)
    k_max = (n_shells + 0.5) * width * FUNDAMENTAL
    result = bispectrum(modes_of(field), BOX_SIZE, width=width, k_max=k_max)
    ordered = [t for t in np.argwhere(counts > 0) if t[0] >= t[1] >= t[2]]
    np.testing.assert_array_equal(result.triangles, ordered)
    at = tuple(result.triangles.T)
    np.testing.assert_array_equal(result.n_triangles, counts[at])
    np.testing.assert_array_equal(result.n_modes, n_modes)
    expected = (sums[at] / counts[at]).real * BOX_SIZE**6 / n**9
    error = np.abs(result.values - expected)
    assert np.all(error < SINGLE_PRECISION * scatter(result))
    np.testing.assert_allclose(result.k, width * FUNDAMENTAL * np.arange(1, n_shells + 1))


def test_shells_of_width_one_are_bins_of_the_power_spectrum():
    """On the smaller grid of the transforms, too."""
    modes = modes_of(noise(60))
    result, power = bispectrum(modes, BOX_SIZE, width=1, k_max=0.1), auto_power(modes, BOX_SIZE)
    assert len(result.k) == 7
    for name in ("k", "power", "n_modes"):
        np.testing.assert_allclose(
            getattr(result, name), getattr(power, name)[:7], rtol=SINGLE_PRECISION, err_msg=name
        )


def test_size_of_the_grid_does_not_matter():
    """The same modes on a grid at the limit of aliasing and on a finer one."""
    fine = modes_of(noise(48))
    keep = np.r_[:9, -9:0]
    coarse = fine[np.ix_(keep, keep, range(10))] * np.float32((18 / 48) ** 3)
    a, b = (
        bispectrum(modes, BOX_SIZE, width=2, k_max=6 * FUNDAMENTAL, threads=2)
        for modes in (fine, coarse)
    )
    np.testing.assert_array_equal(a.n_triangles, b.n_triangles)
    assert np.all(np.abs(a.values - b.values) < SINGLE_PRECISION * scatter(a))


def planted(alpha, n=48, sigma=0.05):
    """Return B of g + α g² for Gaussian g whose power depends on the shell alone."""
    index = np.fft.fftfreq(n, 1 / n)
    length = np.sqrt(index[:, None, None] ** 2 + index[:, None] ** 2 + index[: n // 2 + 1] ** 2)
    # modes of g below N/3 only: aliases of g² are above
    amplitude = np.where((length >= 0.5) & (length < n / 3), np.maximum(np.rint(length), 1), np.inf)
    modes = np.fft.rfftn(noise(n, 3)) * amplitude**-0.75
    gaussian = np.fft.irfftn(modes, s=(n, n, n), axes=(0, 1, 2))
    gaussian *= sigma / gaussian.std()
    field = modes_of(gaussian + alpha * gaussian**2)
    return bispectrum(field, BOX_SIZE, width=1, k_max=(n // 3 - 0.5) * FUNDAMENTAL)


def test_planted_second_order():
    """B = 2 α (P1 P2 + P2 P3 + P3 P1), so Q = 2 α."""
    alpha = 0.5
    up, gaussian, down = (planted(factor) for factor in (alpha, 0.0, -alpha))
    odd = (up.values - down.values) / 2  # without the larger scatter of the Gaussian's own B
    p1, p2, p3 = gaussian.power[gaussian.triangles.T]
    tree = 2 * alpha * (p1 * p2 + p2 * p3 + p3 * p1)
    weight = gaussian.n_triangles / (p1 * p2 * p3)
    assert (weight * odd * tree).sum() / (weight * tree**2).sum() == pytest.approx(1, abs=PLANTED)
    np.testing.assert_allclose(
        reduced_bispectrum(tree, gaussian.power, gaussian.triangles), 2 * alpha, rtol=1e-12
    )
    np.testing.assert_array_equal(up.reduced, reduced_bispectrum(up.values, up.power, up.triangles))


def test_translations_do_not_matter():
    field = noise(24) ** 2
    a, b = (
        bispectrum(modes_of(moved), BOX_SIZE, width=2, k_max=8 * FUNDAMENTAL)
        for moved in (field, np.roll(field, (3, 7, 11), axis=(0, 1, 2)))
    )
    assert np.all(np.abs(a.values - b.values) < SINGLE_PRECISION * scatter(a))


@pytest.mark.filterwarnings("ignore:The following parameter default values:UserWarning")
def test_equals_triumvirate(monkeypatch):
    """Average over k3, the monopole of Triumvirate's bispectrum of a catalogue."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # read at the import: more threads than cores crawl
    from triumvirate.catalogue import ParticleCatalogue
    from triumvirate.dataobjs import Binning
    from triumvirate.threept import compute_bispec_in_gpp_box

    n, n_shells, count = 24, 3, 20_000
    rng = np.random.default_rng(1)
    clumps = np.repeat(rng.uniform(0, BOX_SIZE, (count // 10, 3)), 10, axis=0)
    position = ((clumps + rng.normal(0, 15, (count, 3))) % BOX_SIZE).astype(np.float32)

    edges = {"bin_min": 0.5 * FUNDAMENTAL, "bin_max": (n_shells + 0.5) * FUNDAMENTAL}
    theirs = compute_bispec_in_gpp_box(
        ParticleCatalogue(*position.T.astype(float), nz=count / BOX_SIZE**3),
        degrees=(0, 0, 0),
        binning=Binning("fourier", "lin", num_bins=n_shells, **edges),
        form="full",  # k2 >= k1
        sampling_params={
            "boxsize": [BOX_SIZE] * 3,
            "ngrid": [n] * 3,
            "alignment": "centre",
            "assignment": "cic",
            "interlace": False,
        },
    )

    modes = np.fft.rfftn(overdensity(paint_cic(position, BOX_SIZE, n)))
    window = np.sinc(np.fft.fftfreq(n)) ** 2
    modes /= window[:, None, None] * window[:, None] * window[: n // 2 + 1]
    # shells up to 2 n_shells + 1 hold every k3
    ours = bispectrum(modes, BOX_SIZE, width=1, k_max=(2 * n_shells + 1.6) * FUNDAMENTAL)
    of_triangle = {
        tuple(triangle): total
        for triangle, total in zip(
            ours.triangles, (ours.n_triangles * ours.values).tolist(), strict=True
        )
    }
    mean = [
        sum(
            of_triangle.get(tuple(sorted((i, j, third), reverse=True)), 0.0)
            for third in range(len(ours.k))
        )
        / (ours.n_modes[i] * ours.n_modes[j])
        for i, j in zip(*np.triu_indices(n_shells), strict=True)
    ]
    largest = np.abs(mean).max()
    assert np.allclose(mean, theirs["bk_raw"].real, rtol=0, atol=TRIUMVIRATE * largest)


def test_configurations():
    result = bispectrum(modes_of(noise(24)), BOX_SIZE, width=1, k_max=8 * FUNDAMENTAL)
    assert result.triangles[equilateral(result.triangles)].tolist() == [[i] * 3 for i in range(7)]
    found = result.triangles[squeezed(result.triangles)].tolist()
    assert found == [[i, i, 0] for i in range(3, 7)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 1, "k_max": 8.1 * FUNDAMENTAL}, "two thirds of the Nyquist"),
        ({"width": 0, "k_max": 0.05}, "width is 0"),
        ({"width": 1.5, "k_max": 0.05}, "width is 1.5"),
        ({"width": 5, "k_max": 7 * FUNDAMENTAL}, "No shell"),
    ],
)
def test_refuses_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        bispectrum(modes_of(noise(24)), BOX_SIZE, **settings)


def test_refuses_other_shapes():
    with pytest.raises(ValueError, match="shape"):
        bispectrum(np.zeros((8, 8, 8), np.complex64), BOX_SIZE, width=1, k_max=0.02)
