"""What checks read from artefacts: spectra, losses and components as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store
from lagbias.artefacts.store import Artefact
from lagbias.claims.base import Untestable
from lagbias.grids import power

__all__ = ["K_MAX", "Components", "Networks", "Particles", "Spectra"]

#: Upper end of the large scales that the paper's numbers are about [h/Mpc].
K_MAX = 0.1
_SPECTRA = ("k", "n_modes", "halo_power", "model_power", "cross_power")
_AVERAGES = ("average_model_power", "average_cross_power")


class Spectra:
    """Ratios of the spectra of one ensemble on one box.

    Parameters
    ----------
    artefact : Artefact
        Of kind ``spectra``, with its datasets.

    Attributes
    ----------
    k, n_modes : ndarray (b,)
        Bin centres [h/Mpc] and modes in each.
    ratio : ndarray (b,)
        R(k) = P_model / P_h of the average f, dimensionless.
    ratios : ndarray (s, b)
        The same of each network.
    uncorrelated : ndarray (b,)
        P_uncorr / P_h of the average f (eq. 3.1), dimensionless.
    mean_f : ndarray (s,)
        ⟨f⟩ of each network over the box before division by it, dimensionless.
    seeds : ndarray (s,)
        Seeds of the networks.
    """

    def __init__(self, artefact: Artefact):
        halo = artefact["halo_power"]
        self.k, self.n_modes = artefact["k"], artefact["n_modes"]
        self.ratio = artefact["average_model_power"] / halo
        self.ratios = artefact["model_power"] / halo
        average = (artefact[name] for name in _AVERAGES)
        self.uncorrelated = power.uncorrelated_power(*average, halo) / halo
        self.mean_f, self.seeds = artefact["mean_f"], artefact["seeds"]

    @classmethod
    def read(cls, path: str) -> "Spectra":
        """Read a spectra artefact."""
        names = [*_SPECTRA, *_AVERAGES, "mean_f", "seeds"]
        return cls(store.read(path, "spectra", names))

    def large_scales(self, first: int = 1) -> np.ndarray:
        """Choose bins below `K_MAX`, bool (b,), from the first, second, … on.

        Raises
        ------
        Untestable
            If there are none.
        """
        chosen = (self.k > 0) & (self.k < K_MAX) & (np.arange(len(self.k)) >= first - 1)
        if not chosen.any():
            raise Untestable(
                f"the box is too small: no bin of its spectra from number {first} on lies below "
                f"{K_MAX} h/Mpc (the first is at {self.k[0]:.3f})"
            )
        return chosen

    @cached_property
    def mean_ratio(self) -> float:
        """⟨R⟩ of the average f: mean over the modes below `K_MAX`, dimensionless."""
        self.large_scales()
        return float(power.mode_weighted_mean(self.ratio, self.k, self.n_modes, k_max=K_MAX))

    @cached_property
    def mean_ratios(self) -> np.ndarray:
        """⟨R⟩ of each network, (s,), dimensionless."""
        self.large_scales()
        return power.mode_weighted_mean(self.ratios, self.k, self.n_modes, k_max=K_MAX)

    @cached_property
    def spread(self) -> float:
        """Largest less smallest ⟨R⟩ of the networks, dimensionless.

        Raises
        ------
        Untestable
            If there is one network only.
        """
        if len(self.mean_ratios) < 2:
            raise Untestable("the scatter of networks needs two or more seeds; this run has one")
        return float(np.ptp(self.mean_ratios))

    def mean_between(self, k_min: float, k_max: float) -> float:
        """Mean of the average f's R over the modes of k_min <= k < k_max [h/Mpc].

        Raises
        ------
        Untestable
            If the spectra do not reach so far.
        """
        chosen = (self.k >= k_min) & (self.k < k_max)
        if not chosen.any() or self.k[-1] < k_max:
            raise Untestable(f"the evaluation grid does not resolve k = {k_max:g} h/Mpc")
        return float(np.average(self.ratio[chosen], weights=self.n_modes[chosen]))


@dataclass(frozen=True)
class Networks:
    """The networks of one ensemble.

    Attributes
    ----------
    training, validation : ndarray (s, e)
        Loss per cell of each network after each epoch, dimensionless.
    seeds : ndarray (s,)
        Their seeds.
    smallest_draw : int
        Fewest particles that any network saw in any cell, zero if a cell was empty.
    """

    training: np.ndarray
    validation: np.ndarray
    seeds: np.ndarray
    smallest_draw: int

    @classmethod
    def read(cls, paths: Sequence[str]) -> "Networks":
        """Read network artefacts, which must have been trained equally long."""
        names = ["history.loss_per_cell", "history.validation_loss_per_cell"]
        found = [store.read(path, "network", names) for path in paths]
        found.sort(key=lambda artefact: artefact.attributes["seed"])
        lengths = {len(artefact[names[0]]) for artefact in found}
        if len(lengths) > 1:
            raise Untestable(
                f"the networks beside {paths[0]} were trained for different numbers of epochs: "
                f"{sorted(lengths)}"
            )
        return cls(
            training=np.stack([artefact[names[0]] for artefact in found]),
            validation=np.stack([artefact[names[1]] for artefact in found]),
            seeds=np.array([artefact.attributes["seed"] for artefact in found]),
            smallest_draw=min(_smallest_draw(artefact.attributes) for artefact in found),
        )

    def loss_after(self, fraction: float) -> float:
        """Return the validation loss after a fraction of the epochs, mean of the networks."""
        epochs = self.validation.shape[1]
        return float(self.validation[:, max(round(fraction * epochs), 1) - 1].mean())

    @property
    def final_validation(self) -> float:
        """Last validation loss per cell, mean of the networks, dimensionless."""
        return self.loss_after(1.0)

    @property
    def final_training(self) -> float:
        """Last training loss per cell, mean of the networks, dimensionless."""
        return float(self.training[:, -1].mean())


@dataclass(frozen=True)
class Components:
    """Principal components of ∇f.

    Attributes
    ----------
    radii : ndarray (n,)
        R_f [Mpc/h].
    eigenvalues : ndarray (d,)
        Descending, dimensionless.
    directions : ndarray (d, d)
        U, one component per column; inputs of δ and ∇²δ first, those of G2 last.
    first : ndarray (n, 3)
        Row of M for the first component: coefficients of δ, ∇²δ and G2 at each radius.
    """

    radii: np.ndarray
    eigenvalues: np.ndarray
    directions: np.ndarray
    first: np.ndarray

    @classmethod
    def read(cls, path: str) -> "Components":
        """Read the components of a gradient PCA artefact."""
        pca = artefacts.gradient_pca_of(path)
        return cls(
            radii=pca["smoothing_radii"],
            eigenvalues=pca["eigenvalues"],
            directions=pca["directions"],
            first=pca["matrix"][0].reshape(-1, 3),
        )


@dataclass(frozen=True)
class Particles:
    """A sample of particles along the components of ∇f.

    Attributes
    ----------
    coordinates : ndarray, float64, shape (N, c)
        Along the first components, dimensionless.
    f : ndarray, float64, shape (N,)
        Average f, dimensionless.
    """

    coordinates: np.ndarray
    f: np.ndarray

    @classmethod
    def read(cls, path: str) -> "Particles":
        """Read the sample of a gradient PCA artefact."""
        sample = artefacts.component_sample_of(path)
        return cls(sample["components"].astype(np.float64), sample["f"].astype(np.float64))


def _smallest_draw(attributes: dict) -> int:
    occupied = attributes["occupied_cells"] == attributes["n_cells"]
    return attributes["smallest_draw"] if occupied else 0
