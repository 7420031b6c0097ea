"""Typed configuration of a run, checked before anything is computed.

Definitions are mappings, which a ``--configfile`` on top of the default merges; selections are
lists, which it replaces. Threads, memory and executors are no business of this module: they live
in Snakemake profiles.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any, Literal

from pydantic import Field, PositiveFloat, ValidationError, model_validator

from lagbias.config import plain_values as config_input
from lagbias.config.checks import did_you_mean, inconsistencies
from lagbias.config.sections import (
    AbacusSettings,
    Boxes,
    EmbeddedSettings,
    EvaluationSettings,
    FigureSets,
    GradientPCASettings,
    HaloSample,
    LeastSquaresSettings,
    Name,
    Section,
    Seed,
    TrainingSettings,
    section_of,
)
from lagbias.runtime.messages import shown

__all__ = ["Config", "ConfigError", "format_radius", "load"]

_FAILURE = "The configuration cannot be used."
#: Mistakes that are explained at once.
_MOST_MISTAKES = 20


class ConfigError(ValueError):
    """The configuration is not usable; the message names the key, the value and the remedy."""


class Config(Section):
    """A whole run."""

    run: Name = Field(description="Name of the run; results go to `results/<run>/`.")
    source: Literal["embedded", "abacus"] = Field(
        description="Where the simulations come from: the section of that name, and the rules in "
        "`workflow/rules/<source>.smk`."
    )
    embedded: EmbeddedSettings = Field(description="The pipeline's own simulations.")
    abacus: AbacusSettings | None = Field(
        default=None, description="Boxes of AbacusSummit; needed if they are the source."
    )
    boxes: Boxes = Field(description="Which boxes train and which validate.")
    smoothing_sets: dict[Name, list[PositiveFloat]] = Field(
        min_length=1, description="Radii R_f of each set of Gaussian smoothing scales [Mpc/h]."
    )
    halo_samples: dict[Name, HaloSample] = Field(
        min_length=1, description="Halo samples, by number of particles or by mass."
    )
    sample: Name = Field(description="The halo sample that the figures show.")
    thin_samples: list[Name] = Field(
        min_length=1, description="Samples of thin mass ranges, of low mass first (paper §5)."
    )
    training: TrainingSettings = Field(description="The network and how it is trained.")
    seeds: list[Seed] = Field(
        description="One network per seed: its sub-sample of particles and its initial weights.",
    )
    evaluation: EvaluationSettings = Field(description="The grid on which spectra are measured.")
    least_squares: LeastSquaresSettings = Field(
        description="The least-squares estimate of f in bins of δ and ∇²δ."
    )
    gradient_pca: GradientPCASettings = Field(description="The principal components of ∇f.")
    figure_sets: FigureSets = Field(description="Which smoothing sets the figures compare.")
    figures: list[Name] = Field(min_length=1, description="Figures to draw.")

    @model_validator(mode="after")
    def _check(self):
        if self.settings() is None:
            raise ValueError(
                f"source = {self.source} needs the section {self.source}, which is missing; lay "
                f"config/{self.source}.yaml on top with --configfile."
            )
        if problems := list(islice(inconsistencies(self), _MOST_MISTAKES)):
            raise ValueError(" ".join(problems))
        return self

    def settings(self):
        """Return the settings of the chosen source."""
        return getattr(self, self.source)

    def threshold_sets(self) -> list[str]:
        """Return the smoothing sets of the main halo sample: all but that of the thin ranges."""
        return [name for name in self.smoothing_sets if name != self.figure_sets.thin]

    def box_names(self) -> list[str]:
        """Return the boxes in use, training boxes first, each once."""
        return list(dict.fromkeys([*self.boxes.train, *self.boxes.validation]))


def format_radius(radius: float) -> str:
    """Write a smoothing radius as it appears in paths: ``2.83``, ``8``.

    Parameters
    ----------
    radius : float
        R_f [Mpc/h].
    """
    return f"{radius:g}"


def load(raw: Mapping) -> Config:
    """Check a configuration.

    Parameters
    ----------
    raw : mapping
        What the YAML files merge to.

    Returns
    -------
    Config
        The typed configuration.

    Raises
    ------
    ConfigError
        If a key is unknown or missing, a value is of the wrong type or out of range, two values
        contradict each other, or the files hold what no configuration does: one paragraph with
        each key, its value and the remedy.
    """
    for problem in config_input.problems(raw):
        raise ConfigError(f"{_FAILURE} {problem}")
    try:
        return Config.model_validate(dict(raw))
    except ValidationError as error:
        raise ConfigError(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    """Turn pydantic's list of errors into sentences of key, value and remedy."""
    sentences = []
    for item in error.errors()[:_MOST_MISTAKES]:
        key = ".".join(str(part) for part in item["loc"] if part != "[key]")
        if item["type"] == "extra_forbidden":
            known = _known_keys(item["loc"][:-1])
            hint = did_you_mean(str(item["loc"][-1]), known)
            text = f"{key} is no configuration key{hint} Keys here: {', '.join(known)}."
        elif item["type"] == "missing":
            text = f"{key} is missing. Add it; config/README.md says what it means."
        elif item["type"] == "value_error":
            text = str(item["ctx"]["error"])
            text = f"{key}: {text}" if key else text
        else:
            message = item["msg"][0].lower() + item["msg"][1:]
            value = shown(item["input"])
            text = f"{key} = {value}: {message}. config/README.md says what it may be."
        sentences.append(text)
    return " ".join([_FAILURE, *sentences])


def _known_keys(location: tuple) -> list[str]:
    """Return the keys of the section at a location in the configuration."""
    section: Any = Config
    for part in location:
        if part in section.model_fields:
            section = section_of(section.model_fields[part].annotation) or section
    return list(section.model_fields)
