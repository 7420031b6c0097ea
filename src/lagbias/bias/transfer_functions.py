"""Transfer functions of the second-order Lagrangian bias fields.

δ_model(k) = Σ_i β_i(|k|) F_i(k), with the five fields F_i of `lagbias.bias.polynomial` and real
β_i that minimise |δ_model - δ_h|² in each bin of |k|. This is the field-level model of Schmittfull
et al. (2019) with particles at their final positions in the simulation. They make the fields
orthogonal first; in each bin that replaces the fields by other combinations of the same fields, so
the least-squares model is the same. Bins share no parameters: a filter W(k) would change nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from lagbias.grids.fourier import RealFFT, wavenumbers
from lagbias.grids.power import cross_power
from lagbias.schema import fields
from lagbias.schema.labels import EnsembleLabels

__all__ = [
    "BinnedProducts",
    "TransferFunctions",
    "apply",
    "binned_products",
    "least_squares",
    "model_field",
    "solve",
]


@dataclass(frozen=True, kw_only=True)
class TransferFunctions(EnsembleLabels):
    """Transfer functions β_i(k) of the fields of `lagbias.bias.polynomial.basis_fields`."""

    KIND: ClassVar[str] = "transfer_functions"
    k: np.ndarray = fields.array("h/Mpc", "k", "mean wavenumber of the modes in the bin")
    beta: np.ndarray = fields.array("1", "5 k", "β of 1, δ, δ², G2 and ∇²δ, normalised")


class BinnedProducts(NamedTuple):
    """Sums of products of modes in each bin of |k|."""

    k: np.ndarray  # mean wavenumber of the modes [h/Mpc], float64, (bins,)
    sums: np.ndarray  # Σ Re(a b*) L³/N⁶ of five fields and δ_h [(Mpc/h)³], float64, (bins, 6, 6)


def binned_products(
    basis: np.ndarray, halo_overdensity: np.ndarray, *, box_size: float, threads: int = 1
) -> BinnedProducts:
    """Sum products of basis fields and halo field in the bins of `lagbias.grids.power`.

    Parameters
    ----------
    basis : ndarray, float32, shape (5, n, n, n)
        Fields of `lagbias.bias.polynomial.basis_fields`, dimensionless.
    halo_overdensity : ndarray, float32, shape (n, n, n)
        δ_h on the same grid, painted with CIC, dimensionless.
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    threads : int, keyword-only
        Threads of the transforms.
    """
    fft = RealFFT(len(halo_overdensity), threads=threads)
    modes = [fft.forward(field) for field in (*basis, halo_overdensity)]
    sums = np.empty((len(halo_overdensity) // 2, len(modes), len(modes)))
    for i, first in enumerate(modes):
        for j, second in enumerate(modes[: i + 1]):
            product = cross_power(first, second, box_size)
            sums[:, i, j] = sums[:, j, i] = product.power * product.n_modes
    return BinnedProducts(product.mean_k, sums)


def solve(boxes: Sequence[BinnedProducts]) -> TransferFunctions:
    """Minimise |δ_model - δ_h|² over all boxes in each bin.

    Parameters
    ----------
    boxes : sequence of BinnedProducts
        Of boxes of one size and with one grid.

    Returns
    -------
    TransferFunctions
        Without labels.

    Raises
    ------
    ValueError
        If the boxes have different bins.
    """
    k = boxes[0].k
    if any(not np.array_equal(box.k, k) for box in boxes):
        raise ValueError(
            f"Bins of the boxes differ: there are {[len(box.k) for box in boxes]}, the first at "
            f"k = {[float(box.k[0]) for box in boxes]} h/Mpc. Fit transfer functions to boxes of "
            "one size, on one grid."
        )
    total = np.sum([box.sums for box in boxes], axis=0)
    return TransferFunctions(k=k, beta=least_squares(total))


def least_squares(products: np.ndarray) -> np.ndarray:
    """Return the β_i that minimise |Σ_i β_i F_i - δ_h|² in each bin.

    Parameters
    ----------
    products : ndarray, float64, shape (…, b, m + 1, m + 1)
        Sums or means of products of modes of m fields F_i and, last, of δ_h in b bins.

    Returns
    -------
    ndarray, float64, shape (…, m, b)
        Dimensionless.
    """
    beta = np.linalg.solve(products[..., :-1, :-1], products[..., :-1, -1:])
    return np.swapaxes(beta[..., 0], -1, -2).copy()


def model_field(
    transfer: TransferFunctions, basis: np.ndarray, *, box_size: float, threads: int = 1
) -> np.ndarray:
    """Apply transfer functions to the basis fields of any box.

    β is interpolated as in `apply`.

    Parameters
    ----------
    transfer : TransferFunctions
    basis : ndarray, float32, shape (5, n, n, n)
        Fields of `lagbias.bias.polynomial.basis_fields`, dimensionless.
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    threads : int, keyword-only
        Threads of the transforms.

    Returns
    -------
    ndarray, float32, shape (n, n, n)
        δ_model, dimensionless.
    """
    return apply(transfer.k, transfer.beta, basis, box_size=box_size, threads=threads)


def apply(
    k: np.ndarray,
    factors: np.ndarray,
    grids: np.ndarray,
    *,
    box_size: float,
    threads: int = 1,
) -> np.ndarray:
    """Return the field of Σ_i factor_i(|k|) F_i(k).

    Parameters
    ----------
    k : ndarray, shape (b,)
        Wavenumbers of the factors [h/Mpc], between which they are interpolated linearly, and beyond
        which they are constant.
    factors : ndarray, shape (m, b)
        Dimensionless.
    grids : ndarray, float32, shape (m, n, n, n)
        The fields F_i, dimensionless.
    box_size : float, keyword-only
        Side L of the periodic box [Mpc/h].
    threads : int, keyword-only
        Threads of the transforms.

    Returns
    -------
    ndarray, float32, shape (n, n, n)
        Dimensionless.
    """
    n = grids.shape[1]
    fft = RealFFT(n, threads=threads)
    kx, ky, kz = wavenumbers(n, box_size)
    modes, total = fft.empty_modes(), fft.empty_modes()
    total[...] = 0.0
    for factor, field in zip(factors, grids, strict=True):
        fft.forward(field, out=modes)
        for x in range(n):  # plane by plane to save memory
            of_plane = np.sqrt(kx[x] ** 2 + ky[0] ** 2 + kz[0] ** 2)
            total[x] += np.interp(of_plane, k, factor).astype(np.float32) * modes[x]
    return fft.inverse(total)
