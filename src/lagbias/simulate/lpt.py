"""Initial displacements and velocities in second-order Lagrangian perturbation theory (2LPT).

``x = q + D psi_1 + E psi_2`` with ``psi_1 = -grad phi``, ``laplacian phi = delta`` and
``psi_2 = grad phi_2``, ``laplacian phi_2 = sum_{a<b} (phi_aa phi_bb - phi_ab^2)``, where D and E
are the growth factors of :class:`lagbias.cosmology.Background` (Bouchet et al. 1995, A&A 296, 575;
E is close to -3/7 D^2). "Velocity" is dx/dD throughout [Mpc/h].
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np

from lagbias.cosmology import Background
from lagbias.grids.fourier import RealFFT, wavenumbers
from lagbias.simulate.kernels import filtered_inverse_laplacian

__all__ = ["displacement", "initial_conditions", "second_order_source"]

logger = logging.getLogger(__name__)


def displacement(modes: np.ndarray, axis: int, *, box_size: float, fft: RealFFT) -> np.ndarray:
    """Return one component of ``-grad (laplacian)^-1`` of a field.

    Parameters
    ----------
    modes : ndarray, shape (n, n, n//2+1), complex64
        Modes of the field, not modified: the linear density gives psi_1, and minus
        :func:`second_order_source` gives psi_2.
    axis : int
        Component, 0, 1 or 2.
    box_size : float
        L [Mpc/h].
    fft : RealFFT
        Transforms of an n^3 grid.

    Returns
    -------
    ndarray, shape (n, n, n), float32
        Displacement [Mpc/h] at the nodes.
    """
    factors = _axis_factors(modes.shape[0], box_size, axis)
    out = fft.empty_modes()
    filtered_inverse_laplacian(modes, *factors, _axis(modes, box_size), np.complex64(1j), out)
    return fft.inverse(out)


def second_order_source(modes: np.ndarray, *, box_size: float, fft: RealFFT) -> np.ndarray:
    """Return the modes of ``sum_{a<b} (phi_aa phi_bb - phi_ab^2)`` for ``laplacian phi = delta``.

    Parameters
    ----------
    modes : ndarray, shape (n, n, n//2+1), complex64
        Modes of delta, not modified.
    box_size : float
        L [Mpc/h].
    fft : RealFFT
        Transforms of an n^3 grid.

    Returns
    -------
    ndarray, shape (n, n, n//2+1), complex64
        Modes of the source, dimensionless.
    """
    scratch = fft.empty_modes()

    def hessian(first: int, second: int) -> np.ndarray:
        factors = _axis_factors(modes.shape[0], box_size, first, second)
        filtered_inverse_laplacian(
            modes, *factors, _axis(modes, box_size), np.complex64(1), scratch
        )
        return fft.inverse(scratch)

    xx, yy = hessian(0, 0), hessian(1, 1)
    source = xx * yy
    xx += yy
    del yy
    source += xx * hessian(2, 2)
    del xx
    for first, second in ((0, 1), (0, 2), (1, 2)):
        component = hessian(first, second)
        component *= component
        source -= component
    return fft.forward(source)


def initial_conditions(
    modes: np.ndarray, *, growth: float, background: Background, box_size: float, fft: RealFFT
) -> tuple[np.ndarray, np.ndarray]:
    """Displace a lattice of one particle per node with 2LPT.

    Parameters
    ----------
    modes : ndarray, shape (n, n, n//2+1), complex64
        Modes of the linear density contrast at redshift 0, not modified.
    growth : float
        D at the starting time, dimensionless.
    background : Background
        Gives E(D) and dE/dD.
    box_size : float
        L [Mpc/h].
    fft : RealFFT
        Transforms of an n^3 grid.

    Returns
    -------
    positions, velocities : ndarray, shape (n^3, 3), float32
        Positions [Mpc/h], not wrapped into the box, and dx/dD [Mpc/h]; particle p started at
        node p of the grid in C order.
    """
    n = fft.n
    scale_factor = background.scale_factor(growth)
    second = np.float32(background.second_order_growth(scale_factor))
    second_slope = np.float32(background.second_order_slope(scale_factor))
    positions = np.empty((n, n, n, 3), dtype=np.float32)
    velocities = np.empty((n, n, n, 3), dtype=np.float32)
    for axis, node in _lattice(n, box_size):
        component = displacement(modes, axis, box_size=box_size, fft=fft)
        velocities[..., axis] = component
        component *= np.float32(growth)
        component += node
        positions[..., axis] = component
    source = second_order_source(modes, box_size=box_size, fft=fft)
    source *= np.float32(-1)  # psi_2 = +grad phi_2, see `displacement`
    for axis in range(3):
        component = displacement(source, axis, box_size=box_size, fft=fft)
        velocities[..., axis] += second_slope * component
        component *= second
        positions[..., axis] += component
    logger.info("2LPT start at z = %.2f for %d^3 particles", 1.0 / scale_factor - 1.0, n)
    return positions.reshape(-1, 3), velocities.reshape(-1, 3)


def _lattice(n: int, box_size: float) -> Iterator[tuple[int, np.ndarray]]:
    nodes = (np.arange(n) * (box_size / n)).astype(np.float32)
    for axis in range(3):
        yield axis, nodes.reshape([-1 if axis == other else 1 for other in range(3)])


def _axis(modes: np.ndarray, box_size: float) -> np.ndarray:
    """Return the wavenumbers of a full axis, float32; the half axis is its first part."""
    return wavenumbers(modes.shape[0], box_size)[0].ravel().astype(np.float32)


def _axis_factors(n: int, box_size: float, *axes: int) -> list[np.ndarray]:
    """Return the product of ``k_axis`` over `axes`, as one factor for each axis."""
    factors = []
    for axis, k in enumerate(wavenumbers(n, box_size)):
        power = axes.count(axis)
        factor = k.ravel().astype(np.float32) ** power
        if power % 2 and n % 2 == 0:
            factor[n // 2] = 0.0  # an odd derivative of the Nyquist mode is not real
        factors.append(factor)
    return factors
