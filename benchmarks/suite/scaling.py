"""How costs grow: with particles, grid cells, radii, seeds and boxes."""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lagbias.bias.ensemble import Ensemble
from lagbias.grids import paint, power
from lagbias.grids.fourier import RealFFT
from lagbias.runtime.cores import usable_cores
from lagbias.training import loop as train

from . import data
from .adapters import features_of_radii
from .settings import Settings
from .timing import say, torch_threads
from .training_stage import CELLS_PER_BATCH, PER_CELL

__all__ = ["Series", "local_slopes", "measure_scaling"]

_ROUNDS = 3


@dataclass(frozen=True)
class Series:
    """A cost as a function of one size.

    Parameters
    ----------
    name, variable : str
        What is done, and what is varied.
    sizes : sequence of int
        Its values, rising.
    prepare : callable
        Takes a size, and returns what is timed.
    """

    name: str
    variable: str
    sizes: Sequence[int]
    prepare: Callable[[int], Callable[[], object]]


def measure_scaling(settings: Settings) -> list[dict]:
    """Time every series, its sizes in turns.

    Returns
    -------
    list of dict
        ``sizes``, ``median_s`` and ``slopes``, d log t / d log n between neighbouring sizes.
    """
    results = []
    for series in _series(settings):
        say(f"scaling: {series.name} with {series.variable}")
        jobs = [series.prepare(size) for size in series.sizes]
        for job in jobs:
            job()
        times = np.array([[_timed(job) for job in jobs] for _ in range(_ROUNDS)])
        medians = np.median(times, axis=0)
        results.append(
            {
                "name": series.name,
                "variable": series.variable,
                "sizes": list(series.sizes),
                "median_s": medians.tolist(),
                "slopes": local_slopes(series.sizes, medians).tolist(),
            }
        )
    return results


def local_slopes(sizes: Sequence[float], times: Sequence[float]) -> np.ndarray:
    """Return d log t / d log n between neighbours: 1 where cost is proportional to size.

    Parameters
    ----------
    sizes, times : sequence of float, length n
        Sizes and what each cost.

    Returns
    -------
    ndarray, float64, shape (n - 1,)
        The slopes, dimensionless.
    """
    return np.diff(np.log(times)) / np.diff(np.log(sizes))


def _series(settings: Settings) -> Iterator[Series]:
    sizes = settings.sizes
    small = sizes.feature_grid < 64
    steps = [10, 30, 100, 300] if not small else [2, 4]
    yield Series(
        "training, one epoch",
        "particles",
        [int(s * CELLS_PER_BATCH * PER_CELL) for s in steps],
        lambda particles: _training(settings, particles, 3),
    )
    yield Series(
        "training, one epoch",
        "radii",
        [1, 2, 3, 5],
        lambda radii: _training(settings, int(steps[-2] * CELLS_PER_BATCH * PER_CELL), radii),
    )
    counts = [1 << k for k in ((12, 13) if small else (12, 14, 16, 18))]
    yield Series(
        "evaluation of one network",
        "particles",
        counts,
        lambda count: _evaluation(settings, count, 1),
    )
    yield Series(
        "evaluation",
        "networks (seeds)",
        [1, 2, 5],
        lambda nets: _evaluation(settings, counts[-2], nets),
    )
    sides = [16, 24, 32] if small else [64, 96, 128, 192, 256]
    yield Series(
        "features, one radius",
        "grid cells",
        [side**3 for side in sides],
        lambda cells: _features(settings, round(cells ** (1 / 3)), 1),
    )
    yield Series(
        "features", "radii", [1, 2, 3, 5], lambda radii: _features(settings, sides[-3], radii)
    )
    yield Series("painting and spectrum", "boxes", [1, 2, 4], lambda boxes: _boxes(settings, boxes))
    if not small and usable_cores() > 1:
        yield Series(
            "trainings side by side",
            "processes",
            [1, 2, 4][: usable_cores().bit_length()],
            lambda processes: _side_by_side(settings, processes),
        )


def _training(settings: Settings, particles: int, radii: int) -> Callable[[], object]:
    sizes = settings.sizes
    cells = data.training_set(round(particles / PER_CELL), PER_CELL, 2 * radii + 1)
    chosen = data.training_settings(
        hidden_layers=sizes.hidden_layers,
        width=sizes.width,
        epochs=1,
        cells_per_batch=CELLS_PER_BATCH,
    )

    def run() -> None:
        with torch_threads(settings.threads):
            train.train(cells, chosen, seed=0)

    return run


def _evaluation(settings: Settings, count: int, nets: int) -> Callable[[], object]:
    sizes = settings.sizes
    ensemble = Ensemble(data.networks(nets, 7, sizes.hidden_layers, sizes.width))
    inputs = np.random.default_rng(0).standard_normal((count, 7), np.float32)

    def run() -> None:
        with torch_threads(1):
            ensemble.evaluate(inputs, threads=settings.threads)

    return run


def _features(settings: Settings, side: int, radii: int) -> Callable[[], object]:
    box_size = data.SPACING * side
    delta = data.linear_density(side, box_size, settings.threads)
    chosen = (1.41, 2.0, 2.83, 4.0, 5.66)[:radii]
    return lambda: features_of_radii(delta, box_size, chosen, threads=settings.threads)


def _boxes(settings: Settings, boxes: int) -> Callable[[], object]:
    side, grid = settings.sizes.particles_per_side, settings.sizes.painting_grid
    positions = np.random.default_rng(0).random((side**3, 3), np.float32)
    fft = RealFFT(grid, threads=settings.threads)

    def run() -> None:
        for _ in range(boxes):
            field = paint.paint_cic(positions, 1.0, grid, threads=settings.threads)
            modes = fft.forward(paint.overdensity(field))
            power.auto_power(modes, 1.0)

    return run


def _side_by_side(settings: Settings, processes: int) -> Callable[[], object]:
    """Return equal trainings, one in each of several processes that start together."""
    particles = int(100 * CELLS_PER_BATCH * PER_CELL)

    def run() -> None:
        context = multiprocessing.get_context("spawn")
        barrier, times = context.Barrier(processes), context.Queue()
        work = (settings, particles, barrier, times)
        started = [context.Process(target=_one_of_several, args=work) for _ in range(processes)]
        for process in started:
            process.start()
        slowest = max(times.get() for _ in started)
        for process in started:
            process.join()
        return slowest

    return run


def _one_of_several(settings: Settings, particles: int, barrier, times) -> None:
    run = _training(settings, particles, 3)
    run()
    barrier.wait()
    started = time.perf_counter()
    run()
    times.put(time.perf_counter() - started)


def _timed(job: Callable[[], object]) -> float:
    """Return the time that a job took, or says that it took."""
    started = time.perf_counter()
    said = job()
    return said if isinstance(said, float) else time.perf_counter() - started
