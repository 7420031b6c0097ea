"""CIC and NGP deposits, beside abacusutils and NumPy."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from abacusnbody.analysis.cic import cic_serial
from abacusnbody.analysis.tsc import tsc_parallel

from lagbias.bias import prediction as predict
from lagbias.grids import paint

from .adapters import paint_several
from .settings import Settings
from .timing import Comparison, Contender, distances

__all__ = ["comparisons", "numpy_cic"]

#: Largest difference of a node, relative to the largest node.
TOLERANCE = 1e-6
_BECAUSE = "float32 positions within a cell, at most,"
_TSC = "abacusutils tsc_parallel (TSC, 27 nodes)"
#: Training cells are this much wider than the nodes of the evaluation grid, in the default run.
_CELL_RATIO = 4.27


def comparisons(settings: Settings, scene) -> Iterator[Comparison]:
    """Compare deposits with one weight and with several, CIC and NGP, and a whole model field."""
    positions, _, box_size = scene.box
    count, n = len(positions), settings.sizes.painting_grid
    weights = np.random.default_rng(0).exponential(size=(settings.sizes.networks, count))
    weights = weights.astype(np.float32)
    box = (positions, box_size, n, settings.threads)
    for rows in (weights[:1], weights):
        yield _comparison(
            f"CIC, {len(rows)} weight{'s' * (len(rows) > 1)}, {count} particles on {n}³",
            _cic_contenders(rows, *box),
            count,
            # positions and weights are read once, eight nodes of each grid read and written
            least_bytes=12.0 + len(rows) * 4.0,
        )
    yield _comparison(
        f"NGP, 1 weight, {count} particles on {n}³",
        _ngp_contenders(weights[0], *box),
        count,
        least_bytes=16.0,
    )
    n_cells = max(4, round(n / _CELL_RATIO))
    yield _comparison(
        f"model fields: {len(weights)} CIC on {n}³, 1 NGP on {n_cells}³",
        _field_contenders(weights, n_cells, *box),
        count,
        least_bytes=12.0 + len(weights) * 4.0,
    )


def numpy_cic(positions: np.ndarray, box_size: float, n: int, weights: np.ndarray) -> np.ndarray:
    """Paint as one would first write it: eight calls of np.add.at; float64, (n, n, n)."""
    grid = np.zeros((n, n, n))
    scaled = positions.astype(np.float64) * n / box_size
    lower = np.floor(scaled).astype(np.int64)
    upper_share = scaled - lower
    for corner in np.ndindex(2, 2, 2):
        share = np.prod(np.where(corner, upper_share, 1.0 - upper_share), axis=1)
        np.add.at(grid, tuple(((lower + corner) % n).T), weights * share)
    return grid


def _comparison(title: str, contenders: list[Contender], count: int, *, least_bytes: float):
    def check() -> dict[str, float | None]:
        found = distances(contenders, _largest)
        return {name: None if name == _TSC else value for name, value in found.items()}

    return Comparison(
        stage="painting",
        title=title,
        unit="particles",
        contenders=contenders,
        check=check,
        tolerance=TOLERANCE,
        because=_BECAUSE,
        least_bytes=least_bytes,
    )


def _largest(ours: np.ndarray, theirs: np.ndarray) -> float:
    # TSC grids differ, and are not judged
    return np.max(np.abs(ours - theirs)) / np.max(np.abs(ours))


def _cic_contenders(
    weights: np.ndarray, positions: np.ndarray, box_size: float, n: int, threads: int
) -> list[Contender]:
    def library() -> np.ndarray:
        if len(weights) > 1:
            return paint_several(positions, box_size, n, weights, threads=threads)
        one = paint.paint_cic(positions, box_size, n, weights=weights[0], threads=threads)
        return one[None]

    def one_tsc(row: np.ndarray) -> np.ndarray:
        # wrap=False: it would write to the positions, which are in the box
        return tsc_parallel(positions, n, box_size, weights=row, nthread=threads, wrap=False)

    return _contenders(
        len(positions),
        ("lagbias", library),
        ("abacusutils cic_serial", _each(partial(_abacus_cic, positions, box_size, n), weights)),
        (_TSC, _each(one_tsc, weights)),
        ("NumPy add.at", _each(partial(numpy_cic, positions, box_size, n), weights)),
    )


def _ngp_contenders(
    weights: np.ndarray, positions: np.ndarray, box_size: float, n: int, threads: int
) -> list[Contender]:
    def bincount() -> np.ndarray:
        return _numpy_ngp(positions, box_size, n, weights)

    return _contenders(
        len(positions),
        (
            "lagbias",
            lambda: paint.paint_ngp(positions, box_size, n, weights=weights, threads=threads),
        ),
        ("NumPy bincount", bincount),
    )


def _field_contenders(
    weights: np.ndarray,
    n_cells: int,
    positions: np.ndarray,
    box_size: float,
    n: int,
    threads: int,
) -> list[Contender]:
    class Known:
        """Stands for networks: its f are known."""

        def __len__(self) -> int:
            return len(weights)

        def evaluate(self, inputs: np.ndarray, *, threads: int = 1) -> np.ndarray:
            return inputs

    def library() -> np.ndarray:
        made = predict.model_fields(
            Known(),
            lambda rows: weights[:, rows],
            positions,
            box_size=box_size,
            n_grid=n,
            n_cells=n_cells,
            threads=threads,
        )
        return np.concatenate([made.fields.ravel(), made.in_cells.ravel()])

    def plain() -> np.ndarray:
        fields = [_abacus_cic(positions, box_size, n, row) for row in weights]
        mean = _numpy_ngp(positions, box_size, n_cells, weights.mean(axis=0))
        return np.concatenate([*map(np.ravel, fields), mean.ravel()])

    return _contenders(
        len(positions), ("lagbias", library), ("abacusutils cic_serial, NumPy bincount", plain)
    )


def _abacus_cic(positions: np.ndarray, box_size: float, n: int, weights: np.ndarray) -> np.ndarray:
    grid = np.zeros((n, n, n))
    cic_serial(positions, grid, box_size, weights=weights)
    return grid


def _numpy_ngp(positions: np.ndarray, box_size: float, n: int, weights: np.ndarray) -> np.ndarray:
    cells = np.floor(positions.astype(np.float64) * n / box_size + 0.5).astype(np.int64) % n
    flat = (cells[:, 0] * n + cells[:, 1]) * n + cells[:, 2]
    return np.bincount(flat, weights=weights, minlength=n**3).reshape(n, n, n)


def _each(paint_one: Callable, weights: np.ndarray) -> Callable:
    return lambda: np.stack([paint_one(row) for row in weights])


def _contenders(count: int, *named: tuple[str, Callable]) -> list[Contender]:
    return [Contender(name, run, float(count)) for name, run in named]
