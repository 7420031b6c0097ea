"""What the stages work on: made from fixed seeds, alike in every run."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import yaml

from lagbias.config import model as config
from lagbias.cosmology import Background, abacus_linear_power
from lagbias.grids.fourier import RealFFT
from lagbias.simulate.gaussian_field import linear_density_modes, white_noise
from lagbias.simulate.nbody import simulate
from lagbias.training.network import Network
from lagbias.training.torch_network import HaloToMassNet
from lagbias.training.training_set import TrainingSet

from .settings import Settings

__all__ = [
    "ROOT",
    "SPACING",
    "Scene",
    "evolved_box",
    "initial_weights",
    "linear_density",
    "linear_modes",
    "networks",
    "training_set",
    "training_settings",
]

#: Of the repository.
ROOT = Path(__file__).parents[2]
#: Mpc/h between particles, and between nodes of the feature grid: the default run's.
SPACING = 1.0
REDSHIFT, INITIAL_REDSHIFT, STEPS = 0.5, 19.0, 5


@dataclass(frozen=True)
class Scene:
    """A simulated box, made when it is first asked for.

    Parameters
    ----------
    settings : Settings
        Sizes and threads.
    """

    settings: Settings

    @cached_property
    def box(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Positions [Mpc/h], velocities [Mpc/h per unit of growth], both (P, 3), and side L."""
        return evolved_box(self.settings.sizes.particles_per_side, self.settings.threads)


def evolved_box(n_side: int, threads: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Simulate a box: real clustering, which synthetic positions do not have."""
    box_size = SPACING * n_side
    modes = linear_modes(n_side, box_size, threads)
    positions, velocities = simulate(
        modes,
        box_size=box_size,
        background=Background.abacus_c000(),
        initial_redshift=INITIAL_REDSHIFT,
        redshift=REDSHIFT,
        steps=STEPS,
        threads=threads,
    )
    return positions, velocities, box_size


def linear_modes(n_side: int, box_size: float, threads: int, *, seed: int = 0) -> np.ndarray:
    """Draw the modes of a linear density at redshift 0, complex64, (n, n, n//2 + 1)."""
    return linear_density_modes(
        white_noise(n_side, np.random.default_rng(seed)),
        box_size=box_size,
        linear_power=abacus_linear_power(),
        fft=RealFFT(n_side, threads=threads),
    )


def linear_density(n_side: int, box_size: float, threads: int) -> np.ndarray:
    """Draw a linear density, float32, (n, n, n), dimensionless."""
    fft = RealFFT(n_side, threads=threads)
    return fft.inverse(linear_modes(n_side, box_size, threads))


def training_set(cells: int, per_cell: float, n_inputs: int, *, seed: int = 0) -> TrainingSet:
    """Draw a training set: Poisson numbers of particles, whitened inputs, skewed targets."""
    rng = np.random.default_rng(seed)
    sizes = 1 + rng.poisson(per_cell - 1.0, cells)
    total = int(sizes.sum())
    return TrainingSet(
        inputs=rng.standard_normal((total, n_inputs), dtype=np.float32),
        cell_start=np.concatenate(([0], np.cumsum(sizes))),
        cell_factor=(np.ones(cells) * cells / total).astype(np.float32),
        target=rng.exponential(size=cells).astype(np.float32),
        n_cells=cells,
        cell_index=np.arange(cells),
    )


def training_settings(**changes):
    """Return the default run's settings of the training, with changes."""
    text = (ROOT / "config" / "config.yaml").read_text(encoding="utf-8")
    return config.load(yaml.safe_load(text)).training.model_copy(update=changes)


def networks(count: int, n_inputs: int, hidden_layers: int, width: int) -> list[Network]:
    """Return networks with initial weights: evaluation takes as long as with trained ones."""
    return [
        Network(
            weights=initial_weights(n_inputs, hidden_layers, width, seed),
            history={},
            normalisation=1.0 + 0.1 * seed,
        )
        for seed in range(count)
    ]


def initial_weights(
    n_inputs: int, hidden_layers: int, width: int, seed: int
) -> dict[str, np.ndarray]:
    """Return the weights with which the library starts a training of that seed."""
    generator = torch.Generator().manual_seed(seed)
    return HaloToMassNet(n_inputs, hidden_layers, width, generator=generator).to_weights()
