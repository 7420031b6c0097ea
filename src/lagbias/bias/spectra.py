"""Power spectra of an ensemble's halo field on one box, and the quantities derived from them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from lagbias.grids import power
from lagbias.schema import fields
from lagbias.schema.labels import EvaluationLabels

__all__ = ["Spectra", "rebin"]


@dataclass(frozen=True, kw_only=True)
class Spectra(EvaluationLabels):
    """Auto and cross spectra of model and halo field on one box.

    Those of second order, of `lagbias.grids.second_order.second_order_field`, are there until bins
    are merged or transfer functions applied.
    """

    KIND: ClassVar[str] = "spectra"
    k: np.ndarray = fields.array("h/Mpc", "k", "bin centre")
    n_modes: np.ndarray = fields.array("1", "k", "modes in the bin", code="i")
    halo_power: np.ndarray = fields.array("(Mpc/h)^3", "k", "P_h")
    model_power: np.ndarray = fields.array("(Mpc/h)^3", "seed k", "P_model of each network")
    cross_power: np.ndarray = fields.array("(Mpc/h)^3", "seed k", "P_hm of each network")
    average_model_power: np.ndarray = fields.array("(Mpc/h)^3", "k", "P_model of the average f")
    average_cross_power: np.ndarray = fields.array("(Mpc/h)^3", "k", "P_hm of the average f")
    mean_f: np.ndarray = fields.array("1", "seed", "⟨f⟩ before division by it")
    average_mean_f: np.ndarray = fields.array("1", "1", "⟨f⟩ of the average f")
    seeds: np.ndarray = fields.array("1", "seed", "seeds of the networks", code="i")
    second_order: Mapping[str, np.ndarray] = fields.arrays(
        "(Mpc/h)^3",
        "spectra of δ₂ with itself, δ_model and δ_h: `networks`, (seed, 3, k), `average`, (3, k)",
    )
    box_size: float = fields.number("Mpc/h", "side of the box", default=0.0)
    n_grid: int = fields.number("1", "nodes per side of the evaluation grid", default=0)

    @property
    def ratio(self) -> np.ndarray:
        """R(k) = P_model / P_h of the average f, float64, shape (b,), dimensionless."""
        return self.average_model_power / self.halo_power

    @property
    def ratios(self) -> np.ndarray:
        """P_model / P_h of each network, float64, shape (s, b), dimensionless."""
        return self.model_power / self.halo_power

    @property
    def uncorrelated(self) -> np.ndarray:
        """P_uncorr / P_h of the average f (eq. 3.1), float64, shape (b,), dimensionless."""
        model, cross, halo = self.average_model_power, self.average_cross_power, self.halo_power
        return power.uncorrelated_power(model, cross, halo) / halo

    @property
    def correlation(self) -> np.ndarray:
        """r(k) of the average f with the halos, float64, shape (b,), dimensionless."""
        return power.correlation_coefficient(
            self.average_model_power, self.average_cross_power, self.halo_power
        )

    def mean_ratio(self, k_max: float = 0.1) -> float:
        """Return ⟨R⟩ of the average f over the modes below `k_max` [h/Mpc], dimensionless."""
        return float(power.mode_weighted_mean(self.ratio, self.k, self.n_modes, k_max=k_max))

    def mean_ratios(self, k_max: float = 0.1) -> np.ndarray:
        """Return ⟨R⟩ of each network, float64, shape (s,), dimensionless (see `mean_ratio`)."""
        return power.mode_weighted_mean(self.ratios, self.k, self.n_modes, k_max=k_max)


def rebin(spectra: Spectra, *, k_from: float = 0.1, min_log_width: float = 0.08) -> Spectra:
    """Merge narrow bins at high k; bins below `k_from` stay as they are.

    Powers are averaged with the number of modes as weight, as a single wide bin would measure
    them. Form ratios afterwards.

    Parameters
    ----------
    spectra : Spectra
    k_from : float, keyword-only
        Smallest wavenumber of bins to merge [h/Mpc].
    min_log_width : float, keyword-only
        Minimum width of merged bins in ln k, dimensionless.
    """
    k, weights = spectra.k, spectra.n_modes.astype(np.float64)
    starts = [0]
    for index in range(1, len(k)):
        first = k[starts[-1]]
        if first < k_from or np.log(k[index] / first) >= min_log_width:
            starts.append(index)
    total = np.add.reduceat(weights, starts)

    def average(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values * weights, starts, axis=-1) / total

    averaged = ("k", "halo_power", "model_power", "cross_power")
    averaged += ("average_model_power", "average_cross_power")
    return replace(
        spectra,
        n_modes=np.add.reduceat(spectra.n_modes, starts),
        second_order={},
        **{name: average(getattr(spectra, name)) for name in averaged},
    )
