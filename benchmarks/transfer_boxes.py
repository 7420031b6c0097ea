"""Boxes of `transfer.py`: of this package or of PySCo, with halos of several definitions."""

import logging
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import lagbias
from lagbias.cli.configfile import load
from lagbias.cosmology import Background, abacus_linear_power
from lagbias.grids.fourier import RealFFT
from lagbias.runtime.atomic import replacing
from lagbias.runtime.threads import numba_threads
from lagbias.simulate.friends_of_friends import friends_of_friends, halo_properties
from lagbias.simulate.gaussian_field import linear_density_modes, white_noise
from lagbias.simulate.kept_particles import kept_sites
from lagbias.simulate.lpt import initial_conditions

CONFIG = load(Path(__file__).parents[1] / "config" / "config.yaml")
DEFAULT = CONFIG.embedded
LINKING_LENGTHS = (0.15, DEFAULT.linking_length, 0.20)
#: Fewest particles of the halos that are kept.
FEWEST = 8
log = logging.getLogger("transfer")


@dataclass(frozen=True)
class Simulation:
    """What the positions of the particles depend on, besides the seed."""

    box_size: float  # [Mpc/h]
    particles: int  # per side
    redshift: float = DEFAULT.redshift
    solver: str = "lagbias"

    @property
    def name(self) -> str:
        """Name in those of files."""
        return f"{self.solver}_L{self.box_size:g}_n{self.particles}_z{self.redshift:g}"


def stored_box(
    simulation: Simulation, seed: int, directory: Path, threads: int
) -> dict[str, np.ndarray]:
    """Read a box, or make and write it.

    Parameters
    ----------
    simulation : Simulation
    seed : int
        Seed of the initial conditions.
    directory : Path
        Where boxes are kept.
    threads : int

    Returns
    -------
    dict of ndarray
        ``delta`` (n, n, n); ``site`` (P,) and ``position`` (P, 3) [Mpc/h] of the particles that the
        default run keeps; for each linking length b ``halo_position_b`` (H, 3) [Mpc/h] and
        ``halo_particles_b`` (H,) of the halos of all particles.
    """
    path = directory / f"{simulation.name}_{seed}.npz"
    if not path.exists():
        start = time.perf_counter()
        path.parent.mkdir(parents=True, exist_ok=True)
        make = {"lagbias": simulate, "pysco": simulate_with_pysco}[simulation.solver]
        delta, position = make(simulation, seed, path.with_suffix(".h5"), threads)
        log.info("%s: evolved after %.0f s", path.stem, time.perf_counter() - start)
        box = {"delta": delta}
        for length in LINKING_LENGTHS:
            box |= find_halos(position, length, simulation, threads)
        box["site"] = kept_sites(
            simulation.particles,
            DEFAULT.kept_fraction,
            DEFAULT.kept_sampling,
            np.random.default_rng((seed, 1)),
        )
        box["position"] = position[box["site"]]
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **box)
        path.with_suffix(".h5").unlink(missing_ok=True)
        log.info("%s: made in %.0f s", path.stem, time.perf_counter() - start)
    with np.load(path) as file:
        return dict(file)


def find_halos(
    positions: np.ndarray, length: float, simulation: Simulation, threads: int
) -> dict[str, np.ndarray]:
    """Return positions and numbers of particles of the halos of a linking length."""
    labels = friends_of_friends(
        positions,
        box_size=simulation.box_size,
        linking_length=length * simulation.box_size / simulation.particles,
        min_particles=FEWEST,
        threads=threads,
    )
    # velocities are not needed: any array of their shape will do
    halos = halo_properties(labels, positions, positions, box_size=simulation.box_size)
    centres = halos.positions.astype(np.float32)
    centres[centres >= simulation.box_size] = 0.0
    return {f"halo_position_{length:g}": centres, f"halo_particles_{length:g}": halos.particles}


