"""Transfer functions that give the field of networks the power and the bispectrum of the halos.

δ(k) → T₁(|k|) δ(k) + T₂(|k|) δ₂(k), with the squared field δ₂ of `lagbias.grids.second_order`. No f
of particles has the power of the halos at all k: a regression loses what is not correlated,
P_model = r² P_h, and on small scales particles are more spread out than the centres of halos. Nor
has it their bispectrum: in the densest regions there is less mass in halos than f gives them,
⟨δ₂ (δ_h − δ)⟩ < 0. In each bin of |k|, T₁ and T₂ minimise |δ_model − δ_h|² over some boxes, such
as those that train, and are multiplied by the number that gives P_model the sum of P_h.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lagbias.bias.spectra import Spectra
from lagbias.bias.transfer_functions import apply, least_squares
from lagbias.grids.fourier import RealFFT
from lagbias.grids.power import mean_wavenumbers
from lagbias.grids.second_order import second_order_field

__all__ = ["SecondOrderTransfer", "second_order_transfer"]


@dataclass(frozen=True)
class SecondOrderTransfer:
    """T₁(k) and T₂(k) of an ensemble, see `second_order_transfer`.

    Parameters
    ----------
    k : ndarray, float64, shape (b,)
        Mean wavenumber of the modes in each bin [h/Mpc].
    average : ndarray, float64, shape (2, b)
        T₁ and T₂ of the average f, dimensionless.
    networks : ndarray, float64, shape (s, 2, b)
        T₁ and T₂ of each network, dimensionless.
    """

    k: np.ndarray
    average: np.ndarray
    networks: np.ndarray

    def apply(self, overdensity: np.ndarray, *, box_size: float, threads: int = 1) -> np.ndarray:
        """Return T₁ δ + T₂ δ₂ of the average f's field.

        T₁ and T₂ are interpolated linearly in |k|, and constant beyond the first and last bin.

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
        first = np.asarray(overdensity, np.float32)
        fft = RealFFT(len(first), threads=threads)
        second = second_order_field(fft.forward(first), box_size=box_size, fft=fft)
        fields = np.stack([first, second])
        return apply(self.k, self.average, fields, box_size=box_size, threads=threads)

    def apply_to_spectra(self, spectra: Spectra) -> Spectra:
        """Return the spectra of T₁ δ + T₂ δ₂ of each network and of the average f.

        T₁ and T₂ are interpolated as in `apply`, and taken for constant within a bin.

        Parameters
        ----------
        spectra : Spectra
            Of the same networks on any box.

        Returns
        -------
        Spectra
            Without those of second order.

        Raises
        ------
        ValueError
            If `spectra` has other networks, or none of second order.
        """
        if len(spectra.model_power) != len(self.networks):
            raise ValueError(
                f"The spectra are of {len(spectra.model_power)} networks, the transfer functions "
                f"of {len(self.networks)}. Take those of one ensemble."
            )
        networks, average = (_products(spectra, of) for of in ("networks", "average"))
        of_average = self._at(_wavenumbers(spectra), self.average)
        of_networks = self._at(_wavenumbers(spectra), self.networks)
        return replace(
            spectra,
            model_power=_model_power(networks, of_networks),
            cross_power=_cross_power(networks, of_networks),
            average_model_power=_model_power(average, of_average),
            average_cross_power=_cross_power(average, of_average),
            second_order={},
        )

    def _at(self, k: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Interpolate along the last axis."""
        return np.apply_along_axis(lambda each: np.interp(k, self.k, each), -1, values)


def second_order_transfer(boxes: Sequence[Spectra]) -> SecondOrderTransfer:
    """Return the transfer functions that give networks the power and the bispectrum of the halos.

    Parameters
    ----------
    boxes : sequence of Spectra
        Of an ensemble on each of the boxes, of one size and on one grid.

    Raises
    ------
    ValueError
        If the bins of the boxes differ, or they have no spectra of second order.
    """
    k = _wavenumbers(boxes[0])
    if any(not np.array_equal(_wavenumbers(box), k) for box in boxes):
        raise ValueError(
            f"The boxes have sides of {[box.box_size for box in boxes]} Mpc/h and grids of "
            f"{[box.n_grid for box in boxes]} nodes. Take boxes of one size, on one grid."
        )

    def solve(of: str) -> np.ndarray:
        total = np.sum([_products(box, of) for box in boxes], axis=0)
        transfer = least_squares(total)
        scale = np.sqrt(total[..., -1, -1] / _model_power(total, transfer))
        return transfer * scale[..., None, :]

    return SecondOrderTransfer(k=k, average=solve("average"), networks=solve("networks"))


def _products(spectra: Spectra, of: str) -> np.ndarray:
    """Return the spectra of δ, δ₂ and δ_h with each other [(Mpc/h)³], of shape (…, b, 3, 3).

    δ is that of the ``average`` f or, each on its own, of the ``networks``.
    """
    if of not in spectra.second_order:
        raise ValueError(
            f"The spectra on {spectra.target_box or 'a box'} have none of second order: transfer "
            "functions have been applied to them. Take spectra of networks."
        )
    square, cross, square_with_halos = np.moveaxis(spectra.second_order[of], -2, 0)
    model, with_halos = {
        "average": (spectra.average_model_power, spectra.average_cross_power),
        "networks": (spectra.model_power, spectra.cross_power),
    }[of]
    halos = np.broadcast_to(spectra.halo_power, model.shape)
    rows = (
        (model, cross, with_halos),
        (cross, square, square_with_halos),
        (with_halos, square_with_halos, halos),
    )
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def _model_power(products: np.ndarray, transfer: np.ndarray) -> np.ndarray:
    """Return the power of T₁ δ + T₂ δ₂, shape (…, b), for `transfer` of shape (…, 2, b)."""
    return np.einsum("...ib,...bij,...jb->...b", transfer, products[..., :-1, :-1], transfer)


def _cross_power(products: np.ndarray, transfer: np.ndarray) -> np.ndarray:
    """Return its cross power with the halos, shape (…, b)."""
    return np.einsum("...ib,...bi->...b", transfer, products[..., :-1, -1])


def _wavenumbers(spectra: Spectra) -> np.ndarray:
    return mean_wavenumbers(spectra.n_grid, spectra.box_size)
