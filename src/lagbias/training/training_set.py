"""The particles of one network's training, grouped by cell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lagbias.grids import paint
from lagbias.grids.weighted_fields import paint_weighted
from lagbias.training.morton import morton_order
from lagbias.training.subsample import DRAWS, Subsample

__all__ = [
    "BoxField",
    "TrainingSet",
    "build_training_set",
    "build_training_sets",
    "draw",
    "join",
    "sample_box",
    "some_cells",
    "with_fields",
]


@dataclass(frozen=True)
class BoxField:
    """The fields of one box, for the Fourier-space loss.

    Parameters
    ----------
    position : ndarray, float32, shape (p, 3)
        Final positions of the sub-sample [Mpc/h], in [0, L), in the order of the inputs.
    overdensity : ndarray, float32, shape (n, n, n)
        δ_h, painted with CIC, dimensionless.
    box_size : float
        Side L of the periodic box [Mpc/h].
    paint : callable
        Takes a function from inputs (p, n_inputs) to f (p,), and returns the overdensity of all
        particles weighted with f, painted alike.
    """

    position: np.ndarray
    overdensity: np.ndarray
    box_size: float
    paint: Callable[[Callable[[np.ndarray], np.ndarray]], np.ndarray]


@dataclass(frozen=True)
class TrainingSet:
    """Training data of a network.

    Parameters
    ----------
    inputs : ndarray, float32, shape (p, n_inputs)
        Whitened features, sorted by cell, dimensionless.
    cell_start : ndarray, int64, shape (c + 1,)
        Cell j holds the rows ``cell_start[j]:cell_start[j + 1]``; occupied cells only.
    cell_factor : ndarray, float32, shape (c,)
        (n_j / n_j^sub)(N_cell / N_part): 1 + δ_model,j is this times the sum of f.
    target : ndarray, float32, shape (c,)
        1 + δ_h of the cell, dimensionless.
    n_cells : int
        All cells of the grid, occupied or not.
    cell_index : ndarray, int64, shape (c,)
        Flat index (C order) of the occupied cells in the grid, ascending. Several boxes have
        their grids one after another.
    fields : tuple of BoxField
        The fields of each box, for Fourier-space steps; empty without them.

    Raises
    ------
    ValueError
        If the arrays are inconsistent.
    """

    inputs: np.ndarray
    cell_start: np.ndarray
    cell_factor: np.ndarray
    target: np.ndarray
    n_cells: int
    cell_index: np.ndarray
    fields: tuple[BoxField, ...] = ()

    def __post_init__(self):
        cells = len(self.cell_factor)
        fits = (
            self.inputs.ndim == 2
            and self.cell_start.shape == (cells + 1,)
            and self.target.shape == (cells,)
            and self.cell_index.shape == (cells,)
            and 0 < cells <= self.n_cells
            and self.cell_start[0] == 0
            and self.cell_start[-1] == len(self.inputs)
            and bool(np.all(np.diff(self.cell_start) > 0))
            and sum(len(field.position) for field in self.fields) in (0, len(self.inputs))
        )
        if not fits:
            raise ValueError(
                f"Inconsistent training set: inputs {self.inputs.shape}, cell_start "
                f"{self.cell_start.shape}, cell_factor {self.cell_factor.shape}, target "
                f"{self.target.shape}, cell_index {self.cell_index.shape}, n_cells "
                f"{self.n_cells}, {len(self.fields)} fields. cell_start must increase from 0 to "
                f"the number of inputs and have one entry more than the others; fields have a "
                f"position for each input."
            )

    def cells_of_first_box(self) -> tuple[int, int]:
        """Return how many occupied cells, and how many in all, are in the first box's grid."""
        n_cells = self.n_cells // len(self.fields)
        return int(np.searchsorted(self.cell_index, n_cells)), n_cells


def build_training_set(
    subsample: Subsample, inputs: np.ndarray, halo_overdensity: np.ndarray
) -> TrainingSet:
    """Build a training set from a sub-sample.

    Parameters
    ----------
    subsample : Subsample
        The selected particles.
    inputs : ndarray, float32, shape (p, n_inputs)
        Whitened features of ``subsample.particles``, in that order, dimensionless.
    halo_overdensity : ndarray, shape (n, n, n)
        δ_h on the training grid, dimensionless.

    Returns
    -------
    TrainingSet
        With one factor n_j / n_j^sub per cell: a single factor for all cells would be biased,
        because the number of selected particles is rounded down.
    """
    sampling = subsample.n_all / subsample.n_sub
    per_cell = halo_overdensity.size / subsample.n_all.sum()
    return TrainingSet(
        inputs=np.ascontiguousarray(inputs, np.float32),
        cell_start=np.concatenate(([0], np.cumsum(subsample.n_sub))),
        cell_factor=(sampling * per_cell).astype(np.float32),
        target=(1.0 + halo_overdensity.reshape(-1)[subsample.cells]).astype(np.float32),
        n_cells=halo_overdensity.size,
        cell_index=subsample.cells.astype(np.int64),
    )