def simulate(
    simulation: Simulation, seed: int, checkpoint: Path, threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return δ and the positions of all particles, simulated by this package."""
    box = lagbias.simulate_box(
        seed,
        box_size=simulation.box_size,
        particles_per_side=simulation.particles,
        redshift=simulation.redshift,
        steps=DEFAULT.steps,
        threads=threads,
        checkpoint=checkpoint,
    )
    return box.linear_density.delta, box.particles.position


def simulate_with_pysco(
    simulation: Simulation, seed: int, _: Path, threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return δ and the positions of all particles, evolved by PySCo without a checkpoint.

    The initial conditions are those of `simulate`. PySCo knows no smooth matter: their amplitude is
    such that the linear density at the snapshot is the same.
    """
    # optional, and compiled when imported
    from pysco import solver, utils
    from pysco.integration import integrate

    abacus = Background.abacus_c000()
    background = Background.flat(abacus.omega_m)
    start, end = (1 / (1 + z) for z in (DEFAULT.initial_redshift, simulation.redshift))
    fft = RealFFT(simulation.particles, threads=threads)
    modes = linear_density_modes(
        white_noise(simulation.particles, np.random.default_rng(seed)),
        box_size=simulation.box_size,
        linear_power=abacus_linear_power(),
        fft=fft,
    )
    modes *= np.float32(abacus.growth(end) / background.growth(end))
    with numba_threads(threads):
        positions, velocities = initial_conditions(
            modes,
            growth=float(background.growth(start)),
            background=background,
            box_size=simulation.box_size,
            fft=fft,
        )
        delta = fft.inverse(modes)
        delta *= np.float32(background.growth(end))
        # PySCo's units: the side of the box, and the supercomoving time H0 dt / a²
        positions /= np.float32(simulation.box_size)
        velocities *= np.float32(start * background.velocity_factor(start))
        velocities /= np.float32(100 * simulation.box_size)
        utils.periodic_wrap(positions)
        settings, tables = pysco_settings(simulation, start, background.omega_m, threads)
        until = tables[1](np.log(end))
        state = (positions, velocities, *solver.pm(positions, settings))
        while not settings["write_snapshot"]:  # set by the last step
            state = integrate(*state, tables, settings, until)
            log.info("PySCo: z = %.2f", 1 / settings["aexp"] - 1)
    positions = state[0]
    positions *= np.float32(simulation.box_size)
    positions[positions >= simulation.box_size] = 0.0
    return delta, positions


def pysco_settings(
    simulation: Simulation, scale_factor: float, omega_m: float, threads: int
) -> tuple[Any, list]:
    """Return PySCo's settings at a scale factor, and its tables of time and expansion."""
    import pandas as pd
    from pysco import cosmotable, utils

    settings = pd.Series(
        {
            "theory": "newton",
            "H0": 100 * Background.abacus_c000().h,
            "Om_m": omega_m,
            "T_cmb": 0.0,
            "N_eff": 0.0,
            "w0": -1.0,
            "wa": 0.0,
            "boxlen": simulation.box_size,
            "npart": simulation.particles**3,
            "ncoarse": int(np.ceil(np.log2(simulation.particles))),
            "nthreads": threads,
            "mass_scheme": "TSC",
            "integrator": "leapfrog",
            "linear_newton_solver": "fft",
            "gradient_stencil_order": 5,
            "Courant_factor": 3.0,  # cells; larger forces and speeds than most are rare
            "max_aexp_stepping": 10,
            "save_power_spectrum": "no",
            "write_snapshot": False,
            "aexp": scale_factor,
            "nsteps": 0,
            "extra": "",
        }
    )
    with tempfile.TemporaryDirectory() as directory:  # PySCo writes its tables to a file, too
        settings["base"] = directory
        tables = cosmotable.generate(settings)
    settings["t"] = float(tables[1](np.log(scale_factor)))
    utils.set_units(settings)
    return settings, tables
