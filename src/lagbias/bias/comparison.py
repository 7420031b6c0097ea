"""Statistics of a model halo field and of the true one, beyond the power ratio."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lagbias.grids import one_point, power
from lagbias.grids.bispectrum import bispectrum, reduced_bispectrum
from lagbias.grids.fourier import RealFFT
from lagbias.schema import fields
from lagbias.schema.labels import EvaluationLabels

__all__ = ["Comparison", "compare_fields"]

_MOMENTS = "⟨δ²⟩, ⟨δ³⟩/⟨δ²⟩² and (⟨δ⁴⟩ − 3⟨δ²⟩²)/⟨δ²⟩³ of the smoothed"


@dataclass(frozen=True, kw_only=True)
class Comparison(EvaluationLabels):
    """Spectra, one-point distributions and bispectra of one model field and of the halos."""

    KIND: ClassVar[str] = "comparison"
    k: np.ndarray = fields.array("h/Mpc", "k", "bin centre")
    n_modes: np.ndarray = fields.array("1", "k", "modes in the bin", code="i")
    halo_power: np.ndarray = fields.array("(Mpc/h)^3", "k", "P_h")
    model_power: np.ndarray = fields.array("(Mpc/h)^3", "k", "P_model")
    cross_power: np.ndarray = fields.array("(Mpc/h)^3", "k", "P_hm")
    radii: np.ndarray = fields.array("Mpc/h", "radius", "radius of the Gaussian smoothing")
    delta_edges: np.ndarray = fields.array("1", "edge", "edges of the bins of the densities")
    halo_density: np.ndarray = fields.array("1", "radius bin", "probability density of halo δ")
    model_density: np.ndarray = fields.array("1", "radius bin", "probability density of model δ")
    halo_moments: np.ndarray = fields.array("1", "radius 3", f"{_MOMENTS} halo field")
    model_moments: np.ndarray = fields.array("1", "radius 3", f"{_MOMENTS} model field")
    wasserstein: np.ndarray = fields.array("1", "radius", "Wasserstein-1 distance")
    kolmogorov_smirnov: np.ndarray = fields.array("1", "radius", "max |F_model − F_h|")
    shell_k: np.ndarray = fields.array("h/Mpc", "shell", "centre of the bispectrum's shell")
    halo_shell_power: np.ndarray = fields.array("(Mpc/h)^3", "shell", "P_h")
    model_shell_power: np.ndarray = fields.array("(Mpc/h)^3", "shell", "P_model")
    triangles: np.ndarray = fields.array("1", "triangle 3", "shells of k1 ≥ k2 ≥ k3", code="i")
    n_triangles: np.ndarray = fields.array("1", "triangle", "triangles of modes", code="i")
    halo_bispectrum: np.ndarray = fields.array("(Mpc/h)^6", "triangle", "B_h")
    model_bispectrum: np.ndarray = fields.array("(Mpc/h)^6", "triangle", "B_model")
    shot_noise: float = fields.number("(Mpc/h)^3", "V Σw²/(Σw)² of the halos' weights w")
    box_size: float = fields.number("Mpc/h", "side of the box")
    n_grid: int = fields.number("1", "nodes per side of the grid")

    @property
    def ratio(self) -> np.ndarray:
        """R(k) = P_model / P_h, float64, shape (b,), dimensionless."""
        return self.model_power / self.halo_power

    @property
    def cross_ratio(self) -> np.ndarray:
        """P_hm / P_h, float64, shape (b,), dimensionless."""
        return self.cross_power / self.halo_power

    @property
    def correlation(self) -> np.ndarray:
        """r(k) = P_hm/√(P_model P_h), float64, shape (b,), dimensionless."""
        return power.correlation_coefficient(self.model_power, self.cross_power, self.halo_power)

    @property
    def error_power(self) -> np.ndarray:
        """P_err = P_model + P_h − 2 P_hm of δ_model − δ_h, float64, shape (b,) [(Mpc/h)³].

        Compare it with `shot_noise`.
        """
        return self.model_power + self.halo_power - 2.0 * self.cross_power

    @property
    def uncorrelated(self) -> np.ndarray:
        """P_uncorr / P_h (eq. 3.1), float64, shape (b,), dimensionless."""
        uncorrelated = power.uncorrelated_power(self.model_power, self.cross_power, self.halo_power)
        return uncorrelated / self.halo_power

    @property
    def halo_reduced_bispectrum(self) -> np.ndarray:
        """Q of the halos, float64, shape (t,), dimensionless."""
        return reduced_bispectrum(self.halo_bispectrum, self.halo_shell_power, self.triangles)

    @property
    def model_reduced_bispectrum(self) -> np.ndarray:
        """Q of the model, float64, shape (t,), dimensionless."""
        return reduced_bispectrum(self.model_bispectrum, self.model_shell_power, self.triangles)

    def mean(self, values: np.ndarray, k_max: float = 0.1, k_min: float = 0.0) -> float:
        """Return the mean of a function of k, such as `ratio`, over modes of k_min <= k < k_max.

        Parameters
        ----------
        values : ndarray, shape (b,)
            Values in the bins `k`.
        k_max, k_min : float
            Upper limit, exclusive, and lower limit, inclusive [h/Mpc].
        """
        return float(
            power.mode_weighted_mean(values, self.k, self.n_modes, k_min=k_min, k_max=k_max)
        )


def compare_fields(
    model: np.ndarray,
    halos: np.ndarray,
    *,
    box_size: float,
    shot_noise: float,
    smoothing_radii: Sequence[float],
    delta_edges: np.ndarray,
    shell_width: int,
    k_max: float,
    threads: int = 1,
) -> Comparison:
    """Compare a model halo field with the true one.

    Neither shot noise nor the window of the painting is corrected for; both fields have the same.

    Parameters
    ----------
    model, halos : ndarray, float32, shape (n, n, n)
        δ_model, divided by its ⟨f⟩, and δ_h on the evaluation grid, dimensionless.
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    shot_noise : float, keyword-only
        V Σw²/(Σw)² of the halos' weights w [(Mpc/h)³].
    smoothing_radii : sequence of float, keyword-only
        Radii of the Gaussian smoothing of the one-point distributions [Mpc/h].
    delta_edges : ndarray, shape (bins + 1,), keyword-only
        Edges of the bins of δ of both fields at all radii, dimensionless.
    shell_width : int, keyword-only
        Width of the bispectrum's shells in units of 2π/L.
    k_max : float, keyword-only
        Upper limit of the shells [h/Mpc], at most two thirds of the Nyquist wavenumber.
    threads : int, keyword-only
        Threads of the transforms.

    Returns
    -------
    Comparison
        Without labels.

    Raises
    ------
    ValueError
        If the fields are not equal cubic grids, or a setting is out of range.
    """
    fft = RealFFT(len(halos), threads=threads)
    modes = fft.forward(model), fft.forward(halos)
    model_power, halo_power = (power.auto_power(of_one, box_size) for of_one in modes)
    model_triangles, halo_triangles = (
        bispectrum(of_one, box_size, width=shell_width, k_max=k_max, threads=threads)
        for of_one in modes
    )
    edges = np.array(delta_edges, dtype=np.float64)
    return Comparison(
        k=halo_power.k,
        n_modes=halo_power.n_modes,
        halo_power=halo_power.power,
        model_power=model_power.power,
        cross_power=power.cross_power(*modes, box_size).power,
        radii=np.array(smoothing_radii, dtype=np.float64),
        delta_edges=edges,
        **_one_point(modes, box_size, smoothing_radii, edges, fft),
        shell_k=halo_triangles.k,
        halo_shell_power=halo_triangles.power,
        model_shell_power=model_triangles.power,
        triangles=halo_triangles.triangles,
        n_triangles=halo_triangles.n_triangles,
        halo_bispectrum=halo_triangles.values,
        model_bispectrum=model_triangles.values,
        shot_noise=float(shot_noise),
        box_size=float(box_size),
        n_grid=len(halos),
    )


def _one_point(
    modes: tuple[np.ndarray, np.ndarray],
    box_size: float,
    radii: Sequence[float],
    edges: np.ndarray,
    fft: RealFFT,
) -> dict[str, np.ndarray]:
    """Return the fields of `Comparison` that belong to the radii."""
    found: dict[str, list] = {}
    for radius in radii:
        model, halos = (
            np.sort(one_point.smooth(of_one, box_size, radius, fft), axis=None) for of_one in modes
        )
        values = {
            "model_density": one_point.density(model, edges),
            "halo_density": one_point.density(halos, edges),
            "model_moments": one_point.moments(model),
            "halo_moments": one_point.moments(halos),
            "wasserstein": one_point.wasserstein(model, halos),
            "kolmogorov_smirnov": one_point.kolmogorov_smirnov(model, halos),
        }
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    return {name: np.array(rows) for name, rows in found.items()}
