"""A transfer function that gives the field of networks the power of the halos.

δ(k) → T(|k|) δ(k) with T² = Σ P_h / Σ P_model over some boxes, such as those that train. No f of
particles has the power of the halos at all k: a regression loses what is not correlated,
P_model = r² P_h, and on small scales particles are more spread out than the centres of halos. T is
the same for all modes of a |k|, so that r(k) stays as it is, and the uncorrelated power changes
with the power only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lagbias.bias.spectra import Spectra
from lagbias.bias.transfer_functions import apply
from lagbias.grids.power import mean_wavenumbers

__all__ = ["PowerTransfer", "power_transfer"]


@dataclass(frozen=True)
class PowerTransfer:
    """T(k) of an ensemble, see `power_transfer`.

    Parameters
    ----------
    k : ndarray, float64, shape (b,)
        Mean wavenumber of the modes in each bin [h/Mpc].
    average : ndarray, float64, shape (b,)
        T of the average f, dimensionless.
    networks : ndarray, float64, shape (s, b)
        T of each network, dimensionless.
    """

    k: np.ndarray
    average: np.ndarray
    networks: np.ndarray

    def apply(self, overdensity: np.ndarray, *, box_size: float, threads: int = 1) -> np.ndarray:
        """Multiply the modes of the average f's field by T.

        T is interpolated linearly in |k| and constant beyond the first and last bin.

        Parameters
        ----------
        overdensity : ndarray, float32, shape (n, n, n)
            δ_model of the average f in any box, painted with CIC, dimensionless.
        box_size : float, keyword-only
            Side L of the periodic box [Mpc/h].
        threads : int, keyword-only
            Threads of the transforms.

        Returns
        -------
        ndarray, float32, shape (n, n, n)
            Dimensionless.
        """
        return apply(
            self.k,
            self.average[None],
            np.asarray(overdensity, np.float32)[None],
            box_size=box_size,
            threads=threads,
        )

    def apply_to_spectra(self, spectra: Spectra) -> Spectra:
        """Return the spectra of the fields of each network and of the average f, times their T.

        Parameters
        ----------
        spectra : Spectra
            Of the same networks on any box, in the same bins.

        Raises
        ------
        ValueError
            If the bins differ.
        """
        if not np.array_equal(k := _wavenumbers(spectra), self.k):
            raise ValueError(
                f"The spectra have {len(k)} bins from k = {k[0]:g} h/Mpc, the transfer function "
                f"{len(self.k)} from {self.k[0]:g}. Take boxes of one size, on one grid."
            )
        return replace(
            spectra,
            model_power=spectra.model_power * self.networks**2,
            cross_power=spectra.cross_power * self.networks,
            average_model_power=spectra.average_model_power * self.average**2,
            average_cross_power=spectra.average_cross_power * self.average,
        )


def power_transfer(boxes: Sequence[Spectra]) -> PowerTransfer:
    """Return the transfer function that gives networks the power of the halos.

    Parameters
    ----------
    boxes : sequence of Spectra
        Of an ensemble on each of the boxes, of one size and on one grid.

    Raises
    ------
    ValueError
        If the bins of the boxes differ.
    """
    k = _wavenumbers(boxes[0])
    if any(not np.array_equal(_wavenumbers(box), k) for box in boxes):
        raise ValueError(
            f"The boxes have sides of {[box.box_size for box in boxes]} Mpc/h and grids of "
            f"{[box.n_grid for box in boxes]} nodes. Take boxes of one size, on one grid."
        )

    def total(name: str) -> np.ndarray:
        return np.sum([getattr(box, name) for box in boxes], axis=0)

    halos = total("halo_power")
    return PowerTransfer(
        k=k,
        average=np.sqrt(halos / total("average_model_power")),
        networks=np.sqrt(halos / total("model_power")),
    )


def _wavenumbers(spectra: Spectra) -> np.ndarray:
    return mean_wavenumbers(spectra.n_grid, spectra.box_size)
