"""Checks of a configuration that span several of its sections."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lagbias.config.model import Config

__all__ = ["available_figures", "did_you_mean", "inconsistencies"]

#: Fewest initial-density cells per smoothing radius: below one, ∇²δ loses over a tenth of its
#: variance to the grid.
CELLS_PER_RADIUS = 1.0
#: Relative rounding allowed in a cell size: 6.667 Mpc/h means 30 cells in 200 Mpc/h.
CELL_SIZE_TOLERANCE = 1e-3
#: Programs in benchmarks/, beside the times that jobs take.
RESERVED_RUNS = ("paper_scale", "suite")
#: Files beside the directories of boxes.
RESERVED_BOXES = ("plan.txt",)
#: Smoothing radii in paths, as the wildcard `rf` of the workflow takes them.
RADIUS_IN_PATHS = re.compile(r"[0-9.]+")
#: Fewest networks whose scatter can be shown.
FEWEST_SEEDS = 2
#: Largest smoothing radius in units of the box side: a quarter leaves a handful of modes.
LARGEST_RADIUS = 0.25


def available_figures() -> list[str]:
    """Return the names of the figures: the modules of `lagbias.figures` that define ``draw``."""
    modules = Path(__file__).parents[1].joinpath("figures").glob("*.py")
    return sorted(path.stem for path in modules if "\ndef draw(" in path.read_text("utf-8"))


def inconsistencies(config: Config) -> Iterator[str]:
    """Find what is wrong between sections.

    Parameters
    ----------
    config : Config
        A configuration whose sections are right by themselves.

    Yields
    ------
    str
        A sentence of key, value and remedy.
    """
    yield from _unknown_names(config)
    yield from _bad_radii(config)
    yield from _bad_training(config)
    yield from _bad_figure_sets(config)


def _unknown_names(config: Config) -> Iterator[str]:
    """Yield names that are used but not defined, or not free."""
    if config.run in RESERVED_RUNS:
        yield (
            f"run = {config.run} is a directory of benchmarks/ with programs in it, where times of "
            f"this run's jobs would be written. Choose another name."
        )
    boxes, sets, samples = config.settings().boxes, config.smoothing_sets, config.halo_samples
    for name in config.box_names():
        if name in RESERVED_BOXES:
            yield f"boxes names {name}, which is a file beside the boxes. Choose another name."
        if name not in boxes:
            yield _unknown("boxes", "box", name, boxes, f"{config.source}.boxes")
    for name in sorted(config.figure_sets.names() - set(sets)):
        yield _unknown("figure_sets", "smoothing set", name, sets, "smoothing_sets")
    used = {"sample": [config.sample], "thin_samples": config.thin_samples}
    for key, names in used.items():
        for name in names:
            if name not in samples:
                yield _unknown(key, "halo sample", name, samples, "halo_samples")
    known = available_figures()
    for name in config.figures:
        if name not in known:
            yield _unknown("figures", "figure", name, known, "src/lagbias/figures")


def _bad_radii(config: Config) -> Iterator[str]:
    """Yield smoothing radii that the grid or the box cannot hold."""
    settings, source = config.settings(), config.source
    remedy = " or raise particles_per_side" if source == "embedded" else ""
    cell = settings.box_size / settings.density_grid
    for name, radii in config.smoothing_sets.items():
        if not radii or sorted(set(radii)) != radii:
            yield (
                f"smoothing_sets.{name} = {radii} must list at least one radius, each once, in "
                f"increasing order."
            )
        for radius in radii:
            if not RADIUS_IN_PATHS.fullmatch(f"{radius:g}"):
                yield (
                    f"smoothing_sets.{name} holds R_f = {radius:g} Mpc/h, which has an exponent "
                    f"where names of files need digits. Use a radius between 0.0001 and 999999."
                )
            if radius != float(f"{radius:g}"):
                yield (
                    f"smoothing_sets.{name} holds R_f = {radius!r} Mpc/h, with more digits than "
                    f"the names of files keep. Use at most six: {radius:g}."
                )
            if radius < CELLS_PER_RADIUS * cell:
                yield (
                    f"smoothing_sets.{name} holds R_f = {radius:g} Mpc/h, below the "
                    f"initial-density cell of {cell:.4g} Mpc/h ({source}.box_size over "
                    f"{settings.density_grid} nodes per side), where ∇²δ is not resolved. Use "
                    f"radii of at least {CELLS_PER_RADIUS * cell:.4g}{remedy}."
                )
            if radius > LARGEST_RADIUS * settings.box_size:
                yield (
                    f"smoothing_sets.{name} holds R_f = {radius:g} Mpc/h, over a quarter of the "
                    f"box ({settings.box_size:g} Mpc/h), which leaves hardly a mode. Use smaller "
                    f"radii or a larger {source}.box_size."
                )


def _bad_training(config: Config) -> Iterator[str]:
    """Yield halo samples, cells, batches and seeds that do not fit the box or each other."""
    settings, training, seeds = config.settings(), config.training, config.seeds
    for name, sample in config.halo_samples.items():
        fewest = sample.min_particles
        if fewest is not None and fewest < settings.min_halo_particles:
            yield (
                f"halo_samples.{name}.min_particles = {fewest} is below "
                f"{config.source}.min_halo_particles = {settings.min_halo_particles}, under which "
                f"no halos are kept. Raise the one or lower the other."
            )
    cells = settings.box_size / training.cell_size
    if abs(cells - round(cells)) > CELL_SIZE_TOLERANCE * cells:
        yield (
            f"training.cell_size = {training.cell_size:g} Mpc/h does not divide the box of "
            f"{settings.box_size:g} Mpc/h into whole cells. Choose a divisor, such as "
            f"{settings.box_size / max(1, round(cells)):.5g}."
        )
    if training.cells_per_batch > round(cells) ** 3:
        yield (
            f"training.cells_per_batch = {training.cells_per_batch} exceeds the "
            f"{round(cells) ** 3} cells of the box. Use fewer."
        )
    if len(set(seeds)) < len(seeds):
        yield f"seeds = {seeds} names a seed twice; networks of equal seed are equal."
    if len(seeds) < FEWEST_SEEDS:
        yield (
            f"seeds = {seeds} asks for {len(seeds)} network(s), but the scatter between networks "
            f"needs at least {FEWEST_SEEDS}; the paper uses five: [0, 1, 2, 3, 4]."
        )


def _bad_figure_sets(config: Config) -> Iterator[str]:
    """Yield smoothing sets that cannot play their part in the figures."""
    chosen, sets = config.figure_sets, config.smoothing_sets
    if len(radii := sets.get(chosen.single_scale, [0.0])) != 1:
        yield (
            f"figure_sets.single_scale = {chosen.single_scale} has the radii {radii}; name a set "
            f"of one radius, with which the least-squares f can be compared."
        )
    for key in ("retrained", "components", "nested"):
        if others := [name for name in getattr(chosen, key) if name not in chosen.of_the_paper()]:
            yield (
                f"figure_sets.{key} names {others}, which no other figure compares; add them to "
                f"figure_sets.coarse or figure_sets.fine."
            )
    if chosen.retrained_losses not in chosen.retrained:
        yield (
            f"figure_sets.retrained_losses = {chosen.retrained_losses} is not among "
            f"figure_sets.retrained = {chosen.retrained}; add it there or choose one of them."
        )
    if chosen.thin in (names := chosen.of_the_paper()):
        yield (
            f"figure_sets.thin = {chosen.thin} is one of {names}, which are trained on the "
            f"main halo sample; give the thin mass ranges a set of their own."
        )


def _unknown(key: str, noun: str, name: str, known: Iterable[str], where: str) -> str:
    return (
        f"{key} names the {noun} {name!r}, which {where} does not define"
        f"{did_you_mean(name, known)} Define it there or use one of: {', '.join(known)}."
    )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the known name that is closest to `name`, or end the sentence."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else "."
