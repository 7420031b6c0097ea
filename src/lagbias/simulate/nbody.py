"""Particle-mesh N-body evolution with steps in the growth factor.

Each step is drift-kick-drift in D with the coefficients of BullFrog (Rampf, List & Hahn 2025,
arXiv:2409.19049), which reproduce 2LPT on large scales for any step size. Forces are computed on a
mesh with twice as many nodes per side as particles; its modes are divided once by the
cloud-in-cell window (sinc^2 on each axis), see :mod:`lagbias.simulate.kernels`.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lagbias.cosmology import Background
from lagbias.grids.fourier import RealFFT, wavenumbers
from lagbias.runtime import checkpoints
from lagbias.runtime.progress import bar
from lagbias.runtime.threads import numba_threads
from lagbias.simulate.kernels import (
    PAINT_COPIES,
    advance,
    filtered_inverse_laplacian,
    kick,
    paint_overdensity,
    wrap,
)
from lagbias.simulate.lpt import initial_conditions

__all__ = ["CHECKPOINT_INTERVAL", "MESH_RATIO", "bullfrog_coefficients", "evolve", "simulate"]

logger = logging.getLogger(__name__)

MESH_RATIO = 2
"""Mesh nodes per particle along each axis; the window correction is valid for this value only."""

CHECKPOINT_INTERVAL = 120.0
"""Minimum interval between two checkpoints [s]: few, as each holds 24 bytes a particle."""


def bullfrog_coefficients(
    background: Background, growth_start: float, growth_end: float
) -> tuple[float, float]:
    """Return the coefficients of the kick ``v = keep * v + gain * force`` of one step.

    Parameters
    ----------
    background : Background
        Gives E(D) and dE/dD.
    growth_start, growth_end : float
        D at both ends of the step, dimensionless; the kick is at its midpoint.

    Returns
    -------
    keep, gain : float
        Dimensionless, for v = dx/dD and the force ``-grad phi``, ``laplacian phi = delta``.

    Notes
    -----
    They are such that a particle moving by ``D psi_1 + E psi_2``, with the corresponding force at
    the midpoint, has the correct dx/dD after the kick, to second order.
    """
    interval = growth_end - growth_start
    middle = growth_start + interval / 2.0
    a_start, a_end = background.scale_factor(growth_start), background.scale_factor(growth_end)
    second = float(background.second_order_growth(a_start))
    slope_start = float(background.second_order_slope(a_start))
    slope_end = float(background.second_order_slope(a_end))
    force_term = (second + slope_start * interval / 2.0) / middle - middle
    keep = (slope_end - force_term) / (slope_start - force_term)
    return keep, (1.0 - keep) / middle


def simulate(
    linear_modes: np.ndarray,
    *,
    box_size: float,
    background: Background,
    initial_redshift: float,
    redshift: float,
    steps: int,
    threads: int = 1,
    checkpoint: Path | None = None,
    key: str = "",
    checkpoint_interval: float = CHECKPOINT_INTERVAL,
) -> tuple[np.ndarray, np.ndarray]:
    """Evolve one particle per grid node from 2LPT initial conditions to a redshift.

    Parameters
    ----------
    linear_modes : ndarray, shape (n, n, n//2+1), complex64
        Linear density contrast at redshift 0, as from
        :func:`lagbias.simulate.gaussian_field.linear_density_modes`; not modified.
    box_size : float
        L [Mpc/h].
    background : Background
    initial_redshift, redshift : float
        Start and end of the simulation. Starting at 9 rather than 19 lowers the power at k = 0.5 to
        1 h/Mpc by 1 %.
    steps : int
        Number of steps, equal in D.
    threads : int, keyword-only
        Threads of the kernels and transforms. Results are bitwise reproducible for a given number;
        different numbers change the rounding of FFTW.
    checkpoint : Path, optional, keyword-only
        File from which an interrupted simulation continues, with the result of an unbroken one. It
        is written after a step when `checkpoint_interval` [s] has passed; the caller removes it.
    key : str, keyword-only
        Identifies the simulation: a checkpoint with another key is ignored.

    Returns
    -------
    positions : ndarray, shape (n^3, 3), float32
        Positions [Mpc/h] in [0, L); particle p started at node p in C order.
    velocities : ndarray, shape (n^3, 3), float32
        dx/dD [Mpc/h]; multiply by ``background.velocity_factor(a)`` for km/s.
    """
    start, end = (float(background.growth(1.0 / (1.0 + z))) for z in (initial_redshift, redshift))
    names = ("positions", "velocities", "step")
    saved = checkpoints.find(checkpoint, key, names) if checkpoint else None
    with numba_threads(threads):
        if saved:
            positions, velocities, done = (saved[name] for name in names)
            logger.info("The simulation continues after step %d from %s", done, checkpoint)
        else:
            done = 0
            positions, velocities = initial_conditions(
                linear_modes,
                growth=start,
                background=background,
                box_size=box_size,
                fft=RealFFT(linear_modes.shape[0], threads=threads),
            )
        last_write = time.monotonic()

        def keep(step: int) -> None:
            nonlocal last_write
            if checkpoint and time.monotonic() - last_write > checkpoint_interval:
                state = (positions, velocities, np.array(step))
                checkpoints.write(checkpoint, key, dict(zip(names, state, strict=True)))
                last_write = time.monotonic()

        evolve(
            positions,
            velocities,
            np.linspace(start, end, steps + 1),
            box_size=box_size,
            background=background,
            fft=RealFFT(MESH_RATIO * linear_modes.shape[0], threads=threads),
            done=int(done),
            after_step=keep,
        )
    return positions, velocities


def evolve(
    positions: np.ndarray,
    velocities: np.ndarray,
    growth_steps: np.ndarray,
    *,
    box_size: float,
    background: Background,
    fft: RealFFT,
    done: int = 0,
    after_step: Callable[[int], None] | None = None,
) -> None:
    """Advance particles through a sequence of growth factors, in place.

    Parameters
    ----------
    positions, velocities : ndarray, shape (P, 3), float32
        Positions [Mpc/h] and dx/dD [Mpc/h]. Positions end in [0, L).
    growth_steps : ndarray, shape (steps + 1,), float64
        D at the ends of the steps, increasing.
    box_size : float
        L [Mpc/h].
    background : Background
    fft : RealFFT
        Transforms of the force mesh.
    done : int, keyword-only
        Steps that the particles have made.
    after_step : callable, optional, keyword-only
        Called with the number of steps made, after each.
    """
    meshes, modes = _work_space(n_mesh := fft.n)
    wavenumber = wavenumbers(n_mesh, box_size)[0].ravel().astype(np.float32)
    window = _window_correction(n_mesh)
    n_steps = len(growth_steps) - 1
    remaining = itertools.pairwise(growth_steps[done:])
    steps = bar(remaining, total=n_steps - done, desc="N-body", unit="step")
    for step, (start, end) in enumerate(steps, start=done + 1):
        advance(positions, velocities, (end - start) / 2.0)
        mesh = paint_overdensity(positions, box_size, meshes)
        fft.forward(mesh, out=modes)
        filtered_inverse_laplacian(
            modes, window, window, window, wavenumber, np.complex64(-1), modes
        )
        fft.inverse(modes, out=mesh)
        keep, gain = bullfrog_coefficients(background, start, end)
        kick(positions, velocities, mesh, box_size=box_size, keep=keep, gain=gain)
        advance(positions, velocities, (end - start) / 2.0)
        if after_step:
            after_step(step)
    wrap(positions, box_size)
    logger.info("%d steps on a %d^3 mesh to D = %.4f", n_steps, n_mesh, growth_steps[-1])


def _work_space(n_mesh: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the painting meshes and the modes, which share memory: a quarter of all is saved."""
    mesh_floats, mode_floats = n_mesh**3, n_mesh**2 * 2 * (n_mesh // 2 + 1)
    total = mesh_floats + max((PAINT_COPIES - 1) * mesh_floats, mode_floats)
    raw = np.empty(total + 16, dtype=np.float32)
    work = raw[(-raw.ctypes.data // 4) % 16 :][:total]  # FFTW needs aligned addresses
    meshes = work[: PAINT_COPIES * mesh_floats].reshape(PAINT_COPIES, n_mesh, n_mesh, n_mesh)
    modes = work[mesh_floats : mesh_floats + mode_floats].view(np.complex64)
    return meshes, modes.reshape(n_mesh, n_mesh, n_mesh // 2 + 1)


def _window_correction(n_mesh: int) -> np.ndarray:
    """Return the inverse cloud-in-cell window along one axis."""
    return (1.0 / np.sinc(np.fft.fftfreq(n_mesh)) ** 2).astype(np.float32)
