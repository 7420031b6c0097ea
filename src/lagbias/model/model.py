"""A trained model: from a linear density and particles to a halo field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lagbias.bias import component_fit
from lagbias.bias.components import GradientPCA
from lagbias.bias.ensemble import Ensemble
from lagbias.bias.prediction import ModelFields, measure_spectra, model_fields
from lagbias.bias.second_order_transfer import SecondOrderTransfer, second_order_transfer
from lagbias.bias.spectra import Spectra
from lagbias.features.whitening import apply_map
from lagbias.grids.fourier import RealFFT
from lagbias.grids.paint import overdensity
from lagbias.grids.power import PowerSpectrum, auto_power
from lagbias.model import alignment, arguments
from lagbias.model.fields import features_of
from lagbias.runtime.device import choose_device
from lagbias.training.network import Network

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Model"]

#: Particles at which ∇f is evaluated for `Model.plot_f`, and the seed of their choice.
_PLOTTED, _PLOT_SEED = 200_000, 0


@dataclass(frozen=True, eq=False)
class Model:
    """An ensemble of networks with everything needed to apply it to another simulation.

    Made by `lagbias.load` and `lagbias.fit`. In what follows P is the number of particles, n the
    number of smoothing radii and L the side of the periodic box.

    Parameters
    ----------
    networks : tuple of Network
        The trained networks; f is the mean of theirs.
    input_matrix : ndarray, float64, shape (d, 3n)
        Map from normalised features to the d inputs of the networks, dimensionless.
    smoothing_radii : ndarray, float64, shape (n,)
        R_f of the features [Mpc/h], ascending.
    about : mapping
        What the model was trained on, and its measured accuracy, as JSON values.
    transfer : lagbias.bias.second_order_transfer.SecondOrderTransfer or None
        Transfer functions that give the field of the networks the power and the bispectrum of the
        halos, if there are any (see `with_transfer`).
    """

    networks: tuple[Network, ...]
    input_matrix: np.ndarray
    smoothing_radii: np.ndarray
    about: Mapping[str, Any] = field(default_factory=dict)
    transfer: SecondOrderTransfer | None = None

    def __post_init__(self) -> None:
        expected = (self.networks[0].weights["layers.0.weight"].shape[1], 3 * self.n_radii)
        if self.input_matrix.shape != expected:
            raise ValueError(
                f"input_matrix has shape {self.input_matrix.shape}, but networks and radii need "
                f"{expected}; they belong to different models."
            )

    def __repr__(self) -> str:
        radii = ", ".join(f"{radius:g}" for radius in self.smoothing_radii)
        sizes = f"{len(self.networks)} networks, {len(self.input_matrix)} inputs"
        return f"<lagbias.Model: {sizes}, R_f = {radii} Mpc/h>"

    @property
    def n_radii(self) -> int:
        """Number of smoothing radii."""
        return len(self.smoothing_radii)

    @property
    def feature_names(self) -> list[str]:
        """Names of the 3n features, in the order of the columns."""
        return [
            f"{name}(R_f={radius:g} Mpc/h)"
            for radius in self.smoothing_radii
            for name in ("delta", "laplacian", "G2")
        ]

    def features(
        self,
        linear_density: np.ndarray,
        box_size: float,
        lagrangian_index: np.ndarray | None = None,
        *,
        threads: int | None = None,
    ) -> np.ndarray:
        """Compute normalised δ, ∇²δ and G2 at the nodes of a grid.

        Parameters
        ----------
        linear_density : ndarray, float32, shape (n_grid, n_grid, n_grid)
            Linear density contrast on the grid of the initial conditions, dimensionless. Its
            amplitude cancels: any redshift will do.
        box_size : float
            L [Mpc/h].
        lagrangian_index : ndarray, int, shape (P,), optional
            Flat indices (C order) of the nodes; all nodes when omitted.
        threads : int, optional, keyword-only
            Threads of the Fourier transforms; all cores of this process when omitted.

        Returns
        -------
        ndarray, float32, shape (P, 3n)
            Columns [δ_1, ∇²δ_1, G2_1, δ_2, …], each of unit variance on the grid, dimensionless.

        Raises
        ------
        ValueError
            If an argument does not fit; the message names it.
        """
        features_at, density = self._features_at(linear_density, box_size, threads)
        count = density.size if lagrangian_index is None else len(lagrangian_index)
        return features_at(arguments.checked_sites(lagrangian_index, count, len(density)))

    def f(
        self, features: np.ndarray, *, each: bool = False, threads: int | None = None
    ) -> np.ndarray:
        """Evaluate the halo-to-mass weight f.

        Parameters
        ----------
        features : ndarray, float32, shape (P, 3n)
            From `features`.
        each : bool, keyword-only
            Whether to return the f of every network instead of their mean.
        threads : int, optional, keyword-only
            Chunks of particles evaluated concurrently; all cores of this process when omitted.

        Returns
        -------
        ndarray, float32, shape (P,), or (number of networks, P)
            f ≥ 0, of mean one over the particles of the training box, dimensionless.

        Raises
        ------
        ValueError
            If the features have another number of columns.
        """
        f = self._ensemble.evaluate(
            self._inputs(features), threads=arguments.default_threads(threads)
        )
        return f if each else f.mean(axis=0)

    def predict(
        self,
        linear_density: np.ndarray,
        positions: np.ndarray,
        lagrangian_index: np.ndarray | None = None,
        *,
        box_size: float,
        grid: int,
        transfer: bool = False,
        threads: int | None = None,
    ) -> np.ndarray:
        """Predict the mass-weighted halo overdensity.

        Every particle is painted at its final position with its weight f (cloud in cell).

        Parameters
        ----------
        linear_density : ndarray, float32, shape (n_grid, n_grid, n_grid)
            As in `features`.
        positions : ndarray, float32, shape (P, 3)
            Final comoving positions [Mpc/h]; those outside of [0, L) are wrapped.
        lagrangian_index : ndarray, int, shape (P,), optional
            Flat index (C order) of the node that each particle started from. May be omitted if
            there is one particle for each node, in the order of the nodes.
        box_size : float, keyword-only
            L [Mpc/h].
        grid : int, keyword-only
            Nodes of the result per side; node [i, j, k] is at (i, j, k) L / grid.
        transfer : bool, keyword-only
            Whether to apply the model's transfer functions.
        threads : int, optional, keyword-only
            Threads; all cores of this process when omitted.

        Returns
        -------
        ndarray, float32, shape (grid, grid, grid)
            δ_h of the average f, dimensionless.

        Raises
        ------
        ValueError
            If an argument does not fit; the message names it.
        """
        painted = self.paint(
            linear_density,
            positions,
            lagrangian_index,
            box_size=box_size,
            grid=grid,
            threads=threads,
        )
        return self.field_of(painted, box_size=box_size, transfer=transfer, threads=threads)

    def halo_power(
        self,
        linear_density: np.ndarray,
        positions: np.ndarray,
        lagrangian_index: np.ndarray | None = None,
        *,
        box_size: float,
        grid: int,
        halo_overdensity: np.ndarray | None = None,
        transfer: bool = False,
        threads: int | None = None,
    ) -> PowerSpectrum | Spectra:
        """Predict the power spectrum of the halo field, or compare it with that of true halos.

        Neither shot noise nor the window of the grid is corrected for; both cancel in ratios.

        Parameters
        ----------
        linear_density, positions, lagrangian_index, box_size, grid, transfer, threads
            As in `predict`.
        halo_overdensity : ndarray, float32, shape (grid, grid, grid), optional, keyword-only
            True δ_h on the same grid, from `lagbias.halo_overdensity`, dimensionless.

        Returns
        -------
        lagbias.grids.power.PowerSpectrum or lagbias.bias.spectra.Spectra
            Without `halo_overdensity`, k [h/Mpc] and power [(Mpc/h)³] of the average f. With it,
            auto and cross spectra of every network and of the average f, with ratios.

        Raises
        ------
        ValueError
            If an argument does not fit; the message names it.
        """
        if halo_overdensity is not None and np.shape(halo_overdensity) != (grid,) * 3:
            raise ValueError(
                f"halo_overdensity has shape {np.shape(halo_overdensity)}, but grid = {grid}; "
                f"give {(grid,) * 3}."
            )
        painted = self.paint(
            linear_density,
            positions,
            lagrangian_index,
            box_size=box_size,
            grid=grid,
            threads=threads,
        )
        if halo_overdensity is None:
            return self.power_of(painted, box_size=box_size, transfer=transfer, threads=threads)
        return self.spectra_of(
            painted, halo_overdensity, box_size=box_size, transfer=transfer, threads=threads
        )

    def field_of(
        self,
        painted: ModelFields,
        *,
        box_size: float,
        transfer: bool = False,
        threads: int | None = None,
    ) -> np.ndarray:
        """Return the overdensity of the average f of what `paint` returns.

        Parameters
        ----------
        painted : ModelFields
            From `paint`.
        box_size, transfer, threads
            As in `predict`.

        Returns
        -------
        ndarray, float32, shape (grid, grid, grid)
            Dimensionless.
        """
        overdense = overdensity(painted.fields.mean(axis=0))
        if not transfer:
            return overdense
        return self._transfer_functions().apply(
            overdense, box_size=float(box_size), threads=arguments.default_threads(threads)
        )

    def power_of(
        self,
        painted: ModelFields,
        *,
        box_size: float,
        transfer: bool = False,
        threads: int | None = None,
    ) -> PowerSpectrum:
        """Measure the power spectrum of the average f of what `paint` returns.

        Parameters
        ----------
        painted : ModelFields
            From `paint`.
        box_size, transfer, threads
            As in `halo_power`.
        """
        field = self.field_of(painted, box_size=box_size, transfer=transfer, threads=threads)
        fft = RealFFT(len(field), threads=arguments.default_threads(threads))
        return auto_power(fft.forward(field), float(box_size))

    def with_transfer(self, boxes: Sequence[Spectra]) -> Model:
        """Return the model with transfer functions that are fitted to some boxes.

        They give its field, on other boxes, the power and the bispectrum of the halos
        (`lagbias.bias.second_order_transfer`).

        Parameters
        ----------
        boxes : sequence of Spectra
            From `halo_power` with `halo_overdensity`, of this model on boxes of one size, on one
            grid.

        Raises
        ------
        ValueError
            If the spectra do not fit each other or the model.
        """
        fitted = second_order_transfer(boxes)
        if len(fitted.networks) != len(self.networks):
            raise ValueError(
                f"The spectra are of {len(fitted.networks)} networks, the model has "
                f"{len(self.networks)}. Make them with Model.halo_power."
            )
        first = boxes[0]
        described = {
            "boxes": [box.target_box for box in boxes if box.target_box],
            "box_size": first.box_size,
            "grid": first.n_grid,
        }
        return replace(self, transfer=fitted, about={**self.about, "transfer": described})

    def spectra_of(
        self,
        painted: ModelFields,
        halo_overdensity: np.ndarray,
        *,
        box_size: float,
        transfer: bool = False,
        threads: int | None = None,
    ) -> Spectra:
        """Compare what `paint` returns with true halos.

        Parameters
        ----------
        painted : ModelFields
            From `paint`.
        halo_overdensity, box_size, transfer, threads
            As in `halo_power`.
        """
        spectra = measure_spectra(
            painted,
            np.asarray(halo_overdensity, np.float32),
            box_size=float(box_size),
            seeds=[network.seed for network in self.networks],
            threads=arguments.default_threads(threads),
        )
        return self._transfer_functions().apply_to_spectra(spectra) if transfer else spectra

    def paint(
        self,
        linear_density: np.ndarray,
        positions: np.ndarray,
        lagrangian_index: np.ndarray | None = None,
        *,
        box_size: float,
        grid: int,
        threads: int | None = None,
    ) -> ModelFields:
        """Paint the particles with the f of every network, for further use.

        `predict` and `halo_power` are made of it.

        Parameters
        ----------
        linear_density, positions, lagrangian_index, box_size, grid, threads
            As in `predict`.

        Returns
        -------
        lagbias.bias.prediction.ModelFields
            Sums of f of each network on the grid, and its mean over all particles, for
            `lagbias.bias.prediction.measure_spectra`, dimensionless.

        Raises
        ------
        ValueError
            If an argument does not fit; the message names it.
        """
        features_at, density = self._features_at(linear_density, box_size, threads)
        found = arguments.checked_positions("positions", positions, float(box_size))
        sites = arguments.checked_sites(lagrangian_index, len(found), len(density))
        alignment.check(density, sites, found, float(box_size))
        return model_fields(
            self._ensemble,
            lambda rows: self._inputs(features_at(sites[rows])),
            found,
            box_size=float(box_size),
            n_grid=grid,
            n_cells=1,
            threads=arguments.default_threads(threads),
        )

    def components(self, features: np.ndarray, *, threads: int | None = None) -> GradientPCA:
        """Find the principal components of the gradient of f.

        Parameters
        ----------
        features : ndarray, float32, shape (P, 3n)
            From `features`, of a sample of particles in random order.
        threads : int, optional, keyword-only
            As in `f`.

        Returns
        -------
        lagbias.bias.components.GradientPCA
            Eigenvalues, directions, the coefficients M of the features (eq. 4.1 of the paper),
            and the first coordinates and f of the sample, dimensionless.

        Raises
        ------
        ValueError
            If the features have another number of columns, or there are too few.
        """
        inputs = self._inputs(features)
        f, gradients = self._ensemble.average_f_and_gradient(
            inputs, threads=arguments.default_threads(threads)
        )
        return component_fit.fit(
            gradients, self.input_matrix, list(self.smoothing_radii), inputs=inputs, f=f
        )

    def plot_f(self, features: np.ndarray, *, threads: int | None = None) -> Figure:
        """Draw f along the principal components of its gradient.

        Parameters
        ----------
        features : ndarray, float32, shape (P, 3n)
            From `features`; 200,000 of them are drawn at random if there are more.
        threads : int, optional, keyword-only
            As in `f`.

        Returns
        -------
        matplotlib.figure.Figure
            Mean f in planes of two components (top), and f of particles against the first (bottom).

        Raises
        ------
        ValueError
            If the features have another number of columns.
        """
        from lagbias.figures import principal_components

        rows = np.random.default_rng(_PLOT_SEED).permutation(len(features))[:_PLOTTED]
        pca = self.components(features[rows], threads=threads)
        radii = ", ".join(f"{radius:g}" for radius in self.smoothing_radii)
        return principal_components.draw(pca, label=rf"$R_f = {radii}\ h^{{-1}}\,$Mpc")

    def plot_power(self, spectra: Spectra) -> Figure:
        """Draw P_model / P_h and 1 - r(k) with the range of the networks.

        Parameters
        ----------
        spectra : Spectra
            From `halo_power` with `halo_overdensity`.

        Returns
        -------
        matplotlib.figure.Figure
            Ratio (top) and decorrelation (bottom) against k [h/Mpc].
        """
        from lagbias.figures import power_ratio_all_sets

        return power_ratio_all_sets.draw([spectra])

    def save(self, path: str | Path) -> None:
        """Write the model to one portable file (see `lagbias.model.portable.write`).

        Parameters
        ----------
        path : str or Path
            The file, which should end in ``.safetensors``.

        Raises
        ------
        lagbias.artefacts.store.ArtefactError
            If the file cannot be written.
        """
        from lagbias.model import portable

        portable.write(path, self)

    def to_onnx(self, path: str | Path) -> None:
        """Write the model as an ONNX graph (see `lagbias.model.onnx_export.write`).

        Parameters
        ----------
        path : str or Path
            The file, which should end in ``.onnx``.

        Raises
        ------
        ImportError
            If the package onnx is not installed.
        lagbias.artefacts.store.ArtefactError
            If the file cannot be written.
        """
        from lagbias.model import onnx_export

        onnx_export.write(path, self)

    def card(self) -> str:
        """Return what the model is, what it was trained on and how accurate it is, as Markdown."""
        from lagbias.model import card

        return card.text(self)

    def _transfer_functions(self) -> SecondOrderTransfer:
        if self.transfer is None:
            raise ValueError(
                "The model has no transfer functions. Fit them to boxes with halos: "
                "Model.with_transfer."
            )
        return self.transfer

    @cached_property
    def _ensemble(self) -> Ensemble:
        return Ensemble(self.networks, device=choose_device("auto"))

    def _inputs(self, features: np.ndarray) -> np.ndarray:
        """Return the inputs of the networks, (P, d)."""
        found = np.asarray(features)
        if found.ndim != 2 or found.shape[1] != 3 * self.n_radii:
            raise ValueError(
                f"features have shape {found.shape}, but the model takes (P, {3 * self.n_radii}): "
                f"{', '.join(self.feature_names)}. Compute them with Model.features."
            )
        return apply_map(found, self.input_matrix)

    def _features_at(
        self, linear_density: np.ndarray, box_size: float, threads: int | None
    ) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
        """Return a function from nodes to features, and the density."""
        density = arguments.checked_density(linear_density)
        size = arguments.checked_box_size(box_size)
        arguments.checked_radii(self.smoothing_radii, size, density)
        threads = arguments.default_threads(threads)
        return features_of(density, size, self.smoothing_radii, threads), density
