"""Validation across sections of the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from lagbias.runtime.messages import did_you_mean

if TYPE_CHECKING:
    from lagbias.config.model import Config
    from lagbias.config.sections import BeyondVariant

__all__ = ["BASELINES", "BEYOND_FIGURES", "available_figures", "inconsistencies"]

#: Minimum smoothing radius in grid cells: below one, ∇²δ loses over a tenth of its variance.
CELLS_PER_RADIUS = 1.0
#: Maximum smoothing radius in box sides: a quarter leaves only a handful of modes.
MAX_RADIUS = 0.25
#: Relative rounding error allowed in a cell size: 6.667 Mpc/h means 30 cells in 200 Mpc/h.
CELL_SIZE_TOLERANCE = 1e-3
#: Minimum number of networks whose scatter can be measured.
MIN_SEEDS = 2
#: Directories of programs in benchmarks/, where a run writes the times of its jobs.
RESERVED_RUNS = ("paper_scale", "suite")
#: Files next to the directories of boxes.
RESERVED_BOXES = ("plan.txt",)
#: What networks take in, in paths, and the models that they are compared with.
RESERVED_INPUTS = ("full", "density", "nested", "cut", "pc2", "least_squares", "formula")
BASELINES = ("polynomial", "transfer", "gaussian", "filtered_least_squares")
#: Figures of the section `beyond`.
BEYOND_FIGURES = (
    "model_comparison",
    "loss_comparison",
    "transfer_comparison",
    "one_point_comparison",
    "bispectrum_comparison",
    "multipole_comparison",
)
#: Smoothing radii in paths, as the wildcard `rf` of the workflow matches them.
RADIUS_IN_PATHS = re.compile(r"[0-9.]+")


def available_figures() -> list[str]:
    """Return the names of all figures: the modules of `lagbias.figures` that define ``draw``."""
    modules = Path(__file__).parents[1].joinpath("figures").glob("*.py")
    return sorted(path.stem for path in modules if "\ndef draw(" in path.read_text("utf-8"))


def inconsistencies(config: Config) -> Iterator[str]:
    """Find values that contradict each other.

    Parameters
    ----------
    config : Config
        A configuration whose sections are valid by themselves.

    Yields
    ------
    str
        Key, value and remedy.
    """
    yield from _check_names(config)
    yield from _check_radii(config)
    yield from _check_training(config)
    yield from _check_figure_sets(config)
    yield from _check_overrides(config)
    yield from _check_variants(config)
    if config.beyond:
        yield from _check_beyond(config)


def _check_names(config: Config) -> Iterator[str]:
    """Yield names that are used but not defined, or reserved."""
    if config.run in RESERVED_RUNS:
        yield (
            f"run = {config.run} is reserved: benchmarks/{config.run} holds programs. Choose "
            f"another name."
        )
    boxes, sets, samples = config.settings().boxes, config.smoothing_sets, config.halo_samples
    for name in config.box_names():
        if name in RESERVED_BOXES:
            yield f"boxes names {name}, which is reserved for a file. Choose another name."
        if name not in boxes:
            yield _undefined("boxes", "box", name, boxes, f"{config.source}.boxes")
    for name in sorted(config.figure_sets.names() - set(sets)):
        yield _undefined("figure_sets", "smoothing set", name, sets, "smoothing_sets")
    used = {"sample": [config.sample], "thin_samples": config.thin_samples}
    for key, names in used.items():
        for name in names:
            if name not in samples:
                yield _undefined(key, "halo sample", name, samples, "halo_samples")
    known = available_figures()
    for name in config.figures:
        if name not in known:
            yield _undefined("figures", "figure", name, known, "src/lagbias/figures")
        elif name in BEYOND_FIGURES and not config.beyond:
            yield (
                f"figures names {name}, which needs the section beyond. Add config/beyond.yaml "
                f"with --configfile, or remove the figure."
            )


def _undefined(key: str, noun: str, name: str, known: Iterable[str], where: str) -> str:
    return (
        f"{key} names the {noun} {name!r}, which {where} does not define"
        f"{did_you_mean(name, known)} Define it there or use one of: {', '.join(known)}."
    )


def _check_radii(config: Config) -> Iterator[str]:
    """Yield smoothing radii that the grid, the box or paths cannot represent."""
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
            here = f"smoothing_sets.{name}: R_f = {radius!r} Mpc/h"
            if not RADIUS_IN_PATHS.fullmatch(f"{radius:g}"):
                yield f"{here} needs an exponent in paths. Use a radius between 0.0001 and 999999."
            if radius != float(f"{radius:g}"):
                yield f"{here} has more than six digits. Round it to {radius:g}."
            if radius < CELLS_PER_RADIUS * cell:
                yield (
                    f"{here} is below the cell of the initial density, {cell:.4g} Mpc/h "
                    f"({source}.box_size / {settings.density_grid}), which does not resolve ∇²δ. "
                    f"Use radii of at least {CELLS_PER_RADIUS * cell:.4g}{remedy}."
                )
            if radius > MAX_RADIUS * settings.box_size:
                yield (
                    f"{here} exceeds a quarter of the box ({settings.box_size:g} Mpc/h), which "
                    f"leaves too few modes. Use a smaller radius or a larger {source}.box_size."
                )


def _check_training(config: Config) -> Iterator[str]:
    """Yield halo samples, cells, batches and seeds that do not fit the box or each other."""
    settings, training, seeds = config.settings(), config.training, config.seeds
    for name, sample in config.halo_samples.items():
        lowest = sample.min_particles
        if lowest is not None and lowest < settings.min_halo_particles:
            yield (
                f"halo_samples.{name}.min_particles = {lowest} is below "
                f"{config.source}.min_halo_particles = {settings.min_halo_particles}, the smallest "
                f"halo that is stored. Raise the former or lower the latter."
            )
    cells = settings.box_size / training.cell_size
    if abs(cells - round(cells)) > CELL_SIZE_TOLERANCE * cells:
        yield (
            f"training.cell_size = {training.cell_size:g} Mpc/h does not divide the box of "
            f"{settings.box_size:g} Mpc/h. Use a divisor, such as "
            f"{settings.box_size / max(1, round(cells)):.5g}."
        )
    if training.cells_per_batch > round(cells) ** 3:
        yield (
            f"training.cells_per_batch = {training.cells_per_batch} exceeds the "
            f"{round(cells) ** 3} cells of the box. Use fewer."
        )
    if len(set(seeds)) < len(seeds):
        yield f"seeds = {seeds} repeats a seed, which gives identical networks. List each once."
    if len(seeds) < MIN_SEEDS:
        yield (
            f"seeds = {seeds} gives {len(seeds)} network(s), but the scatter between networks "
            f"needs at least {MIN_SEEDS}. The paper uses five: [0, 1, 2, 3, 4]."
        )


def _check_figure_sets(config: Config) -> Iterator[str]:
    """Yield smoothing sets that do not fit their role in the figures."""
    chosen, sets = config.figure_sets, config.smoothing_sets
    if len(radii := sets.get(chosen.single_scale, [0.0])) != 1:
        yield (
            f"figure_sets.single_scale = {chosen.single_scale} has the radii {radii}. Name a set "
            f"of one radius, as the least-squares f has."
        )
    among_others = {
        f"figure_sets.{key}": getattr(chosen, key)
        for key in ("retrained", "components", "nested", "cut")
    }
    among_others |= {f"variants.{key}.sets": v.sets for key, v in config.variants.items()}
    for key, names in among_others.items():
        if others := [name for name in names if name not in chosen.of_the_paper()]:
            yield (
                f"{key} names {others}, which no other figure uses. Add them to "
                f"figure_sets.coarse or figure_sets.fine."
            )
    if chosen.retrained_losses not in chosen.retrained:
        yield (
            f"figure_sets.retrained_losses = {chosen.retrained_losses} is not in "
            f"figure_sets.retrained = {chosen.retrained}. Add it there or choose one of them."
        )
    if chosen.thin in (names := chosen.of_the_paper()):
        yield (
            f"figure_sets.thin = {chosen.thin} is one of {names}, which are trained on the main "
            f"halo sample. Name another set."
        )


def _check_overrides(config: Config) -> Iterator[str]:
    """Yield settings of variants that contradict those that they do not override."""
    for name in config.all_variants():
        training = config.training_of(name)
        try:
            type(training).model_validate(training.model_dump())
        except ValidationError as error:  # each value is valid by itself
            yield f"Training of the variant {name}: {error.errors()[0]['ctx']['error']}"


def _check_variants(config: Config) -> Iterator[str]:
    """Yield variants whose training is not what their name says."""
    usual = config.training
    for name, variant in config.variants.items():
        new = config.training_of(name)
        suits, remedy = {
            "larger": (
                new.hidden_layers * new.width > usual.hidden_layers * usual.width,
                "Raise hidden_layers or width above those in training.",
            ),
            "longer": (new.epochs > usual.epochs, "Raise epochs above training.epochs."),
            "unconstrained": (
                new.constraint == "none" != usual.constraint,
                "Set constraint to none here, and to another one in training.",
            ),
        }[name]
        if not suits:
            yield f"variants.{name}.training = {variant.overrides()} is not {name}. {remedy}"


def _check_beyond(config: Config) -> Iterator[str]:
    """Yield values of the comparison that do not fit the run."""
    chosen, sets = config.beyond, config.threshold_sets()
    used = {box for name in chosen.variants for box in _boxes_of(config, name)}
    if both := sorted((used | set(chosen.fit_boxes)) & set(chosen.validation)):
        yield (
            f"beyond.validation names {both}, to which models are fitted. Name boxes that are used "
            f"for nothing else."
        )
    for name, variant in chosen.variants.items():
        if name in (*RESERVED_INPUTS, *BASELINES, *config.variants):
            yield f"beyond.variants.{name} has a name that is taken. Choose another one."
        yield from _check_start(config, name, variant)
        for each in variant.sets:
            if each not in sets:
                yield _undefined(
                    f"beyond.variants.{name}.sets", "set", each, sets, "smoothing_sets"
                )
    trained = {"full": sets, **{name: each.sets for name, each in chosen.variants.items()}}
    for name, given in chosen.transfer.items():
        if name not in trained:
            yield _undefined("beyond.transfer", "ensemble", name, trained, "beyond.variants")
        elif others := [each for each in given if each not in trained[name]]:
            yield (
                f"beyond.transfer.{name} names {others}, of which no {name} networks are trained. "
                f"Choose among {trained[name]}."
            )
    for name in chosen.samples:
        if name not in config.halo_samples:
            yield _undefined(
                "beyond.samples", "halo sample", name, config.halo_samples, "halo_samples"
            )
    if len(radii := config.smoothing_sets.get(chosen.baseline_set, [])) != 1:
        yield (
            f"beyond.baseline_set = {chosen.baseline_set} has the radii {radii}. Name a set of one "
            f"radius."
        )


def _check_start(config: Config, name: str, variant: BeyondVariant) -> Iterator[str]:
    """Yield settings of a variant that the networks from which it starts contradict."""
    if variant.start_from is None:
        return
    where = f"beyond.variants.{name}.start_from = {variant.start_from}"
    if others := sorted(key for key in variant.overrides() if not key.startswith("fourier_")):
        yield f"{where} leaves only keys fourier_* to {name}.training, not {others}. Remove one."
    if not config.training_of(name).fourier_rounds:
        yield f"{where} needs rounds to start. Set fourier_rounds in {name}.training, or remove it."
    for key in ("fourier_rounds", "combinations"):
        if value := getattr(config.training, key):
            yield f"{where} needs training.{key} = 0, not {value}. Change it, or remove start_from."


def _boxes_of(config: Config, inputs: str) -> list[str]:
    return config.training_boxes(config.boxes.train[0], inputs)
