"""From networks to the spectra of their halo fields (Wu, Muñoz & Eisenstein 2023, §3)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from lagbias.artefacts import store
from lagbias.grids import paint
from lagbias.grids.fourier import RealFFT
from lagbias.grids.power import auto_power, cross_and_auto_power
from lagbias.runtime.progress import bar

__all__ = ["ModelFields", "Weights", "evaluate", "measure_spectra", "model_fields"]

#: Particles handled at a time: few, so that their inputs take memory that is used again and again.
_CHUNK = 1 << 18


class Weights(Protocol):
    """What gives particles their weights: networks, or a table."""

    def __len__(self) -> int:
        """Return how many there are."""

    def f(self, inputs: np.ndarray, *, threads: int = 1) -> np.ndarray:
        """Return f of each, float32, shape (len(self), P)."""


class ModelFields(NamedTuple):
    """Halo fields made of particles' weights.

    Parameters
    ----------
    fields : ndarray, float64, shape (n_nets, n, n, n)
        Sums of f of every network on the evaluation grid, CIC, dimensionless.
    mean_f : ndarray, float64, shape (n_nets,)
        ⟨f⟩ over all particles, dimensionless.
    in_cells : ndarray, float64, shape (c, c, c)
        Sums of the average f in the training cells, NGP, dimensionless.
    """

    fields: np.ndarray
    mean_f: np.ndarray
    in_cells: np.ndarray


def evaluate(
    ensemble: Weights,
    inputs_at: Callable[[np.ndarray], np.ndarray],
    particles: store.Artefact,
    halo_fields: store.Artefact,
    *,
    seeds: Sequence[int],
    threads: int = 1,
) -> tuple[ModelFields, dict[str, np.ndarray]]:
    """Paint the halo field of an ensemble on a box, and measure its spectra.

    Parameters
    ----------
    ensemble : Ensemble or BinnedBias
        The networks, or the tables of the least-squares f.
    inputs_at : callable
        Takes initial-grid nodes (p,) and returns what the ensemble takes in, (p, n_inputs).
    particles, halo_fields : Artefact
        Of the box, as stored.
    seeds : sequence of int, keyword-only
        Name of each network.
    threads : int, keyword-only
        Threads for networks, painting and transforms.

    Returns
    -------
    ModelFields
        See `model_fields`.
    dict of str to ndarray
        See `measure_spectra`.
    """
    sites, box_size = particles["lagrangian_site"], particles.attributes["box_size"]
    painted = model_fields(
        ensemble,
        lambda rows: inputs_at(sites[rows]),
        particles["position"],
        box_size=box_size,
        n_grid=len(halo_fields["evaluation"]),
        n_cells=len(halo_fields["training"]),
        threads=threads,
    )
    spectra = measure_spectra(
        painted, halo_fields["evaluation"], box_size=box_size, seeds=seeds, threads=threads
    )
    return painted, spectra


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
    """Paint the f of every network, a few million particles at a time.

    Parameters
    ----------
    ensemble : Ensemble or BinnedBias
        The networks, or the tables of the least-squares f.
    inputs_of : callable
        Takes a slice of particles and returns what the ensemble takes in, (p, n_inputs) float32,
        for example ``lambda rows: apply_map(values_at_sites(grids, sites[rows]), matrix)``.
    positions : ndarray, float32, shape (P, 3)
        Final positions of all particles [Mpc/h], in [0, L).
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    n_grid, n_cells : int, keyword-only
        Nodes per side of the evaluation grid, and cells per side of the training grid.
    threads : int, keyword-only
        Threads for networks and painting; set torch's own to one.

    Returns
    -------
    ModelFields
        The painted fields.
    """
    fields = np.zeros((len(ensemble), n_grid, n_grid, n_grid))
    in_cells = np.zeros((n_cells, n_cells, n_cells))
    total = np.zeros(len(ensemble))
    for first in bar(range(0, len(positions), _CHUNK), desc="painting the model"):
        rows = slice(first, min(first + _CHUNK, len(positions)))
        f = ensemble.f(inputs_of(rows), threads=threads)
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
) -> dict[str, np.ndarray]:
    """Measure the power of the model halo field and its correlation with the true one.

    Each model field is divided by its ⟨f⟩, and the average field is that of the mean f. No
    correction for shot noise or for the CIC window is made; the window cancels in ratios.

    Parameters
    ----------
    painted : ModelFields
        The networks' fields.
    halo_overdensity : ndarray, float32, shape (n, n, n)
        δ_h on the evaluation grid, painted with CIC, dimensionless.
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    seeds : sequence of int, keyword-only
        Name of each network.
    threads : int, keyword-only
        Threads of transforms and sums.

    Returns
    -------
    dict of str to ndarray
        ``k`` (b,), bin centres [h/Mpc]; ``n_modes`` (b,); ``halo_power`` (b,), ``model_power`` and
        ``cross_power`` (n_nets, b), ``average_model_power`` and ``average_cross_power`` (b,)
        [(Mpc/h)³]; ``mean_f`` (n_nets,) and ``average_mean_f`` (1,), before division by it;
        ``seeds`` (n_nets,).

    Raises
    ------
    ValueError
        If `seeds` and the networks differ in number, or an array has the wrong shape.
    """
    fields, mean_f = painted.fields, painted.mean_f
    if len(seeds) != len(fields):
        raise ValueError(
            f"{len(seeds)} seeds were given for {len(fields)} networks; give one for each."
        )
    fft = RealFFT(len(halo_overdensity), threads=threads)
    halo_modes = fft.forward(halo_overdensity)
    halo = auto_power(halo_modes, box_size, threads=threads)
    # painting is linear: the mean of the fields is the field of the mean f
    spectra = [_spectra(field, halo_modes, fft, box_size) for field in fields]
    average = _spectra(fields.mean(axis=0), halo_modes, fft, box_size)
    return {
        "k": halo.k,
        "n_modes": halo.n_modes,
        "halo_power": halo.power,
        "model_power": np.array([model for model, _ in spectra]),
        "cross_power": np.array([cross for _, cross in spectra]),
        "average_model_power": average[0],
        "average_cross_power": average[1],
        "mean_f": mean_f,
        "average_mean_f": np.array([mean_f.mean()]),
        "seeds": np.array(seeds, dtype=np.int64),
    }


def _spectra(
    field: np.ndarray, halo_modes: np.ndarray, fft: RealFFT, box_size: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return P_model and P_hm of one painted field."""
    modes = fft.forward(paint.overdensity(field))
    cross, model = cross_and_auto_power(modes, halo_modes, box_size, threads=fft.threads)
    return model.power, cross.power
