"""Multipoles of an ensemble's halo field in redshift space."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lagbias.grids.fourier import RealFFT
from lagbias.grids.multipoles import ELLS, auto_multipoles, cross_multipoles
from lagbias.schema import fields
from lagbias.schema.labels import EvaluationLabels

__all__ = ["Multipoles", "measure_multipoles"]


@dataclass(frozen=True, kw_only=True)
class Multipoles(EvaluationLabels):
    """P_ℓ of the average f and of the halo field in redshift space, about the line of sight z."""

    KIND: ClassVar[str] = "multipoles"
    k: np.ndarray = fields.array("h/Mpc", "k", "bin centre")
    n_modes: np.ndarray = fields.array("1", "k", "modes in the bin", code="i")
    ells: np.ndarray = fields.array("1", "ell", "orders ℓ", code="i")
    halo_power: np.ndarray = fields.array("(Mpc/h)^3", "ell k", "P_h")
    model_power: np.ndarray = fields.array("(Mpc/h)^3", "ell k", "P_model of the average f")
    cross_power: np.ndarray = fields.array("(Mpc/h)^3", "ell k", "P_hm of the average f")
    mean_f: float = fields.number("1", "⟨f⟩ of the average f before division by it", default=1.0)
    box_size: float = fields.number("Mpc/h", "side of the box", default=0.0)
    n_grid: int = fields.number("1", "nodes per side of the evaluation grid", default=0)


def measure_multipoles(
    model: np.ndarray, halos: np.ndarray, *, box_size: float, threads: int = 1
) -> Multipoles:
    """Measure the multipoles of a model and a halo field.

    Neither shot noise nor the CIC window is corrected for, as in `measure_spectra`.

    Parameters
    ----------
    model, halos : ndarray, float32, shape (n, n, n)
        Overdensities in redshift space, painted with CIC, dimensionless.
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    threads : int, keyword-only
        Threads of the transforms.

    Returns
    -------
    Multipoles
        Without labels.
    """
    fft = RealFFT(len(halos), threads=threads)
    model_modes, halo_modes = fft.forward(model), fft.forward(halos)
    halo = auto_multipoles(halo_modes, box_size)
    return Multipoles(
        k=halo.k,
        n_modes=halo.n_modes,
        ells=np.array(ELLS),
        halo_power=halo.power,
        model_power=auto_multipoles(model_modes, box_size).power,
        cross_power=cross_multipoles(model_modes, halo_modes, box_size).power,
        box_size=float(box_size),
        n_grid=len(halos),
    )
