"""Model halo fields and their spectra (Wu, Muñoz & Eisenstein 2023, §3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from lagbias.bias.spectra import Spectra
from lagbias.grids import paint
from lagbias.grids.fourier import RealFFT
from lagbias.grids.power import auto_power, cross_power
from lagbias.grids.second_order import second_order_field
from lagbias.runtime.progress import bar
from lagbias.schema.fields import array, number
from lagbias.schema.labels import EvaluationLabels

__all__ = ["ModelField", "ModelFields", "Weights", "measure_spectra", "model_fields"]

#: Particles per chunk: few enough for their inputs to reuse the same memory.
_CHUNK = 1 << 18


class Weights(Protocol):
    """Weights f of particles: an `Ensemble` or a `BinnedF`."""

    def __len__(self) -> int:
        """Return the number of networks or tables."""

    def evaluate(self, inputs: np.ndarray, *, threads: int = 1) -> np.ndarray:
        """Return f, float32, shape (len(self), P)."""


def _no_cells() -> np.ndarray:
    return np.empty((0, 0, 0), np.float32)


@dataclass(frozen=True, kw_only=True)
class ModelField(EvaluationLabels):
    """Overdensity of an ensemble's average f, or of another model, on the grids of one box."""

    KIND: ClassVar[str] = "model_field"
    average: np.ndarray = array(
        "1",
        "cx cy cz",
        "overdensity on the training cells, NGP; of no cells for baselines",
        default_factory=_no_cells,
    )
    evaluation: np.ndarray = array("1", "x y z", "overdensity on the evaluation grid, CIC")
    box_size: float = number("Mpc/h", "side of the box", default=0.0)


class ModelFields(NamedTuple):
    """Painted weights of particles, dimensionless."""

    fields: np.ndarray  # Σ f of each network on the evaluation grid, CIC, (n_nets, n, n, n)
    mean_f: np.ndarray  # ⟨f⟩ of each network over all particles, (n_nets,)
    in_cells: np.ndarray  # Σ average f in the training cells, NGP, (c, c, c)


def model_fields(
    ensemble: Weights,
    inputs_of: Callable[[slice], np.ndarray],
    positions: np.ndarray,
    *,
    box_size: float,
    n_grid: int,
    n_cells: int,
    threads: int = 1,
) -> ModelFields:
    """Paint f of every network, a chunk of particles at a time.

    Parameters
    ----------
    ensemble : Ensemble or BinnedF
    inputs_of : callable
        Returns the ensemble's inputs, float32, shape (p, n_inputs), of a slice of particles.
    positions : ndarray, float32, shape (P, 3)
        Final positions of all particles [Mpc/h], in [0, L).
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    n_grid, n_cells : int, keyword-only
        Nodes per side of the evaluation grid, and cells per side of the training grid.
    threads : int, keyword-only
        Threads of evaluation and painting.
    """
    fields = np.zeros((len(ensemble), n_grid, n_grid, n_grid))
    in_cells = np.zeros((n_cells, n_cells, n_cells))
    total = np.zeros(len(ensemble))
    for first in bar(range(0, len(positions), _CHUNK), desc="painting the model"):
        rows = slice(first, min(first + _CHUNK, len(positions)))
        f = ensemble.evaluate(inputs_of(rows), threads=threads)
        total += f.sum(axis=1, dtype=np.float64)
        paint.paint_cic(positions[rows], box_size, n_grid, weights=f, threads=threads, out=fields)
        in_cells += paint.paint_ngp(
            positions[rows], box_size, n_cells, weights=f.mean(axis=0), threads=threads
        )
    return ModelFields(fields, total / len(positions), in_cells)


def measure_spectra(
    painted: ModelFields,
    halo_overdensity: np.ndarray,
    *,
    box_size: float,
    seeds: Sequence[int],
    threads: int = 1,
) -> Spectra:
    """Measure the power of the model halo field and its correlation with the true one.

    Each model field is divided by its ⟨f⟩; the average field is that of the mean f. Neither shot
    noise nor the CIC window is corrected for; the window cancels in ratios.

    Parameters
    ----------
    painted : ModelFields
    halo_overdensity : ndarray, float32, shape (n, n, n)
        δ_h on the evaluation grid, painted with CIC, dimensionless.
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    seeds : sequence of int, keyword-only
        Seed of each network.
    threads : int, keyword-only
        Threads of the transforms.

    Returns
    -------
    Spectra
        Without labels.
    """
    fields, mean_f = painted.fields, painted.mean_f
    fft = RealFFT(len(halo_overdensity), threads=threads)
    halo_modes = fft.forward(halo_overdensity)
    halo = auto_power(halo_modes, box_size)
    networks = np.array([_spectra(field, halo_modes, fft, box_size) for field in fields])
    # painting is linear: the mean of the fields is the field of the mean f
    average = _spectra(fields.mean(axis=0), halo_modes, fft, box_size)
    return Spectra(
        k=halo.k,
        n_modes=halo.n_modes,
        halo_power=halo.power,
        model_power=networks[:, 0],
        cross_power=networks[:, 1],
        average_model_power=average[0],
        average_cross_power=average[1],
        mean_f=mean_f,
        average_mean_f=np.array([mean_f.mean()]),
        seeds=np.array(seeds, dtype=np.int64),
        second_order={"networks": networks[:, 2:], "average": average[2:]},
        box_size=float(box_size),
        n_grid=len(halo_overdensity),
    )


def _spectra(
    field: np.ndarray, halo_modes: np.ndarray, fft: RealFFT, box_size: float
) -> np.ndarray:
    """Return P_model and P_hm of a painted field, and P of its δ₂ with itself, δ_model and δ_h."""
    modes = fft.forward(paint.overdensity(field))
    square = fft.forward(second_order_field(modes, box_size=box_size, fft=fft))
    pairs = (
        (modes, modes),
        (modes, halo_modes),
        (square, square),
        (square, modes),
        (square, halo_modes),
    )
    return np.array([cross_power(*pair, box_size).power for pair in pairs])
