"""Power spectra of gridded modes, beside abacusutils and NumPy."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from abacusnbody.analysis.power_spectrum import calc_pk_from_deltak

from lagbias.grids import power

from . import data
from .settings import Settings
from .timing import Comparison, Contender, distances

__all__ = ["comparisons"]

#: Relative difference of the power in a bin.
TOLERANCE = 1e-4


def comparisons(settings: Settings, _scene) -> Iterator[Comparison]:
    """Compare an auto spectrum and a cross spectrum of the same modes."""
    n, threads = settings.sizes.spectrum_grid, settings.threads
    box_size = data.SPACING * n
    first, other = (data.linear_modes(n, box_size, threads, seed=seed) for seed in (0, 1))
    # fields that correlate, so that no bin of the cross spectrum is all noise
    second = first + np.float32(0.1) * other
    del other
    for name, fields in (("auto", (first, first)), ("cross", (first, second))):
        contenders = _contenders(*fields, box_size, threads)
        yield Comparison(
            stage="spectra",
            title=f"{name} spectrum of {n}³ modes",
            unit="cells",
            contenders=contenders,
            check=partial(distances, contenders, _largest),
            tolerance=TOLERANCE,
            because="abacusutils' float32 sums over a bin's modes",
            # half of the modes are stored, complex64, and read once
            least_bytes=4.0 if fields[0] is fields[1] else 8.0,
        )


def _contenders(
    first: np.ndarray, second: np.ndarray, box_size: float, threads: int
) -> list[Contender]:
    n = len(first)
    scaled = [modes * np.float32(1.0 / n**3) for modes in (first, second)]
    same = first is second
    edges = 2 * np.pi / box_size * (np.arange(n // 2 + 1) + 0.5)

    def abacus() -> np.ndarray:
        found = calc_pk_from_deltak(
            scaled[0],
            box_size,
            edges,
            np.array([0.0, 1.0]),
            field2_fft=None if same else scaled[1],
            nthread=threads,
        )
        return found["power"]

    runs = (
        ("lagbias", lambda: power.cross_power(first, second, box_size).power),
        ("abacusutils calc_pk_from_deltak", abacus),
        ("NumPy digitize and bincount", lambda: _numpy_power(first, second, box_size, edges)),
    )
    return [Contender(name, run, float(n**3)) for name, run in runs]


def _numpy_power(
    first: np.ndarray, second: np.ndarray, box_size: float, edges: np.ndarray
) -> np.ndarray:
    """Measure with whole grids of k, as one would first write it."""
    n = len(first)
    axis = 2 * np.pi * np.fft.fftfreq(n, box_size / n)
    half = np.abs(axis[: n // 2 + 1])
    k = np.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + half[None, None, :] ** 2)
    twice = np.where((np.arange(n // 2 + 1) % (n // 2)) == 0, 1.0, 2.0)
    weight = np.broadcast_to(twice, k.shape).ravel()
    product = (first * second.conj()).real.astype(np.float64)
    bins = np.digitize(k.ravel(), edges)
    total = np.bincount(bins, weights=weight * product.ravel(), minlength=len(edges) + 1)
    modes = np.bincount(bins, weights=weight, minlength=len(edges) + 1)
    return (total / modes)[1:-1] * box_size**3 / float(n) ** 6


def _largest(ours: np.ndarray, theirs: np.ndarray) -> float:
    # the last bin holds modes of the Nyquist plane, which abacusutils counts twice
    return np.max(np.abs(theirs[:-1] / ours[:-1] - 1.0))
