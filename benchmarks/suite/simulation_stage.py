"""One N-body step and the halo finder, beside NumPy and SciPy."""

from collections.abc import Iterator

import numpy as np

from lagbias.cosmology import Background
from lagbias.grids.fourier import RealFFT
from lagbias.simulate.friends_of_friends import friends_of_friends
from lagbias.simulate.nbody import MESH_RATIO, bullfrog_coefficients, evolve

from . import data
from .plain_simulation import friends_by_tree, mesh_step
from .settings import Settings
from .timing import Comparison, Contender, distances

__all__ = ["comparisons"]

#: Rms difference of positions and velocities in units of how far the step moves particles.
STEP_TOLERANCE = 1e-4
#: Growth factor at both ends of the step: the default run's last of twelve.
_GROWTH = (0.56, 0.61)
_LINKING, _MIN_PARTICLES = 0.2, 10


def comparisons(settings: Settings, scene) -> Iterator[Comparison]:
    """Compare one step of the default run's simulation, and the search for its halos."""
    yield _step(settings, scene)
    yield _friends(settings)


def _step(settings: Settings, scene) -> Comparison:
    positions, velocities, box_size = scene.box
    count, threads = len(positions), settings.threads
    n_mesh = MESH_RATIO * settings.sizes.particles_per_side
    background = Background.abacus_c000()
    fft = RealFFT(n_mesh, threads=threads)
    interval = _GROWTH[1] - _GROWTH[0]

    def library() -> tuple[np.ndarray, np.ndarray]:
        moved, kicked = positions.copy(), velocities.copy()
        evolve(moved, kicked, np.array(_GROWTH), box_size=box_size, background=background, fft=fft)
        return moved, kicked

    def plain() -> tuple[np.ndarray, np.ndarray]:
        coefficients = bullfrog_coefficients(background, *_GROWTH)
        return mesh_step(
            positions,
            velocities,
            interval,
            coefficients,
            box_size=box_size,
            n_mesh=n_mesh,
            workers=threads,
        )

    def distance(ours, theirs) -> float:
        apart = ours[0] - theirs[0]
        apart -= box_size * np.round(apart / box_size)
        drift = interval * np.std(ours[1])
        return max(np.std(apart) / drift, np.std(ours[1] - theirs[1]) / np.std(ours[1]))

    contenders = [
        Contender("lagbias", library, float(count)),
        Contender("NumPy add.at, scipy.fft", plain, float(count)),
    ]
    cells_per_particle = MESH_RATIO**3
    return Comparison(
        stage="simulation",
        title=f"one step, {count} particles, {n_mesh}³ mesh",
        unit="particles",
        contenders=contenders,
        check=lambda: distances(contenders, distance),
        tolerance=STEP_TOLERANCE,
        because="float32 meshes, summed in another order,",
        # positions and velocities in and out; the mesh painted, transformed there and back, read
        least_bytes=4 * 12 + cells_per_particle * 4 * (1 + 2 * 4 + 1),
        least_operations=cells_per_particle * 2 * 2.5 * np.log2(float(n_mesh) ** 3),
    )


def _friends(settings: Settings) -> Comparison:
    positions, _, box_size = data.evolved_box(settings.sizes.friends_per_side, settings.threads)
    count, length = len(positions), _LINKING * data.SPACING
    contenders = [
        Contender(
            "lagbias",
            lambda: friends_of_friends(
                positions,
                box_size=box_size,
                linking_length=length,
                min_particles=_MIN_PARTICLES,
                threads=settings.threads,
            ),
            float(count),
        ),
        Contender(
            "SciPy cKDTree, connected_components",
            lambda: friends_by_tree(positions, box_size, length, _MIN_PARTICLES),
            float(count),
        ),
    ]
    return Comparison(
        stage="simulation",
        title=f"friends of friends, {count} particles",
        unit="particles",
        contenders=contenders,
        check=lambda: distances(contenders, _misplaced),
        tolerance=0.0,
        because="exactness",
        # positions are read, labels written
        least_bytes=16.0,
    )


def _misplaced(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return how many pairs of overlapping halos there are beyond one partner for each halo."""
    overlaps = np.unique(np.stack([ours, theirs]).astype(np.int64), axis=1).shape[1]
    return float(2 * overlaps - len(np.unique(ours)) - len(np.unique(theirs)))
