"""Linking length of the embedded halos: mass functions against Tinker et al. 2008.

Simulates a box of the size of the default configuration with a seed that no configuration uses,
finds friends-of-friends halos with several linking lengths, and compares their number with the mass
function at the spherical overdensity of AbacusSummit's halos. Nothing is trained here: the linking
length does not depend on any power ratio.

    python benchmarks/halo_definition.py [--box-size 320] [--particles 320] [--seed 7001]
"""

import argparse
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from lagbias.cli.configfile import load
from lagbias.cosmology import CRITICAL_DENSITY, Background, abacus_linear_power
from lagbias.runtime.markdown import markdown_table
from lagbias.simulate.friends_of_friends import friends_of_friends
from lagbias.sources.embedded import make_box

CONFIG = load(Path(__file__).parents[1] / "config" / "config.yaml")
DEFAULT = CONFIG.embedded
THREADS = 2
LINKING_LENGTHS = (0.20, 0.18, 0.17, 0.16, 0.15)
EDGES = np.array([15, 20, 30, 50, 100, 250, 500, 1000, 2500])  # particles
#: Overdensity of CompaSO's halos at this redshift, header `SODensityL1` of AbacusSummit.
OVERDENSITY = 258.25
#: The paper's threshold [Msun/h].
THRESHOLD = 3.16e11
BACKGROUND = Background.abacus_c000()
DENSITY = CRITICAL_DENSITY * BACKGROUND.omega_clustering
LARGEST = 3e15  # [Msun/h]


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--box-size", type=float, default=DEFAULT.box_size, help="L [Mpc/h]")
    parser.add_argument(
        "--particles", type=int, default=DEFAULT.particles_per_side, help="particles per side"
    )
    parser.add_argument("--seed", type=int, default=7001, help="seed of the initial conditions")
    options = parser.parse_args()
    mass = BACKGROUND.particle_mass((options.box_size / options.particles) ** 3)
    settings = DEFAULT.model_copy(
        update={
            "box_size": options.box_size,
            "particles_per_side": options.particles,
            "kept_fraction": 1.0,
        }
    )
    box = make_box(settings, seed=options.seed, threads=THREADS)
    positions = box.particles.position
    expected = [
        options.box_size**3 * integrals(low * mass, high * mass)[0]
        for low, high in pairwise(EDGES - 0.5)
    ]
    ratios = {"Tinker et al. 2008": [1.0] * len(expected)}
    totals = {"Tinker et al. 2008": integrals(THRESHOLD)}
    for length in LINKING_LENGTHS:
        masses = mass * halo_particles(positions, length, options)
        name = f"b = {length:.2f}"
        ratios[name] = np.histogram(masses, (EDGES - 0.5) * mass)[0] / expected
        masses = masses[masses >= THRESHOLD]
        totals[name] = [(masses**n).sum() / options.box_size**3 for n in range(3)]
    print(as_markdown(ratios, totals))


def halo_particles(positions: np.ndarray, length: float, options: argparse.Namespace) -> np.ndarray:
    """Return the numbers of particles of the halos, (H,)."""
    labels = friends_of_friends(
        positions,
        box_size=options.box_size,
        linking_length=length * options.box_size / options.particles,
        min_particles=int(EDGES[0]),
        threads=THREADS,
    )
    return np.bincount(labels[labels >= 0])


def as_markdown(ratios: Mapping[str, Sequence], totals: Mapping[str, Sequence]) -> str:
    """Return the table: numbers over Tinker's by particles, and what lies above the threshold."""
    bins = [f"{low}–{high}" for low, high in pairwise(EDGES)]
    head = ["halos", *bins, "n [(h/Mpc)³]", "mass fraction", "mean mass [Msun/h]"]
    rows = []
    for name, (number, first, second) in totals.items():
        cells = [name, *(f"{ratio:.2f}" for ratio in ratios[name])]
        cells += [f"{number:.2e}", f"{first / DENSITY:.3f}", f"{second / first:.2e}"]
        rows.append(cells)
    return markdown_table(head, rows)


def integrals(low: float, high: float = LARGEST) -> tuple[float, float, float]:
    """Integrate the mass function times 1, M and M² between masses [Msun/h], per (Mpc/h)³."""
    log_mass = np.linspace(np.log(low), np.log(high), 200)
    mass = np.exp(log_mass)
    radius = (3 * mass / (4 * np.pi * DENSITY)) ** (1 / 3)
    power = abacus_linear_power()
    growth = float(BACKGROUND.growth(1 / (1 + DEFAULT.redshift)))
    sigma = growth * np.sqrt([power.variance(r, window="top_hat") for r in radius])
    slope = -np.gradient(np.log(sigma), log_mass)
    per_log_mass = tinker08(sigma) * DENSITY / mass * slope
    return tuple(float(np.trapezoid(per_log_mass * mass**n, log_mass)) for n in range(3))


def tinker08(sigma: np.ndarray) -> np.ndarray:
    """Return the multiplicity function f(σ) of Tinker et al. 2008, ApJ 688, 709, eqs. 3, 5 to 8.

    The parameters of their Table 2, interpolated to `OVERDENSITY` in its logarithm.
    """
    tabulated = np.log10([200, 300, 400])
    at = np.log10(OVERDENSITY)
    amplitude, slope, scale, cut = (
        np.interp(at, tabulated, values)
        for values in (
            (0.186, 0.200, 0.212),
            (1.47, 1.52, 1.56),
            (2.57, 2.25, 2.05),
            (1.19, 1.27, 1.34),
        )
    )
    growth = 1 + DEFAULT.redshift
    amplitude *= growth**-0.14
    slope *= growth**-0.06
    scale *= growth ** -(10 ** -((0.75 / np.log10(OVERDENSITY / 75)) ** 1.2))
    return amplitude * ((sigma / scale) ** -slope + 1) * np.exp(-cut / sigma**2)


if __name__ == "__main__":
    main()