def sample_box(
    positions: np.ndarray,
    lagrangian_site: np.ndarray,
    halo_overdensity: np.ndarray,
    inputs_of: Callable[[np.ndarray], np.ndarray],
    *,
    box_size: float,
    n_side: int,
    fraction: float,
    sampling: str,
    seeds: Sequence[int],
    evaluation: np.ndarray | None = None,
    threads: int = 1,
) -> list[TrainingSet]:
    """Draw sub-samples of a box and build their training sets.

    Parameters
    ----------
    positions, lagrangian_site, box_size, n_side, fraction, sampling, seeds
        As in `draw`.
    halo_overdensity : ndarray, shape (n, n, n)
        δ_h on the training grid, dimensionless.
    inputs_of : callable
        Takes rows of particles, int64, (p,), and returns their inputs (p, n_inputs), float32. It is
        called once with the rows of all sub-samples; for `evaluation` also with slices.
    evaluation : ndarray, float32, shape (m, m, m), optional, keyword-only
        δ_h on the evaluation grid, painted with CIC: for the Fourier-space loss.
    threads : int, keyword-only
        Threads of painting all particles for it.

    Returns
    -------
    list of TrainingSet
        The occupied cells, with the inputs of their particles, of each sub-sample.
    """
    drawn = draw(
        positions,
        lagrangian_site,
        box_size=box_size,
        n_cells=len(halo_overdensity),
        n_side=n_side,
        fraction=fraction,
        sampling=sampling,
        seeds=seeds,
    )
    sets = build_training_sets(drawn, inputs_of, halo_overdensity)
    if evaluation is None:
        return sets
    return with_fields(
        sets, drawn, positions, inputs_of, evaluation, box_size=box_size, threads=threads
    )


def draw(
    positions: np.ndarray,
    lagrangian_site: np.ndarray,
    *,
    box_size: float,
    n_cells: int,
    n_side: int,
    fraction: float,
    sampling: str,
    seeds: Sequence[int],
) -> list[Subsample]:
    """Draw sub-samples from the cells of the training grid.

    Parameters
    ----------
    positions : ndarray, float32, shape (P, 3)
        Final positions [Mpc/h], in [0, L).
    lagrangian_site : ndarray, integer, shape (P,)
        Flat index (C order) of the initial-grid node of each particle.
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    n_cells : int, keyword-only
        Cells of the training grid per side.
    n_side : int, keyword-only
        Nodes of the initial grid per side.
    fraction : float, keyword-only
        Fraction of each cell's particles, in (0, 1].
    sampling : str, keyword-only
        A name in `lagbias.training.subsample.DRAWS`.
    seeds : sequence of int, keyword-only
        Seeds of the random numbers, one for each sub-sample.
    """
    cells = paint.cell_index(positions, box_size, n_cells)
    # the same for all sub-samples
    order = morton_order(lagrangian_site, n_side) if sampling == "even" else None
    return [
        DRAWS[sampling](cells, n_cells**3, fraction, np.random.default_rng(seed), order=order)
        for seed in seeds
    ]


def build_training_sets(
    drawn: Sequence[Subsample],
    inputs_of: Callable[[np.ndarray], np.ndarray],
    halo_overdensity: np.ndarray,
) -> list[TrainingSet]:
    """Build the training sets of sub-samples, whose inputs are read at once; see `sample_box`."""
    inputs = inputs_of(np.concatenate([each.particles for each in drawn]))
    ends = np.cumsum([len(each.particles) for each in drawn])
    return [
        build_training_set(each, its_inputs, halo_overdensity)
        for each, its_inputs in zip(drawn, np.split(inputs, ends[:-1]), strict=True)
    ]


def with_fields(
    sets: Sequence[TrainingSet],
    drawn: Sequence[Subsample],
    positions: np.ndarray,
    inputs_of: Callable[[slice], np.ndarray],
    evaluation: np.ndarray,
    *,
    box_size: float,
    threads: int = 1,
) -> list[TrainingSet]:
    """Add to training sets the fields of their box; see `sample_box`."""

    def paint_all(f_of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        painted = paint_weighted(
            lambda rows: f_of(inputs_of(rows))[None],
            positions,
            n_weights=1,
            box_size=box_size,
            n_grid=len(evaluation),
            threads=threads,
        )
        return painted.fields[0]

    return [
        replace(
            each,
            fields=(BoxField(positions[chosen.particles], evaluation, box_size, paint_all),),
        )
        for each, chosen in zip(sets, drawn, strict=True)
    ]


def some_cells(training_set: TrainingSet, count: int, seed: int) -> TrainingSet:
    """Draw cells of a training set, without its fields.

    Parameters
    ----------
    training_set : TrainingSet
    count : int
        Occupied cells of the result, unless there are fewer.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    TrainingSet
        With a share of the empty cells as well; `training_set` itself if it has no more cells.
    """
    occupied = len(training_set.target)
    if occupied <= count:
        return training_set
    chosen = np.zeros(occupied, bool)
    chosen[np.random.default_rng(seed).choice(occupied, count, replace=False)] = True
    size = np.diff(training_set.cell_start)
    return TrainingSet(
        inputs=training_set.inputs[np.repeat(chosen, size)],
        cell_start=np.concatenate(([0], np.cumsum(size[chosen]))),
        cell_factor=training_set.cell_factor[chosen],
        target=training_set.target[chosen],
        n_cells=max(count, round(training_set.n_cells * count / occupied)),
        cell_index=training_set.cell_index[chosen],
    )


def join(sets: Sequence[TrainingSet]) -> TrainingSet:
    """Join the training sets of boxes with equal cells into one."""
    if len(sets) == 1:
        return sets[0]
    rows = np.cumsum([0, *(len(each.inputs) for each in sets)])
    cells = np.cumsum([0, *(each.n_cells for each in sets)])

    def together(name: str) -> np.ndarray:
        return np.concatenate([getattr(each, name) for each in sets])

    starts = [each.cell_start[:-1] + row for each, row in zip(sets, rows[:-1], strict=True)]
    index = [each.cell_index + first for each, first in zip(sets, cells[:-1], strict=True)]
    return TrainingSet(
        inputs=together("inputs"),
        cell_start=np.concatenate([*starts, rows[-1:]]),
        cell_factor=together("cell_factor"),
        target=together("target"),
        n_cells=int(cells[-1]),
        cell_index=np.concatenate(index),
        fields=tuple(field for each in sets for field in each.fields),
    )
