"""How much is measured: sizes, repetitions, threads."""

from dataclasses import dataclass

__all__ = ["FULL", "QUICK", "Settings", "Sizes"]


@dataclass(frozen=True)
class Sizes:
    """Sizes of the data.

    Parameters
    ----------
    feature_grid, spectrum_grid : int
        Cells per side.
    radii : tuple of float
        Smoothing radii R_f [Mpc/h].
    batches, paper_batches : int
        Batches of one epoch: of 40 cells with 30 particles each (the default run), and of
        `paper_cells` cells with 15.5 each (the paper).
    paper_cells : int
        Cells of a paper-like batch.
    hidden_layers, width, networks : int
        The networks.
    evaluated : int
        Particles at which networks are evaluated.
    particles_per_side : int
        Of the simulated box.
    painting_grid : int
        Nodes per side.
    friends_per_side : int
        Particles per side of the box in which halos are sought.
    seconds : float
        Time after which a comparison that has three rounds gets no more [s].
    rounds : int
        Rounds of a comparison.
    """

    feature_grid: int = 256
    radii: tuple[float, ...] = (1.41, 2.83, 5.66)
    batches: int = 100
    paper_batches: int = 2
    paper_cells: int = 10_000
    hidden_layers: int = 5
    width: int = 64
    networks: int = 5
    evaluated: int = 1 << 18
    particles_per_side: int = 128
    painting_grid: int = 128
    friends_per_side: int = 64
    spectrum_grid: int = 256
    seconds: float = 25.0
    rounds: int = 5


FULL = Sizes()
#: Large enough to run every line, and no larger.
QUICK = Sizes(
    feature_grid=32,
    radii=(2.83, 5.66),
    batches=3,
    paper_batches=1,
    paper_cells=200,
    hidden_layers=2,
    width=16,
    networks=2,
    evaluated=5000,
    particles_per_side=32,
    painting_grid=24,
    friends_per_side=32,
    spectrum_grid=32,
    seconds=0.0,
    rounds=2,
)


@dataclass(frozen=True)
class Settings:
    """What the command line chose.

    Parameters
    ----------
    sizes : Sizes
        Sizes of the data.
    threads : int
        Threads of every contender.
    """

    sizes: Sizes = FULL
    threads: int = 1
